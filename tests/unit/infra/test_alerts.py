"""Alerts reach a real command and a real server, show no secret, and a hook that fails is said and stops nothing."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conf.errors import InputError, check_input
from conf.settings import AppConfig
from infra import alerts
from infra.alerts import Alert, describe_quarantine, send_alert


@dataclass
class Server:
    """What a server was sent, and what it answers."""

    url: str = ""
    answer: int = 204
    got: list[tuple[str, str, Any]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    kept = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(kept.answer)
            if kept.answer == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - what follows a redirect

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        kept.url = f"http://127.0.0.1:{running.server_port}/hook/s3cret?token=t0ken"
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield kept
        running.shutdown()
        thread.join()


@pytest.fixture
def alert() -> Alert:
    return Alert(
        alert="quarantine", message="too many", lake="/lake", job="silver", units=10, quarantined=6, limit_pct=5
    )


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "slipstream")


def settings_of(home: AppConfig, **given: str) -> AppConfig:
    return AppConfig(slipstream_home=home.slipstream_home, _env_file=None, **given)  # type: ignore[arg-type]


def script(folder: Path, text: str) -> str:
    path = folder / "hook.py"
    path.write_text(text)
    return f'"{sys.executable}" "{path}" --password s3cret'


def test_both_are_given_what_happened_as_json(
    home: AppConfig, tmp_path: Path, server: Server, alert: Alert, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out.json"
    command = script(tmp_path, f"import pathlib, sys\npathlib.Path({str(out)!r}).write_text(sys.stdin.read())")
    settings = settings_of(home, alert_command=command, alert_url=server.url)
    assert send_alert(settings, alert)
    ((path, content_type, sent),) = server.got
    assert (path, content_type) == ("/hook/s3cret?token=t0ken", "application/json")
    assert json.loads(out.read_text()) == sent == json.loads(alert.model_dump_json())
    assert (sent["alert"], sent["message"], sent["job"]) == ("quarantine", "too many", "silver")
    assert (sent["units"], sent["quarantined"], sent["limit_pct"], sent["run_id"]) == (10, 6, 5.0, None)
    assert caplog.messages == ["too many"]


def test_without_hooks_it_is_logged(home: AppConfig, alert: Alert, caplog: pytest.LogCaptureFixture) -> None:
    assert send_alert(settings_of(home), alert)
    assert caplog.messages == ["too many"]


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_a_server_that_does_not_take_it_is_named_and_the_command_is_called_all_the_same(
    home: AppConfig, tmp_path: Path, server: Server, alert: Alert, answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer, out = answer, tmp_path / "out"
    command = script(tmp_path, f"open({str(out)!r}, 'w')")
    assert not send_alert(settings_of(home, alert_command=command, alert_url=server.url), alert)
    assert out.exists()
    assert len(server.got) == 1, "no redirect is followed"
    assert caplog.messages[1:] == [f"the alert was not handed on: ALERT_URL (127.0.0.1) answered {answer}"]


def test_what_cannot_be_called_is_said_without_a_secret(
    home: AppConfig,
    tmp_path: Path,
    alert: Alert,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails = script(tmp_path, "import sys\nprint('first', file=sys.stderr)\nsys.exit('no mailbox')")
    nobody = "http://user:s3cret@127.0.0.1:1/t0ken"
    assert not send_alert(settings_of(home, alert_command=fails, alert_url=nobody), alert)
    assert not send_alert(settings_of(home, alert_command="nowhere-to-be-found --token t0ken"), alert)
    monkeypatch.setattr(alerts, "ANSWER_TIMEOUT_S", 0.2)
    sleeps = script(tmp_path, "import time\ntime.sleep(60)")
    assert not send_alert(settings_of(home, alert_command=sleeps), alert)
    said = [text for text in caplog.messages if text != "too many"]
    name = f"ALERT_COMMAND ({Path(sys.executable).name})"
    assert said[0] == f"the alert was not handed on: {name} ended with exit code 1: no mailbox"
    assert "ALERT_URL (127.0.0.1) could not be reached: " in said[1]
    assert said[2].endswith("ALERT_COMMAND (nowhere-to-be-found) could not be started: No such file or directory")
    assert said[3].endswith(f"{name} took longer than 0.2 s")
    assert not [text for text in said if "s3cret" in text or "t0ken" in text]


def test_a_server_that_is_silent_is_not_waited_for(
    home: AppConfig, alert: Alert, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(alerts, "ANSWER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert not send_alert(settings_of(home, alert_url=url), alert)
    assert "could not be reached: " in caplog.messages[1]


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("alert_url", "ftp://host/s3cret", "is not of the form https://host/path"),
        ("alert_url", "s3cret", "is not of the form https://host/path"),
        ("alert_command", "mail 's3cret", "No closing quotation"),
        ("alert_quarantine_pct", "101", "less than or equal to 100"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_not_shown(name: str, value: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong) as refused, check_input():
        AppConfig(_env_file=None, **{name: value})  # type: ignore[arg-type]
    assert name in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_settings_do_not_show_what_is_called(home: AppConfig) -> None:
    settings = settings_of(home, alert_command="mail s3cret", alert_url="https://host/s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.model_dump(mode="json")), "as ops.job_runs keeps them"
    assert settings_of(home, alert_command="", alert_url="").alert_url is None


def test_a_share_is_told_from_the_limit_on() -> None:
    assert describe_quarantine("silver", 0, 0, 0.0) is None
    assert describe_quarantine("silver", 1_000, 50, 5.0) is None, "it is within"
    assert describe_quarantine("silver", 10_000, 501, 5.0) == (
        "silver: 501 of 10,000 units (5.01 %) were quarantined, more than ALERT_QUARANTINE_PCT allows (5 %); "
        "`slipstream quality report` says why"
    )
    assert describe_quarantine("silver", 10, 1, 0.0) is not None
