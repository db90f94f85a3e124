"""Whether the files of a lake are there and whole: tables' logs, data files, streams' checkpoints.

What is looked at always costs next to nothing: the log of a table is replayed, each file that it names must be there,
as long as the log says and end as Parquet does, and what a stream notes must be readable. ``deep`` reads every file.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from conf.lake import table_uri
from conf.plain_text import one_line
from conf.settings import AppConfig
from infra.doctor import Finding
from serving.lake.checksums import DamagedFileError, FileRead, compare_with_sidecar, read_whole
from serving.lake.store import command_that_fills, existing_tables

_MOST: Final = 5
"""Files of a table or a stream that are named; the rest are counted."""
_MAGIC: Final = b"PAR1"
_SETTLED_S: Final = 60.0
"""Age from which on a file that no table names yet is looked at: a stream may be writing it."""
_NO_JSON: Final = re.compile(r"v\d+|-|\s*")
"""Lines of a stream's notes that are none: their version, and a source without an offset."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Fault:
    """A file that is not as it was written."""

    file: str
    why: str


@dataclass(frozen=True)
class DataFile:
    """A file that a table's newest version is made of, as its log has it."""

    path: Path
    size: int
    rows: int | None


def check_lake_files(
    settings: AppConfig, *, deep: bool = False, progress: Progress = lambda _name, _done, _total: None
) -> Iterator[Finding]:
    """Look at all files of a lake in a folder; what is not whole is named, with what to do.

    Args:
        settings: Say where the lake is.
        deep: Whether to read every file and to compare it with its checksums.
        progress: Called in a deep look with a table's name, how many of its files were read, and how many there are.
    """
    if "://" in settings.lake_root:
        yield Finding("files", "ok", f"{settings.lake_root} is an object store, which keeps checksums of its own")
        return
    names = existing_tables(settings)
    files, read, found_faults = 0, [], False
    for name in names:
        live, faults = _check_table(name, settings)
        files += len(live)
        if deep:
            deep_read, deeper = _read_table(name, settings, live, {fault.file for fault in faults}, progress)
            read += deep_read
            faults += deeper
        found_faults = found_faults or bool(faults)
        yield from _findings(name, faults, _table_remedy(name, settings))
    for folder in sorted(Path(settings.checkpoints_dir).glob("*/")):
        faults = _check_checkpoint(folder, deep=deep)
        found_faults = found_faults or bool(faults)
        yield from _findings(f"stream {folder.name}", faults, _checkpoint_remedy(folder))
    if deep and read:
        yield _deep_summary(read)
    if names and not found_faults:
        yield Finding(
            "files", "ok", f"{files:,} data files of {len(names)} tables are all there, with the size they had"
        )


def _check_table(name: str, settings: AppConfig) -> tuple[list[DataFile], list[Fault]]:
    """The live files of a table, and what is wrong with them or with its log."""
    folder = Path(table_uri(name, settings))
    log = folder / "_delta_log"
    faults = _check_commits(log)
    try:
        live = _live_files(folder)
    except (DeltaError, OSError, pa.ArrowException, ValueError) as error:
        faults = faults or _check_log_checkpoints(log) or _find_unreadable_commit(folder)
        return [], faults or [Fault(str(log), f"cannot be read: {one_line(error)}")]
    return live, [*faults, *(fault for file in live for fault in _check_data_file(file))]


def _live_files(folder: Path) -> list[DataFile]:
    adds: Any = pa.table(DeltaTable(folder).get_add_actions(flatten=True))
    columns = (adds.column(column).to_pylist() for column in ("path", "size_bytes", "num_records"))
    return [DataFile(_place(folder, path), size, rows) for path, size, rows in zip(*columns, strict=True)]


def _place(folder: Path, path: str) -> Path:
    """A data file's path; the log has it as a URL, and readers differ in whether they have decoded it."""
    as_read = folder / path
    return as_read if as_read.exists() else folder / unquote(path)


def _check_data_file(file: DataFile) -> Iterator[Fault]:
    try:
        size = file.path.stat().st_size
        if size != file.size:
            yield Fault(str(file.path), f"is torn: it has {size:,} bytes of {file.size:,}")
            return
        with file.path.open("rb") as data:
            begin = data.read(len(_MAGIC))
            data.seek(-len(_MAGIC), 2)
            if (begin, data.read()) != (_MAGIC, _MAGIC):
                yield Fault(str(file.path), "is overwritten: it does not begin and end as a Parquet file does")
    except OSError as error:
        yield Fault(str(file.path), _missing(error))


def _check_commits(log: Path) -> list[Fault]:
    """What is wrong with the commits of a table since its latest checkpoint: some readers pass over an empty one."""
    commits = {int(path.stem): path for path in log.glob("*.json") if path.stem.isdecimal()}
    checkpoints = (int(path.name.partition(".")[0]) for path in log.glob("*.checkpoint*.parquet"))
    first = max(checkpoints, default=-1) + 1
    notes = [*(path for version, path in sorted(commits.items()) if version >= first), *log.glob("_last_checkpoint")]
    faults = [Fault(str(path), why) for path in notes if (why := _json_fault(path))]
    faults += (Fault(str(path), why) for path in log.glob("_last_checkpoint") if (why := _hint_fault(path)))
    gaps = sorted(set(range(first, max(commits, default=-1) + 1)) - set(commits))
    return faults + [Fault(str(log / f"{version:020}.json"), "is missing") for version in gaps]


