"""The jars that Spark and the broker need: resolved once with pyspark's own Ivy, pinned by checksum.

``infra/ivy/ivy.xml`` says what is wanted, ``infra/ivy/jars.lock`` what it must be, byte for byte (the format of
``sha256sum``). After a change to the former, ``python -m infra.local.jars`` writes the latter anew.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from filelock import lock_descriptor
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conf.errors import InputError, SlipstreamError
from conf.plain_console import PlainConsole
from conf.settings import AppConfig
from infra.local.files import read_json, write_json
from infra.local.java import find_java

SETS = ("spark", "kafka")
IVY_DIR = Path(__file__).parents[1] / "ivy"
LOCK_FILE = IVY_DIR / "jars.lock"
_STAMP = ".verified.json"


class JarError(SlipstreamError):
    """Jars could not be resolved or are not what the lock says; the message names the remedy."""


@dataclass(frozen=True)
class JarSets:
    """Verified jars, one list per set, in the order of their names."""

    spark: list[Path]
    kafka: list[Path]


def read_lock(path: Path = LOCK_FILE) -> dict[str, dict[str, str]]:
    """Read the lock as ``{set: {file name: sha256}}``.

    Raises:
        InputError: If a line is not ``<64 hex digits>  <set>/<file>.jar``.
    """
    lock: dict[str, dict[str, str]] = {name: {} for name in SETS}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        checksum, _, file = line.partition("  ")
        jar_set, _, name = file.partition("/")
        if len(checksum) != 64 or jar_set not in lock or not name.endswith(".jar"):
            raise InputError(f"{path}, line {number}: expected '<sha256>  <set>/<file>.jar', found {line!r}")
        lock[jar_set][name] = checksum
    return lock


def pyspark_jars_dir() -> Path:
    """Folder of the jars inside the ``pyspark`` package, found without importing it.

    Raises:
        JarError: If pyspark is not installed.
    """
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise JarError("pyspark is not installed. Install the 'spark' extra: pip install 'slipstream-lake[spark]'.")
    return Path(spec.origin).parent / "jars"


def ensure_jars(settings: AppConfig, console: PlainConsole | None = None) -> JarSets:
    """Return the jars, resolving and verifying them first where they are not in place yet.

    Later calls only compare names and sizes with what was verified at installation; `verify_jars` reads every byte.
    A set appears in its folder whole or not at all, and two processes at once resolve it once.

    Args:
        settings: ``jars_dir`` is where the sets live, ``<jars_dir>/spark`` and ``<jars_dir>/kafka``.
        console: Where the progress bar goes; none by default.

    Raises:
        JarError: If the registry cannot be reached or a checksum differs.
        infra.local.java.JavaMissingError: If jars must be resolved and there is no Java.
    """
    lock, target = read_lock(), settings.jars_dir
    if any(not _is_installed(target / name, lock[name]) for name in SETS):
        target.mkdir(parents=True, exist_ok=True)
        with (target / ".lock").open("w") as lock_file:
            lock_descriptor(lock_file.fileno())
            missing = [name for name in SETS if not _is_installed(target / name, lock[name])]
            if missing:
                _install(missing, lock, target, console, lock_file.fileno())
    return JarSets(*(sorted(target / name / file for file in lock[name]) for name in SETS))


def verify_jars(jars_dir: Path) -> list[str]:
    """Check every byte of the installed jars against the lock; returns one line per fault, empty when all is well."""
    faults = []
    for jar_set, files in read_lock().items():
        for name, checksum in files.items():
            path = jars_dir / jar_set / name
            if not path.is_file():
                faults.append(f"{jar_set}/{name} is missing")
            elif sha256_of(path) != checksum:
                faults.append(f"{jar_set}/{name} is not the pinned file")
    return faults


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _is_installed(folder: Path, files: dict[str, str]) -> bool:
    stamp = read_json(folder / _STAMP)
    if stamp is None or stamp["lock"] != files:
        return False
    return all((folder / name).is_file() and (folder / name).stat().st_size == stamp["sizes"][name] for name in files)


def _install(
    sets: list[str], lock: dict[str, dict[str, str]], target: Path, console: PlainConsole | None, held: int
) -> None:
    """Resolve into a folder beside the target, verify, and move each set into place in one rename."""
    for leftover in target.glob(".partial-*"):  # of a run that was killed; the lock is ours, so nobody writes there
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=target) as folder:
        scratch = Path(folder)
        with _progress(console, sum(len(lock[name]) for name in sets)) as report:
            resolve_jars(sets, scratch, report, held)
        for name in sets:
            _verify_checksums(scratch / name, lock[name])
            sizes = {file: (scratch / name / file).stat().st_size for file in lock[name]}
            write_json(scratch / name / _STAMP, {"lock": lock[name], "sizes": sizes})
        for name in sets:
            if (target / name).exists():
                (target / name).replace(scratch / f"replaced-{name}")
            (scratch / name).replace(target / name)


def _verify_checksums(folder: Path, files: dict[str, str]) -> None:
    arrived = {path.name for path in folder.glob("*.jar")}
    wrong = [name for name in sorted(arrived & files.keys()) if sha256_of(folder / name) != files[name]]
    for what, names in (
        ("not pinned in the lock", sorted(arrived - files.keys())),
        ("missing", sorted(files.keys() - arrived)),
        ("not the pinned files (checksums differ)", wrong),
    ):
        if names:
            raise JarError(
                f"Jar set '{folder.name}' was refused, nothing was installed: {', '.join(names)}: {what}. "
                "Try again; if it stays, a proxy or mirror on the way serves other files than Maven Central."
            )


def resolve_jars(sets: list[str], folder: Path, report: Callable[[str], None], *keep_open: int) -> None:
    """Download jar sets with Ivy into ``<folder>/<set>/``.

    Args:
        sets: Names out of `SETS`.
        folder: Must exist.
        report: Called with each line that Ivy prints.
        keep_open: File descriptors that Ivy inherits, such as that of a lock on the folder: an Ivy whose parent was
            killed goes on writing for a while.

    Raises:
        JarError: If Ivy fails; the message holds its own reasons.
    """
    ivy = next(iter(sorted(pyspark_jars_dir().glob("ivy-*.jar"))), None)
    if ivy is None:
        raise JarError(
            f"{pyspark_jars_dir()} holds no Ivy jar. Install it anew: pip install --force-reinstall pyspark."
        )
    cache = folder / "cache"
    command = [
        *(str(find_java().executable), f"-Dslipstream.ivy.cache={cache}", "-jar", str(ivy), "-cache", str(cache)),
        *("-settings", str(IVY_DIR / "ivysettings.xml"), "-ivy", str(IVY_DIR / "ivy.xml")),
        *("-retrieve", f"{folder}/[conf]/[artifact]-[revision].[ext]", "-types", "jar", "bundle", "-confs", *sets),
    ]
    lines = []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, pass_fds=keep_open) as process:
        for line in process.stdout or ():
            lines.append(line.strip())
            report(line.strip())
    if process.returncode != 0:
        # One line of the most telling kind, since one cause fails every jar after it.
        kinds = ("xception", "FAILED", "not found")
        reason = next((line for kind in kinds for line in lines if kind in line), " ".join(lines[-3:]))
        raise JarError(
            f"Jars could not be resolved: {reason}. "
            "Is Maven Central reachable from here? On a machine without network, copy the jars folder from one that "
            "has it and point SLIPSTREAM_JARS at it."
        )


@contextmanager
def _progress(console: PlainConsole | None, total: int) -> Iterator[Callable[[str], None]]:
    """A bar over a known number of files, fed with Ivy's lines; without a console, none.

    Ivy first reads the descriptions of all modules, which takes longer than the jars: the bar pulses until then.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=console is None) as progress:
        reading = progress.add_task("Reading module descriptions", total=None)
        jars = progress.add_task("Downloading jars", total=total, visible=False)

        def report(line: str) -> None:
            if line.startswith("found "):
                progress.advance(reading)
            elif "[SUCCESSFUL ]" in line:
                progress.update(reading, visible=False)
                progress.update(jars, advance=1, visible=True)

        yield report


def write_lock(path: Path = LOCK_FILE) -> None:
    """Resolve all sets and pin what arrived; review the difference before committing it."""
    with tempfile.TemporaryDirectory() as scratch:
        resolve_jars(list(SETS), Path(scratch), print)
        jars = [jar for name in SETS for jar in sorted((Path(scratch) / name).glob("*.jar"))]
        path.write_text("".join(f"{sha256_of(jar)}  {jar.parent.name}/{jar.name}\n" for jar in jars))


if __name__ == "__main__":
    write_lock()
