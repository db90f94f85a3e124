"""Background processes that outlive the command that started them, and the ports they hold."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from conf.errors import SlipstreamError
from conf.failures import find_cause
from infra.local.files import make_private_folder

ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
"""States of a process that has ended and of which only the exit code is left."""


_STARTED: Final = "--- started"
"""Begins a line of a log from which on another run of the program writes."""


class ProcessError(SlipstreamError):
    """A background process did not start; the message says why, and where its log is."""


@dataclass(frozen=True)
class Process:
    """A process as it was when it was started.

    Attributes:
        pid: Process id; also the id of its process group and session, since it leads its own.
        started: When it started, as `start_time` says it. With it, a recycled pid is not mistaken for this process.
    """

    pid: int
    started: str


def spawn_process(
    command: Sequence[str], log: Path, cwd: Path, env: Mapping[str, str] | None = None, umask: int = -1
) -> Process:
    """Start a detached process: its own session, no terminal, both outputs appended to ``log``.

    Args:
        command: Program and arguments.
        log: Created with its folder if absent.
        cwd: Working folder of the process.
        env: Variables to add to those inherited.
        umask: What its files are not; that of this process if left out.
    """
    make_private_folder(log.parent)
    with log.open("ab") as output:
        output.write(f"{_STARTED} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC ---\n".encode())
        output.flush()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            umask=umask,
        )
    return Process(child.pid, process_start_time(child.pid) or "gone")


def process_start_time(pid: int) -> str | None:
    """When a process started, in a form only fit for comparison; ``None`` if there is none or it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() in ENDED:
            return None
        created_s = process.create_time()
    except psutil.NoSuchProcess:
        return None
    if not psutil.LINUX:
        return str(created_s)
    # Linux counts clock ticks from boot, and psutil adds the time of boot, which moves when the clock is set.
    return str(round((created_s - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")))


def is_alive(process: Process) -> bool:
    """Whether this very process still runs."""
    return process_start_time(process.pid) == process.started


def session_pids(process: Process) -> list[psutil.Process]:
    """The running processes of its session: itself and what it started, also where it has ended before them."""
    if process_start_time(process.pid) not in (None, process.started):
        return []  # another process has the id now
    running = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.NoSuchProcess):  # it may end while it is looked at
            if os.getsid(pid) == process.pid and (member := psutil.Process(pid)).status() not in ENDED:
                running.append(member)
    return running


def stop_process(process: Process, timeout_s: float = 20.0) -> None:
    """End a process and what it started: SIGTERM, then SIGKILL for what is left after ``timeout_s``."""
    for end, patience_s in ((psutil.Process.terminate, timeout_s), (psutil.Process.kill, 5.0)):
        running = session_pids(process)
        for member in running:
            with suppress(psutil.NoSuchProcess):
                end(member)
        wait_until(lambda: not session_pids(process), patience_s)
        # Reaps those that this program started itself: a JVM's first thread may have ended a moment before the others.
        psutil.wait_procs(running, timeout=2.0)


def wait_until(condition: Callable[[], bool], timeout_s: float, interval_s: float = 0.1) -> bool:
    """Poll ``condition``; returns whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval_s)
    return True


def wait_until_ready(name: str, process: Process, ready: Callable[[], bool], log: Path, timeout_s: float) -> None:
    """Wait until a started process is ready.

    Raises:
        ProcessError: If it ends or ``timeout_s`` passes first; it is stopped, and the message says why by its log.
    """
    if wait_until(lambda: not is_alive(process) or ready(), timeout_s) and is_alive(process):
        return
    reason = f"was not ready after {timeout_s:.0f} s" if is_alive(process) else "ended while starting"
    stop_process(process)
    raise ProcessError(describe_failure(name, reason, log))


def describe_failure(name: str, reason: str, log: Path, begin: int = 0) -> str:
    """Three lines about a program that failed: what it did, why by its own words, and where its log is.

    Args:
        name: Of the program.
        reason: What it did, such as ``ended while starting``.
        log: Its log.
        begin: Byte from which on it wrote, where its log does not say so.
    """
    with log.open("rb") as written:
        written.seek(begin)
        text = written.read().decode(errors="replace")
    _, marked, latest = text.rpartition(_STARTED)
    said = latest.partition("\n")[2] if marked else text
    return f"{name} {reason}\ncause: {find_cause(said)}\nlog: {log}"


def holds_port(process: Process, port: int) -> bool:
    """Whether a port is listened on by this process or one it started.

    An answer on the port alone proves nothing: an older server may hold it.
    """
    return any(port in _listening_ports(member) for member in session_pids(process))


def _listening_ports(process: psutil.Process) -> set[int]:
    try:
        sockets = process.net_connections(kind="tcp")
    except psutil.Error:  # it may end while it is looked at
        return set()
    return {each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN}
