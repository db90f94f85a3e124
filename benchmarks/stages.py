"""Where Spark spent its time: stages from its event log, by job description and call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table


@dataclass
class StageTotal:
    """All stages of one name.

    Attributes:
        wall_s: Time from submission to completion, summed (stages may overlap).
        run_s: Time of their tasks on executors, summed.
        gc_s: Of this, garbage collection.
    """

    name: str
    stages: int = 0
    tasks: int = 0
    wall_s: float = 0.0
    run_s: float = 0.0
    gc_s: float = 0.0
    read_rows: int = 0
    shuffled_mb: float = 0.0


def logged_to(folder: Path) -> dict[str, str]:
    """Spark options by which a session logs its events to a folder, as plain lines.

    The folder is made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }


def read_mb(events: Iterable[dict[str, Any]]) -> float:
    """What completed stages read from files."""
    done = (event["Stage Info"] for event in events if event["Event"] == "SparkListenerStageCompleted")
    return sum(_number(_metrics(info), "internal.metrics.input.bytesRead") for info in done) / 1e6


def count_jobs(events: Iterable[dict[str, Any]]) -> int:
    """Spark jobs that were started."""
    return sum(event["Event"] == "SparkListenerJobStart" for event in events)


def stage_totals(events: Iterable[dict[str, Any]]) -> list[StageTotal]:
    """Sum completed stages by name, longest first."""
    described: dict[int, str] = {}
    totals: dict[str, StageTotal] = {}
    for event in events:
        if event["Event"] == "SparkListenerJobStart":
            properties = event.get("Properties") or {}
            text = properties.get("spark.job.description") or ""
            described |= {i: _one_line(text) for i in event["Stage IDs"]}
        elif event["Event"] == "SparkListenerStageCompleted":
            info = event["Stage Info"]
            name = " | ".join(t for t in (described.get(info["Stage ID"], ""), info["Stage Name"]) if t)
            _add(totals.setdefault(name, StageTotal(name)), info)
    return sorted(totals.values(), key=lambda total: -total.wall_s)


def busy_s(events: Iterable[dict[str, Any]]) -> tuple[float, float]:
    """Seconds in which some stage ran, and seconds from the first submission to the last completion.

    What is left between the two is the driver's: planning, commits, and whoever had the machine meanwhile.
    """
    done = [e["Stage Info"] for e in events if e["Event"] == "SparkListenerStageCompleted"]
    spans = sorted((i["Submission Time"], i["Completion Time"]) for i in done if "Submission Time" in i)
    if not spans:
        return 0.0, 0.0
    busy, until = 0, spans[0][0]
    for start, end in spans:
        busy += max(end - max(start, until), 0)
        until = max(until, end)
    return busy / 1e3, (until - spans[0][0]) / 1e3


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Events of all applications that logged to ``folder``; a last line still being written is left out."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".", "appstatus"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):
                yield json.loads(line)


def to_table(totals: list[StageTotal], longest: int = 25) -> Table:
    """The longest stages."""
    table = Table(
        "stage", "n", "tasks", "wall s", "task s", "gc s", "rows read", "shuffled MB", box=None, pad_edge=False
    )
    for t in totals[:longest]:
        figures = (t.stages, t.tasks, f"{t.wall_s:.2f}", f"{t.run_s:.2f}", f"{t.gc_s:.2f}", f"{t.read_rows:,}")
        table.add_row(*map(str, figures), f"{t.shuffled_mb:.1f}", t.name)
    return table


def _add(total: StageTotal, info: dict[str, Any]) -> None:
    metrics = _metrics(info)
    total.stages += 1
    total.tasks += info["Number of Tasks"]
    total.wall_s += (info.get("Completion Time", 0) - info.get("Submission Time", 0)) / 1e3
    total.run_s += _number(metrics, "internal.metrics.executorRunTime") / 1e3
    total.gc_s += _number(metrics, "internal.metrics.jvmGCTime") / 1e3
    total.read_rows += int(_number(metrics, "internal.metrics.input.recordsRead"))
    total.shuffled_mb += _number(metrics, "internal.metrics.shuffle.write.bytesWritten") / 1e6


def _metrics(info: dict[str, Any]) -> dict[str, Any]:
    return {a["Name"]: a.get("Value", 0) for a in info.get("Accumulables", [])}


def _number(metrics: dict[str, Any], name: str) -> float:
    return float(metrics.get(name, 0))


def _one_line(text: str) -> str:
    """First words of a description: a stream's has its ids and batch number on further lines."""
    return text.splitlines()[0][:60] if text else ""
