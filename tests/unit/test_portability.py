"""Nothing is called that only Linux has, and every package that is installed comes for Apple silicon, too."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker

REPO = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("analysis", "benchmarks", "conf", "docs", "infra", "jobs", "medallion", "ml", "physics", "producers"),
    *("serving", "slipstream", "streaming"),
)
FILES = [path for folder in FOLDERS for path in sorted((REPO / folder).rglob("*.py"))]
APPLE = {
    "sys_platform": "darwin",
    "platform_system": "Darwin",
    "platform_machine": "arm64",
    "os_name": "posix",
    "python_version": "3.11",
    "python_full_version": "3.11.9",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}

# From the Availability notes of Python's manual, and of psutil's.
LINUX_ONLY = re.compile(
    r"""os\.(sched_\w+|posix_fad\w+|posix_fallocate|memfd_\w+|MFD_\w+|eventfd\w*|EFD_\w+|pidfd_\w+|getrandom|GRND_\w+
        |copy_file_range|splice|SPLICE_\w+|(get|set|list|remove)xattr|XATTR_\w+|[gs]etres[ug]id|unshare|setns|CLONE_\w+
        |timerfd_\w+|TFD_\w+|O_(DIRECT|TMPFILE|PATH|LARGEFILE|NOATIME|RSYNC)|preadv2?|pwritev2?|RWF_\w+|fdatasync|pipe2)
      |select\.(epoll|EPOLL\w+)
      |signal\.(SIGPOLL|SIGPWR|SIGSTKFLT|SIGRT\w+|SIGCLD|sigtimedwait|sigwaitinfo)
      |time\.(CLOCK_BOOTTIME|CLOCK_TAI|pthread_getcpuclockid|clock_settime\w*)
      |socket\.(AF_(NETLINK|PACKET|ALG|VSOCK|CAN|TIPC|QIPCRTR)|SO_(BINDTODEVICE|REUSEPORT_LB|MARK)|SOCK_(CLOEXEC|NONBLOCK)
        |TCP_(USER_TIMEOUT|QUICKACK|DEFER_ACCEPT|CORK))
      |resource\.(prlimit|RLIMIT_(MSGQUEUE|NICE|RTPRIO|RTTIME|SIGPENDING)|RUSAGE_THREAD)
      |fcntl\.F_(SETPIPE_SZ|GETPIPE_SZ|ADD_SEALS|GET_SEALS|NOTIFY|SETSIG|GETSIG|[GS]ETLEASE|OFD_\w+)
      |mmap\.(MAP_POPULATE|MADV_(DONTFORK|HUGEPAGE|DONTDUMP|REMOVE|SOFT_OFFLINE)\w*)
      |\w+\.(cpu_affinity|rlimit|ionice|io_counters|cpu_num|memory_maps|sensors_temperatures|sensors_fans)
      |(ctypes|cdll|CDLL)\.?.*libc\.so""",
    re.VERBOSE,
)
LINUX_PATHS = re.compile(r"^/(proc|sys|dev/shm|run|etc|usr/lib/x86)\b")
GUARDED = {
    "benchmarks/costs.py: process.io_counters": "not asked elsewhere: the cost is left out",
    "benchmarks/machine.py: /proc/cpuinfo": "looked at where it is there; elsewhere platform.processor() tells",
}
UNPORTABLE_DATES = re.compile(r"%(-\w|#\w|[FTDsPkl])")


def dotted(node: ast.AST) -> str:
    """``os.path.join`` of an attribute, and nothing of another node."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}" if dotted(node.value) else f"_.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def names_used(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module uses, also those that it imports by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield dotted(node)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)


def date_formats(tree: ast.AST) -> Iterator[str]:
    """Formats of dates: what stands behind the colon in braces, and what ``strftime`` is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            yield "".join(str(part.value) for part in ast.walk(node.format_spec) if isinstance(part, ast.Constant))
        if isinstance(node, ast.Call) and dotted(node.func).endswith("strftime"):
            yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and each.value)


def findings(text: str) -> list[str]:
    """What of a module only works on Linux."""
    tree = ast.parse(text)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [name for name in names_used(tree) if LINUX_ONLY.fullmatch(name)]
    found += [text for text in texts if LINUX_PATHS.match(text)]
    found += [text for text in date_formats(tree) if isinstance(text, str) and UNPORTABLE_DATES.search(text)]
    return found


def test_nothing_is_called_that_only_linux_has() -> None:
    assert len(FILES) > 400
    found = {
        f"{path.relative_to(REPO).as_posix()}: {each}"
        for path in FILES
        for each in findings(path.read_text(encoding="utf-8"))
    }
    assert found == set(GUARDED)


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.sched_getaffinity(0)",
        "from os import sched_getaffinity",
        "import os\nos.open('x', os.O_RDWR | os.O_DIRECT)",
        "open('/proc/meminfo')",
        "import psutil\npsutil.Process().cpu_affinity()",
        "import signal\nsignal.sigtimedwait([], 1)",
        "import select\nselect.epoll()",
        "now = 1\nprint(f'{now:%-d %B}')",
        "import time\ntime.strftime('%F')",
    ],
)
def test_such_a_call_would_be_found(text: str) -> None:
    assert findings(text)


def test_only_processes_of_the_local_stack_are_posix() -> None:
    posix = re.compile(r"os\.(get[eu]*[ug]id|[gs]etsid|killpg|fork|sysconf|umask|chown|mkfifo)|signal\.SIGKILL")
    used = {
        path.relative_to(REPO).as_posix()
        for path in FILES
        if any(posix.fullmatch(name) for name in names_used(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert used <= {"infra/local/process.py", "infra/local/service.py"}


def test_no_two_files_differ_in_case_alone() -> None:
    said = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=False).stdout
    listed = said.splitlines()
    if len(listed) < 100:
        pytest.skip("not a checkout")
    assert len({name.casefold() for name in listed}) == len(listed)


def installed(packages: dict[str, Any]) -> set[str]:
    """Packages that the lock installs on Apple silicon, with all extras and what development needs."""
    wanted, waiting = set(), ["slipstream-lake"]
    while waiting:
        package = packages[name := waiting.pop()]
        wanted.add(name)
        groups = [*package.get("optional-dependencies", {}).values(), *package.get("dev-dependencies", {}).values()]
        for needed in [*package.get("dependencies", []), *(each for group in groups for each in group)]:
            if "marker" not in needed or Marker(needed["marker"]).evaluate(APPLE):
                waiting += {needed["name"]} - wanted
    return wanted


def test_every_package_comes_for_apple_silicon() -> None:
    lock = tomllib.loads((REPO / "uv.lock").read_text(encoding="utf-8"))
    packages = {package["name"]: package for package in lock["package"]}
    wanted = installed(packages)
    assert {"torch", "pyspark", "duckdb", "confluent-kafka", "ruff"} <= wanted
    assert not any(name.startswith("nvidia-") for name in wanted)
    missing = []
    for name in sorted(wanted - {"slipstream-lake"}):
        files = [wheel["url"].rpartition("/")[2] for wheel in packages[name].get("wheels", [])]
        fits = re.compile(r"-any\.whl$|macosx_\d+_\d+_(arm64|universal2)\.whl$")
        if not any(fits.search(file) for file in files):
            missing.append(name)
    assert missing == ["pyspark"], "built from its source, which is Python"
