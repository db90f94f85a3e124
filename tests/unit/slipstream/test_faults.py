"""In every command: what the user can mend is one line, a fault of ours a traceback on the terminal and in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

from conf.errors import AlertError, InputError, SlipstreamError
from infra.local.job_log import close_logs, log_path
from slipstream.cli import app
from slipstream.logs import keep_log

COMMAND = get_command(app)


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that does something, by the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, each in below.items():
        yield from _leaves(each, (*path, name))


LEAVES = dict(_leaves(COMMAND))


def failed_zip() -> None:
    list(zip([1, 2], [3], strict=True))


def wrong_shape() -> None:
    np.zeros(3) + np.zeros(4)


def missing_key() -> None:
    {"speed_kmh": 1.0}["speed_mps"]


FAULTS = {
    failed_zip: "ValueError: zip() argument 2 is shorter than argument 1",
    wrong_shape: "ValueError: operands could not be broadcast together",
    missing_key: "KeyError: 'speed_mps'",
}


@pytest.fixture
def call(lake_home, monkeypatch, capsys) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Call a command whose body is another; returns its exit code, stdout and stderr."""

    def call(path: tuple[str, ...], body: Callable[[], None]) -> tuple[int, str, str]:
        monkeypatch.setattr(LEAVES[path], "params", [])
        monkeypatch.setattr(LEAVES[path], "callback", body)
        with pytest.raises(SystemExit) as ended:
            COMMAND.main([*path], prog_name="slipstream")
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    close_logs()
    yield call
    close_logs()


def test_the_commands_are_found() -> None:
    assert {("tables",), ("produce", "simulate"), ("karma", "train")} <= LEAVES.keys()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
@pytest.mark.parametrize("body", FAULTS, ids=lambda body: body.__name__)
def test_a_fault_of_ours_keeps_its_traceback(call, path, body) -> None:
    code, out, err = call(path, body)
    assert code == 1
    assert not out
    log = log_path()
    assert err.splitlines()[-1] == f"this is a fault of Slipstream's, not of yours; the log has it in full: {log}"
    for text in (err, log.read_text(encoding="utf-8")):
        assert "Traceback (most recent call last)" in text
        assert f"in {body.__name__}" in text
        assert FAULTS[body] in text


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_what_the_user_can_mend_is_one_line(call, path) -> None:
    def refuse() -> None:
        raise SlipstreamError("laps.csv, row 3: no time; leave the row out")

    assert call(path, refuse) == (1, "", "laps.csv, row 3: no time; leave the row out\n")


def test_an_alert_has_an_exit_code_of_its_own(call) -> None:
    def find() -> None:
        raise AlertError("silver: half of it was quarantined")

    assert call(("run",), find) == (3, "", "silver: half of it was quarantined\n")


def test_a_command_that_keeps_a_log_has_it_there(call) -> None:
    @keep_log("train-karma")
    def refuse() -> None:
        raise InputError("no laps to learn from: simulate some")

    call(("train", "karma"), refuse)
    log = log_path()
    assert log.name == "train-karma.log"
    said = log.read_text(encoding="utf-8")
    assert said.endswith("ERROR no laps to learn from: simulate some\n")
    assert "Traceback" not in said
    call(("train", "karma"), keep_log("train-karma")(missing_key))
    assert log_path() == log
    assert "in missing_key" in log.read_text(encoding="utf-8")


def test_without_a_log_the_terminal_has_the_traceback(call, lake_home) -> None:
    lake_home.write_text("not a folder")
    code, _, err = call(("tables",), missing_key)
    assert code == 1
    assert "in missing_key" in err
    assert err.splitlines()[-1] == "this is a fault of Slipstream's, not of yours"


def test_a_closed_pipe_is_left_to_the_shell(call) -> None:
    def closed() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    assert call(("tables",), closed) == (1, "", "")
