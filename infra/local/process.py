"""Background processes that outlive the command that started them, and the ports they hold."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conf.errors import SlipstreamError
from infra.local import ports

_LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp
_children: dict[int, subprocess.Popen[bytes]] = {}  # kept so that a child that ends is reaped, not left a zombie


class ProcessError(SlipstreamError):
    """A background process did not start; the message holds the end of its log."""


@dataclass(frozen=True)
class Process:
    """A process as it was when it was started.

    Attributes:
        pid: Process id; also the id of its process group and session, since it leads its own.
        started: When the kernel says it started. With it, a recycled pid is not mistaken for this process.
    """

    pid: int
    started: str


def spawn(command: Sequence[str], log: Path, cwd: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start a detached process: its own session, no terminal, both outputs appended to ``log``.

    Args:
        command: Program and arguments.
        log: Created with its folder if absent.
        cwd: Working folder of the process.
        env: Variables to add to those inherited.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
    _children[child.pid] = child
    return Process(child.pid, start_time(child.pid) or "gone")


def start_time(pid: int) -> str | None:
    """When a process started, in a form only fit for comparison; ``None`` if there is none or it has ended."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        return None
    if Path("/proc/self/stat").exists():
        fields = _stat(pid)
        return None if fields is None or fields[0] in "ZX" else fields[19]
    result = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


def is_alive(process: Process) -> bool:
    """Whether this very process still runs."""
    return start_time(process.pid) == process.started


def members(process: Process) -> list[int]:
    """The process ids of its session: itself and what it started. Only itself where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return [process.pid] if is_alive(process) else []
    if start_time(process.pid) not in (None, process.started):
        return []  # another process has the id now
    running = ((pid, _stat(pid)) for pid in _all_pids())
    return [pid for pid, stat in running if stat and stat[3] == str(process.pid) and stat[0] not in "ZX"]


def stop(process: Process, timeout_s: float = 20.0) -> None:
    """End a process and what it started: SIGTERM, then SIGKILL for what is left after ``timeout_s``."""
    for signal_number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        if not members(process):
            break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        wait_until(lambda: not members(process), patience_s)
    child = _children.pop(process.pid, None)
    if child is not None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5.0)


def wait_until(condition: Callable[[], bool], timeout_s: float, interval_s: float = 0.1) -> bool:
    """Poll ``condition``; returns whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval_s)
    return True


def wait_ready(name: str, process: Process, ready: Callable[[], bool], log: Path, timeout_s: float) -> None:
    """Wait until a started process is ready.

    Raises:
        ProcessError: If it ends or ``timeout_s`` passes first; it is stopped and the message ends with its log.
    """
    if wait_until(lambda: not is_alive(process) or ready(), timeout_s) and is_alive(process):
        return
    reason = f"was not ready after {timeout_s:.0f} s" if is_alive(process) else "ended while starting"
    stop(process)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise ProcessError(f"{name} {reason}. The end of {log}:\n{tail}")


def holds_port(process: Process, port: int) -> bool:
    """Whether a port is listened on by this process or one it started.

    An answer on the port alone proves nothing: an older server may hold it. On Linux the listening socket is looked
    up among the open files of the process; elsewhere there is no such table to read without further tools, so a plain
    connection has to do.
    """
    inodes = _listening_inodes(port)
    if inodes is None:
        return is_alive(process) and ports.answers(port)
    return any(link in inodes for pid in members(process) for link in _sockets(pid))


def _listening_inodes(port: int) -> set[str] | None:
    tables = [path for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists()]
    if not tables:
        return None
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port}


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):  # the process may end while it is looked at
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat after the command's name: state first, session fourth, start time twentieth."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
