"""Results as one table and as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.runner import Result, Side, Unit


@dataclass(frozen=True)
class Row:
    """A benchmark's results.

    Attributes:
        number: Row of the table of goals in the README.
        size: ``small`` or ``full``.
        runs: Counted rounds.
    """

    number: int
    title: str
    size: str
    runs: int
    results: tuple[Result, ...]


def to_table(rows: Sequence[Row]) -> Table:
    """All results: median, spread over the runs in brackets, ratio of speeds, goal."""
    table = Table("", "work", "ours", "peer", "ours / peer", "goal", "", box=None, pad_edge=False, show_lines=False)
    for row in rows:
        table.add_row(f"[b]{row.number}[/]", f"[b]{row.title}[/] ({row.size}, {row.runs} runs)")
        for r in row.results:
            ratio = f"[b]{r.ratio:.2f}x[/] ({r.ratio_low:.2f}-{r.ratio_high:.2f})"
            table.add_row("", r.work, _show(r.ours, r.unit), _show(r.peer, r.unit), ratio, str(r.goal), _verdict(r.met))
    return table


def _show(side: Side, unit: Unit) -> str:
    besides = ", ".join(f"{number(median(values))} {cost}" for cost, values in side.costs.items())
    value = f"{side.name}\n[b]{number(side.value)}[/] {unit.name} ({number(side.low)}-{number(side.high)})"
    return f"{value}\n{besides}" if besides else value


def _verdict(met: bool | None) -> str:
    return "" if met is None else "[green]met[/]" if met else "[red]missed[/]"


def number(value: float) -> str:
    """Three significant digits, large ones as k or M."""
    for size, suffix in ((1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if suffix == ' k' else size):.3g}{suffix}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_json(row: Row, machine: dict[str, object], folder: Path) -> Path:
    """Write a row's file; one of another size does not replace it."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if row.size == "full" else f"-{row.size}"
    path = folder / f"row-{row.number}{suffix}.json"
    content = {
        "row": row.number,
        "title": row.title,
        "size": row.size,
        "runs": row.runs,
        "warm_up": "one round before the counted ones, not counted",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "results": [_result(r) for r in row.results],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _result(result: Result) -> dict[str, object]:
    return asdict(result) | {"unit": result.unit.name, "goal": str(result.goal) or None}
