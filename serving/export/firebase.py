"""Write to a Firebase Realtime Database, or to what speaks its REST API, such as its emulator.

Secrets: the key of a service account is read from a file, and access tokens live in a request's header alone. Neither
is in a log, an error or a ``repr``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import requests
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import InvalidHeader
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from conf.errors import InputError

SCOPES: Final = (
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/firebase.database",
)
TIMEOUT_S: Final = (10.0, 60.0)  # to connect, to be answered
ATTEMPTS: Final = 6
LONGEST_WAIT_S: Final = 60.0
TRIED_AGAIN: Final = frozenset({429, 500, 502, 503, 504})

_HOW_TO_GET_A_KEY = (
    "get a key file in the Firebase console (Project settings, Service accounts, Generate new private key) and name it "
    "by --service-account FILE or FIREBASE_CREDENTIALS"
)
_REMEDIES = {
    400: "it does not take this for a write; is the URL that of a Realtime Database?",
    401: "it does not accept the credentials; the service account must be of the project that has this database "
    f"({_HOW_TO_GET_A_KEY})",
    403: "the credentials may not write here; give the service account the role Firebase Realtime Database Admin, "
    "or let the database's rules allow it",
    404: "there is no such database; the console shows its URL, which names the region outside of us-central1",
}


class PushError(InputError):
    """A database cannot be written to; the message says why and what to do."""


@dataclass(frozen=True)
class RealtimeDatabase:
    """A Realtime Database.

    Attributes:
        url: Its URL, without a slash at the end.
        host: Host and port.
        is_loopback: Whether it is on this machine, as an emulator is.
        namespace: Database of an emulator that has several (``?ns=``).
    """

    url: str
    host: str
    is_loopback: bool
    namespace: str | None = None

    @classmethod
    def parse(cls, url: str | None) -> RealtimeDatabase:
        """Take a URL apart. What is wrong with it is said without repeating it, for it may hold a secret.

        Raises:
            PushError: If there is none, it is not a URL, it carries credentials, or it would send them in the clear.
        """
        if not url:
            raise PushError(
                "no database to push to: give --url, or set FIREBASE_DB_URL, to "
                "https://PROJECT-default-rtdb.firebaseio.com or the URL of an emulator"
            )
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise PushError("the database's URL is malformed: write https://HOST or http://127.0.0.1:PORT") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise PushError("the database's URL must begin with https://, or be http://127.0.0.1:PORT of an emulator")
        query = parse_qs(parts.query)
        if "@" in parts.netloc or query.keys() - {"ns"} or parts.fragment:
            raise PushError(
                "the database's URL carries more than a host, a path and ?ns=: leave passwords and auth= out of it, "
                "and give a key file by --service-account"
            )
        is_loopback = _is_loopback(parts.hostname)
        if parts.scheme == "http" and not is_loopback:
            raise PushError(f"http://{parts.netloc} would send scores and token in the clear: write https://")
        return cls(
            url=f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}",
            host=parts.netloc,
            is_loopback=is_loopback,
            namespace=query["ns"][0] if "ns" in query else None,
        )

    def node_url(self, path: str) -> str:
        """URL of a node."""
        return f"{self.url}/{path}.json" + (f"?{urlencode({'ns': self.namespace})}" if self.namespace else "")


def open_database_session(
    database: RealtimeDatabase, key_file: Path | None = None, *, backoff_s: float = 0.5
) -> requests.Session:
    """A session that writes to a database, and tries again what failed on the way.

    Args:
        database: Where to.
        key_file: Key of a service account; an emulator on this machine does without.
        backoff_s: Wait before the second retry, doubled at each further one and with jitter; the first follows at once.
            A server that says when to come back is asked then, or after a minute.

    Raises:
        PushError: If the key file is no key, or there is none and the database is elsewhere.
    """
    if key_file is None and not database.is_loopback:
        raise PushError(f"pushing to {database.host} needs a service account: {_HOW_TO_GET_A_KEY}")
    retry = _Patience(
        total=ATTEMPTS - 1,
        backoff_factor=backoff_s,
        backoff_jitter=backoff_s,
        backoff_max=LONGEST_WAIT_S,
        status_forcelist=TRIED_AGAIN,
        allowed_methods={"PATCH"},
        raise_on_status=False,
    )
    session = requests.Session()
    session.auth = None if key_file is None else _Bearer(key_file)
    session.trust_env = not database.is_loopback  # a proxy neither knows this machine's emulator nor needs a token
    _mount(session, retry)
    return session


def patch_node(session: requests.Session, database: RealtimeDatabase, node: str, changes: Mapping[str, Any]) -> int:
    """Write values at their paths under a node, each replaced whole, all or none; ``None`` removes.

    Returns:
        How often it was tried again.

    Raises:
        PushError: If the database does not answer or refuses; the message says what to do.
    """
    url = database.node_url(node)
    try:
        answer = session.patch(
            url,
            params={"print": "silent"},
            data=orjson.dumps(changes),
            headers={"Content-Type": "application/json"},
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise PushError(f"{url} does not answer: {_reason(error)}") from None
    if not 200 <= answer.status_code < 300:
        raise PushError(f"{url} refuses the push ({answer.status_code}): {_remedy(answer.status_code)}")
    return len(answer.raw.retries.history)


def _mount(session: requests.Session, retry: Retry | int) -> None:
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))


def _remedy(status: int) -> str:
    if status in TRIED_AGAIN:
        return f"{ATTEMPTS} times in a row it was overloaded or down; push again later, what arrived is not sent again"
    return _REMEDIES.get(status, "is the URL that of a Realtime Database?")


def _reason(error: requests.RequestException) -> str:
    """What kept a request from being answered, without the objects that the libraries show."""
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return str(cause).rpartition(": ")[2] or type(cause).__name__


class _Patience(Retry):
    """Exponential back-off with jitter; a server's ``Retry-After`` goes before, up to a minute."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds that the server asks to wait."""
        try:
            asked = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if asked is None else min(asked, LONGEST_WAIT_S)


