"""Plain questions to an MLflow server, asked without its client, whose import takes seconds.

Who asks is said as that client says it: by user and password in the server's address, else by the variables of the
environment that belong to MLflow, as ``JAVA_HOME`` does to Java.
"""

from __future__ import annotations

import os
from base64 import b64encode
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.error import URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from http.client import HTTPResponse

NOT_ANSWERED: Final = (URLError, HTTPException, OSError, ValueError)
"""What is raised where nobody answers, or with a refusal, or the address is none."""


def ask_server(address: str, path: str, timeout_s: float = 5.0) -> HTTPResponse:
    """Ask a tracking server.

    Args:
        address: ``http(s)://…``; may hold a user and a password.
        path: What is asked for, such as ``/health``.
        timeout_s: How long to wait.

    Raises:
        URLError, HTTPException, OSError, ValueError: If it does not answer, or refuses; see ``NOT_ANSWERED``.
    """
    parts = urlsplit(address.rstrip("/") + path)
    request = Request(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))  # noqa: S310 - the user's own
    if login := _login(parts.username, parts.password):
        request.add_unredirected_header("Authorization", login)  # which no other server learns
    answer: HTTPResponse = urlopen(request, timeout=timeout_s)  # noqa: S310
    return answer


def _login(user: str | None, password: str | None) -> str | None:
    if user is None:
        if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
            return f"Bearer {token}"
        pair = f"{os.environ.get('MLFLOW_TRACKING_USERNAME', '')}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
    else:
        pair = f"{unquote(user)}:{unquote(password or '')}"
    if pair == ":":
        return None
    return f"Basic {b64encode(pair.encode()).decode()}"