def _hint_fault(path: Path) -> str | None:
    """Why the note of a table's latest checkpoint misleads its readers; those that are no JSON are named already."""
    try:
        version = json.loads(path.read_text())["version"]
        return (
            None if any(path.parent.glob(f"{version:020}.checkpoint*.parquet")) else "names a checkpoint that is gone"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _find_unreadable_commit(folder: Path) -> list[Fault]:
    """The first commit of a table whose log is JSON and yet cannot be replayed."""
    for path in sorted((folder / "_delta_log").glob("*.json")):
        try:
            DeltaTable(folder, version=int(path.stem))
        except (DeltaError, OSError, ValueError) as error:
            return [Fault(str(path), f"cannot be read: {one_line(error)}")]
    return []


def _check_log_checkpoints(log: Path) -> list[Fault]:
    """Which of a table's checkpoints cannot be read."""
    faults = []
    for path in sorted(log.glob("*.checkpoint*.parquet")):
        try:
            pq.read_table(path, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            faults.append(Fault(str(path), f"cannot be read: {one_line(error)}"))
    return faults


def _read_table(
    name: str, settings: AppConfig, live: Sequence[DataFile], known: set[str], progress: Progress
) -> tuple[list[FileRead], list[Fault]]:
    """Read the live files of a table, and what of its other files has a checksum."""
    folder = Path(table_uri(name, settings))
    rows = {file.path: file.rows for file in live}
    others = (path for path in folder.rglob("*") if not path.name.startswith(".") and path not in rows)
    todo = [*rows, *sorted(path for path in others if path.is_file() and _is_settled(path))]
    read, faults = [], []
    for done, path in enumerate(todo, 1):
        if str(path) not in known:
            try:
                if path in rows:
                    read.append(read_whole(path, rows[path]))
                else:
                    compare_with_sidecar(path)
            except DamagedFileError as error:
                part = "" if path in rows or "_delta_log" in path.parts else " (of an earlier version, or of changes)"
                faults.append(Fault(str(path), f"is damaged{part}: {error}"))
            except OSError as error:
                faults.append(Fault(str(path), _missing(error)))
        progress(name, done, len(todo))
    return read, faults


def _is_settled(path: Path) -> bool:
    """Whether nobody is likely to be writing a file; those of a log appear whole."""
    return path.parent.name == "_delta_log" or time.time() - path.stat().st_mtime > _SETTLED_S


def _check_checkpoint(folder: Path, *, deep: bool) -> list[Fault]:
    """What of a stream's notes cannot be read."""
    faults = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        try:
            is_note = path.parent.name in ("offsets", "commits") or path.suffix == ".json" or path.name == "metadata"
            if is_note and (why := _json_fault(path)):
                faults.append(Fault(str(path), why))
            elif deep or is_note:
                compare_with_sidecar(path)
        except DamagedFileError as error:
            faults.append(Fault(str(path), f"is damaged: {error}"))
        except OSError as error:
            faults.append(Fault(str(path), _missing(error)))
    return faults


def _json_fault(path: Path) -> str | None:
    """Why a file that holds JSON, whole or in lines behind one with a version, is none."""
    try:
        text = path.read_text().lstrip("\0").strip()
    except UnicodeDecodeError:
        return "is damaged: it is not text"
    except OSError as error:
        return _missing(error)
    lines = [line for line in text.splitlines() if not _NO_JSON.fullmatch(line)]
    if not lines:
        return "is empty"
    try:
        found = [_parse_json(text)]
    except json.JSONDecodeError:
        try:
            found = [_parse_json(line) for line in lines]
        except json.JSONDecodeError as error:
            return f"is torn: it is not JSON ({error.msg} at character {error.pos})"
    return None if all(isinstance(each, dict) for each in found) else "is damaged: it holds something else than objects"


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        return None


def _deep_summary(read: Sequence[FileRead]) -> Finding:
    size, bare = sum(file.size for file in read), sum(not file.is_checked for file in read)
    detail = f"{len(read):,} data files, {size / 1e6:,.1f} MB, read whole and compared with their checksums"
    if bare:
        detail += f"; {bare:,} of them have none: they can be read, and a flipped bit in them could not be seen"
    return Finding("files read", "ok", detail)


def _findings(name: str, faults: Sequence[Fault], remedy: str) -> Iterator[Finding]:
    for k, fault in enumerate(faults[:_MOST]):
        last = k == min(len(faults), _MOST) - 1
        yield Finding(name, "fail", f"{fault.file} {fault.why}", remedy if last else "")
    if len(faults) > _MOST:
        yield Finding(name, "fail", f"{len(faults) - _MOST:,} more files are missing or damaged")


def _table_remedy(name: str, settings: AppConfig) -> str:
    """What makes a table whole again."""
    copy = "Put it back from a copy of the lake, with the file .NAME.crc beside it"
    layer, filled_by = name.partition(".")[0], command_that_fills(name)
    if layer == "bronze":
        return f"{copy}; where there is none, `slipstream reset bronze` and `slipstream run` read the topics again."
    if layer == "ops" or filled_by in ("slipstream stream silver", "slipstream stream gold", "slipstream run"):
        which = "gold" if layer == "gold" else "silver"
        return f"{copy}, or make it anew: `slipstream reset {which}`, then `slipstream run`."
    folder = table_uri(name, settings)
    return f"{copy}, or move {folder} away and make it anew: `{filled_by or 'what made it'}`."


def _checkpoint_remedy(folder: Path) -> str:
    return f"Remove {folder}: the stream begins a new generation, and takes nothing twice (docs/troubleshooting.md)."


def _missing(error: OSError) -> str:
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror or error}"
