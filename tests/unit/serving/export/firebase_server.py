"""A Realtime Database of one's own on this machine: token endpoint, multi-path PATCH and GET, with faults on demand."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.auth import jwt

from serving.export.firebase import SCOPES

EMAIL = "pusher@demo.iam.gserviceaccount.com"
TOKEN = "ya29.a-token-that-nobody-may-see"
AUDIENCE = "https://oauth2.googleapis.com/token"  # what google-auth signs for, whatever the token endpoint
DROP = "drop"  # write, then close the connection without an answer
_BAD_KEY = re.compile(r"[.$#\[\]\x00-\x1f\x7f]")


class FirebaseServer(ThreadingHTTPServer):
    """Keeps a tree as Firebase does, and all that was asked of it.

    Attributes:
        faults: What befalls the next writes: ``(status, headers)``, ``DROP``, or ``None`` for nothing.
        needs_token: Whether writes need the token that the token endpoint gives.
        bodies: Body of each write, failed ones included.
        applied: Body of each write that was applied.
        n_tokens: Tokens given.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root: Any = None
        self.faults: deque[tuple[int, dict[str, str]] | str | None] = deque()
        self.needs_token = False
        self.bodies: list[dict[str, Any]] = []
        self.applied: list[dict[str, Any]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.n_tokens = 0
        self.key = private_key()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def key_file(self, folder: Path, key: rsa.RSAPrivateKey | None = None) -> Path:
        """Write a service account's key that names this server's token endpoint."""
        path = folder / "key.json"
        content = {
            "type": "service_account",
            "client_email": EMAIL,
            "private_key": pem(key or self.key),
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(content))
        return path

    def apply(self, node: list[str], body: dict[str, Any]) -> None:
        """Replace each value whole at its path."""
        for path, value in body.items():
            keys = [*node, *path.split("/")]
            if any(not key or _BAD_KEY.search(key) or len(key.encode()) > 768 for key in keys):
                raise ValueError(path)
            self.root = _replaced(self.root, keys, _stored(value))
        self.applied.append(body)

    def read(self, path: str) -> Any:
        """What a client sees at a path."""
        node = self.root
        for key in path.split("/"):
            node = node.get(key) if isinstance(node, dict) else None
        return rendered(node)

    def tree(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The leaves by vehicle, lap and component."""
        return {
            vehicle: {
                lap: {component: rendered(leaf) for component, leaf in components.items()}
                for lap, components in laps.items()
            }
            for vehicle, laps in ((self.root or {}).get("karma") or {}).items()
        }


@contextmanager
def serving() -> Iterator[FirebaseServer]:
    """A server on a port of its own."""
    server = FirebaseServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@cache
def private_key(number: int = 0) -> rsa.RSAPrivateKey:
    """A key, made once; of another number another."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def rendered(node: Any) -> Any:
    """A node as Firebase gives it: objects whose keys are mostly the numbers from 0 are arrays."""
    if not isinstance(node, dict):
        return node
    if all(key.isdecimal() for key in node):
        length = max(map(int, node)) + 1
        if len(node) * 2 > length:
            return [rendered(node.get(str(index))) for index in range(length)]
    return {key: rendered(value) for key, value in node.items()}


def _stored(value: Any) -> Any:
    """A value as Firebase keeps it: arrays as objects, nothing that is null or empty."""
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        return {key: kept for key, item in value.items() if (kept := _stored(item)) is not None} or None
    return value


def _replaced(node: Any, keys: list[str], value: Any) -> Any:
    if not keys:
        return value
    children = dict(node) if isinstance(node, dict) else {}
    child = _replaced(children.pop(keys[0], None), keys[1:], value)
    return (children if child is None else children | {keys[0]: child}) or None


class _Handler(BaseHTTPRequestHandler):
    server: FirebaseServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        form = parse_qs(self._body().decode())
        public = self.server.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = jwt.decode(form["assertion"][0], certs=public, audience=AUDIENCE)
        except ValueError as error:
            answer = {"error": "invalid_grant", "error_description": f"{error}: {form['assertion'][0]}"}
            self._answer(400, answer)
            return
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        assert claims["iss"] == EMAIL
        assert claims["scope"].split() == list(SCOPES)
        self.server.n_tokens += 1
        self._answer(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    def do_PATCH(self) -> None:
        body = json.loads(self._body())
        self.server.bodies.append(body)
        self.server.queries.append(parse_qs(urlsplit(self.path).query))
        sent = self.headers.get("Authorization")
        if self.server.needs_token and sent != f"Bearer {TOKEN}":
            self._answer(401, {"error": f"Unauthorized request: {sent}"})
            return
        fault = self.server.faults.popleft() if self.server.faults else None
        if isinstance(fault, tuple):
            self._answer(fault[0], {"error": f"{self.headers.get('Authorization')}"}, fault[1])
            return
        try:
            self.server.apply(self._node(), body)
        except ValueError as error:
            self._answer(400, {"error": f"Invalid data; {error}"})
            return
        if fault == DROP:
            self.close_connection = True
            return
        self._answer(204, None)

    def do_GET(self) -> None:
        self._answer(200, self.server.read("/".join(self._node())))

    def _node(self) -> list[str]:
        return [unquote(part) for part in urlsplit(self.path).path.removesuffix(".json").strip("/").split("/")]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if status == 204 else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
