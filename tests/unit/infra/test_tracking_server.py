"""What an MLflow server is told of who asks, and what nobody is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from conf.failures import summarize_error, user_message
from conf.settings import AppConfig
from infra.doctor import run_checks
from infra.local.mlflow_server import is_healthy
from infra.tracking_server import NOT_ANSWERED, ask_server
from ml.tracking import Tracker, TrackingError

USER = "car"
PASSWORD = "p@ss/w:rd"
QUOTED = "p%40ss%2Fw%3Ard"


@pytest.fixture
def protected() -> Iterator[str]:
    """Host and port of a server that lets in the user above alone, and sends others on from /away."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") in ("Basic Y2FyOnBAc3MvdzpyZA==", "Bearer token")
            self.send_response(302 if self.path == "/away" else 200 if known else 401)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/health")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_who_asks_is_said_as_mlflow_s_own_client_says_it(protected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_healthy(f"http://{USER}:{QUOTED}@{protected}")
    assert not is_healthy(f"http://{protected}")
    with pytest.raises(NOT_ANSWERED):
        ask_server(f"http://{USER}:{QUOTED}@{protected}", "/away")  # another host is not told
    with pytest.raises(TrackingError, match=r"answers with 401 Unauthorized.*MLFLOW_TRACKING_USERNAME"):
        Tracker(f"http://{USER}:wrong@{protected}")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    assert is_healthy(f"http://{protected}")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    assert is_healthy(f"http://{protected}")


@pytest.mark.parametrize(
    "address", ["http://car:hush@127.0.0.1:1", "http://car:hu@sh@[::1", "postgresql://car:hush@h/db"]
)
def test_no_password_of_an_address_is_shown(home: AppConfig, address: str) -> None:
    found = run_checks(home.model_copy(update={"mlflow_tracking_uri": address}))
    (mlflow,) = (check for check in found if check.name == "MLflow")
    assert "://car:***@" in mlflow.detail
    assert "sh@" not in str(found)
    if address.startswith("http"):
        with pytest.raises(TrackingError) as refused:
            Tracker(address)
        assert "sh@" not in str(refused.value)
        assert "sh@" not in str(user_message(refused.value))
    assert "sh@" not in summarize_error(OSError(f"API request to {address}/api failed"))