class _Bearer(AuthBase):
    """An access token of a service account on each request, renewed when it is about to expire."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._credentials = _read_key(key_file)
        self._token_session = requests.Session()
        _mount(self._token_session, ATTEMPTS - 1)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._credentials.valid:
            self._renew()
        request.headers["Authorization"] = f"Bearer {self._credentials.token}"
        return request

    def _renew(self) -> None:
        who = f"{self._credentials.service_account_email} (key file {self._key_file})"
        try:
            self._credentials.refresh(Request(self._token_session))
        except TransportError:
            raise PushError(f"no access token for {who}: the token server that the key names does not answer") from None
        except GoogleAuthError as error:
            code = re.match(r"\w+", str(error.args[0] if error.args else ""))  # no more of it: it may quote the request
            raise PushError(
                f"no access token for {who}: the token server says {code[0] if code else 'no'}; is the key revoked, or "
                "this machine's clock wrong?"
            ) from None


def _read_key(key_file: Path) -> Any:
    if "{" in str(key_file) or "PRIVATE KEY" in str(key_file):
        raise PushError("--service-account and FIREBASE_CREDENTIALS take the path of a key file, not its contents")
    try:
        return Credentials.from_service_account_file(str(key_file.expanduser()), scopes=SCOPES)
    except OSError as error:
        raise PushError(f"key file {key_file}: {error.strerror}; {_HOW_TO_GET_A_KEY}") from None
    except (ValueError, TypeError, AttributeError, GoogleAuthError):
        # The library's words may quote the key.
        raise PushError(
            f"key file {key_file} is no service account's key (JSON with client_email, private_key and token_uri): "
            f"{_HOW_TO_GET_A_KEY}"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
