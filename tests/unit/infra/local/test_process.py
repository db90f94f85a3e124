import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infra.local import ports, process
from infra.local.process import Process, ProcessError

LISTEN = "import socket,sys,time; s=socket.create_server(('127.0.0.1',int(sys.argv[1]))); time.sleep(60)"
DEAF = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
PARENT = "import subprocess,sys,time; subprocess.Popen([sys.executable,'-c',*sys.argv[1:]]); time.sleep(60)"

Spawn = Callable[..., Process]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "it.log"


@pytest.fixture
def spawn(tmp_path: Path, log: Path) -> Iterator[Spawn]:
    started: list[Process] = []

    def run(code: str, *arguments: object) -> Process:
        started.append(process.spawn_process([sys.executable, "-c", code, *map(str, arguments)], log, cwd=tmp_path))
        return started[-1]

    yield run
    for each in started:
        process.stop_process(each, timeout_s=0.5)


def free_port() -> int:
    return ports.choose_port("test", "TEST_PORT", 23000 + os.getpid() % 2000, auto_port=True)


def test_a_process_leads_its_own_session_and_logs(spawn: Spawn, log: Path) -> None:
    started = spawn("print('hello', flush=True); import time; time.sleep(60)")
    assert process.wait_until(lambda: log.exists() and "hello" in log.read_text(), 10)
    assert process.is_alive(started)
    assert os.getsid(started.pid) == started.pid != os.getsid(0)


def test_an_ended_process_is_not_alive(spawn: Spawn) -> None:
    started = spawn("pass")
    assert process.wait_until(lambda: not process.is_alive(started), 10)
    assert process.session_pids(started) == []


def test_a_recycled_pid_is_not_mistaken_for_the_process(spawn: Spawn) -> None:
    started = spawn("import time; time.sleep(60)")
    earlier = replace(started, started="1")
    assert not process.is_alive(earlier)
    assert process.session_pids(earlier) == []
    process.stop_process(earlier)  # must not touch the one that has the pid now
    assert process.is_alive(started)


@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc")
def test_a_start_time_is_the_kernels_own_count_as_earlier_versions_recorded_it(spawn: Spawn) -> None:
    started = spawn("import time; time.sleep(60)")
    fields = Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()
    assert started.started == fields[19]


def test_a_start_time_does_not_move_when_the_clock_is_set(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    started = spawn("import time; time.sleep(60)")
    boot_s = psutil.boot_time() + 3600
    monkeypatch.setattr("psutil._psplatform.boot_time", lambda: boot_s)  # of which psutil makes both times
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_s)
    assert process.is_alive(started)


@pytest.mark.parametrize("marker", ["Sun Nov 29 13:36:37 2026", "gone", ""])
def test_a_record_in_another_form_is_stale_and_its_pid_is_left_alone(spawn: Spawn, marker: str) -> None:
    started = spawn("import time; time.sleep(60)")
    recorded = Process(started.pid, marker)
    assert not process.is_alive(recorded)
    process.stop_process(recorded)
    assert process.is_alive(started)


def test_a_port_is_known_to_be_held_by_its_process_only(spawn: Spawn) -> None:
    port = free_port()
    holder, other = spawn(LISTEN, port), spawn("import time; time.sleep(60)")
    assert process.wait_until(lambda: process.holds_port(holder, port), 10)
    assert not process.holds_port(other, port)
    assert not process.holds_port(holder, free_port())


def test_a_port_held_by_a_child_counts(spawn: Spawn) -> None:
    port = free_port()
    parent = spawn(PARENT, LISTEN, port)
    assert process.wait_until(lambda: process.holds_port(parent, port), 10)


def test_stop_ends_children_too_even_after_their_leader_was_killed(spawn: Spawn) -> None:
    port = free_port()
    parent = spawn(PARENT, LISTEN, port)
    assert process.wait_until(lambda: process.holds_port(parent, port), 10)
    os.kill(parent.pid, signal.SIGKILL)
    assert process.wait_until(lambda: not process.is_alive(parent), 10)
    assert ports.accepts_connections(port)
    process.stop_process(parent)
    assert not ports.accepts_connections(port)


def test_stop_kills_what_ignores_the_request(spawn: Spawn, log: Path) -> None:
    started = spawn(DEAF)
    assert process.wait_until(lambda: "deaf" in log.read_text(), 10)
    process.stop_process(started, timeout_s=0.5)
    assert not psutil.pid_exists(started.pid)


def test_a_process_that_ends_while_starting_shows_its_log(spawn: Spawn, log: Path) -> None:
    started = spawn("import sys; sys.exit('no such database')")
    with pytest.raises(ProcessError, match=r"(?s)MLflow ended while starting.*no such database"):
        process.wait_until_ready("MLflow", started, lambda: False, log, timeout_s=10)


def test_why_is_read_from_what_the_program_said_this_time(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("Error: of an earlier run\n")
    begin = log.stat().st_size
    with log.open("a") as written:
        written.write("Invalid maximum heap size: -Xmx4x\nError: Could not create the Java Virtual Machine.\n")
    said = process.describe_failure("Spark", "did not start", log, begin)
    assert said == f"Spark did not start\ncause: Invalid maximum heap size: -Xmx4x\nlog: {log}"
    process.stop_process(process.spawn_process([sys.executable, "-c", ""], log, tmp_path), timeout_s=0.1)
    assert process.describe_failure("Spark", "ended", log) == f"Spark ended\ncause: it said nothing\nlog: {log}"


def test_a_process_that_is_never_ready_is_stopped(spawn: Spawn, log: Path) -> None:
    started = spawn("import time; time.sleep(60)")
    with pytest.raises(ProcessError, match="was not ready after 1 s"):
        process.wait_until_ready("Kafka", started, lambda: False, log, timeout_s=1)
    assert not process.is_alive(started)


def test_a_process_of_another_parent_is_seen(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from infra.local import process;"
        "sleep=[sys.executable,'-c','import time; time.sleep(60)'];"
        "p=process.spawn_process(sleep,Path('x.log').absolute(),Path.cwd());"
        "print(p.pid, p.started)"
    )
    root = Path(process.__file__).parents[2]
    output = subprocess.check_output(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(root)}, text=True
    )
    pid, started = output.split()
    survivor = Process(int(pid), started)
    assert process.is_alive(survivor)
    process.stop_process(survivor)
    assert not process.is_alive(survivor)
