"""``python -m benchmarks``: run rows, print one table, write ``benchmarks/results``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.machine import describe
from benchmarks.report import Row, to_table, write_json
from benchmarks.runner import Result

MODULES = {1: "send", 2: "bronze", 3: "silver", 5: "pivot", 6: "style", 7: "limit_lap", 11: "one_more_lap"}
_WIDTH = 160  # of what is not printed to a terminal
RESULTS = Path(__file__).parent / "results"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Slipstream beside its peers.")
    known = ",".join(map(str, MODULES))
    parser.add_argument("--rows", type=_rows, default=list(MODULES), help=f"which, such as 1,3 (default: {known})")
    parser.add_argument("--size", choices=("small", "full"), default="full", help="small only shows that it works")
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument(
        "--millions", type=_sizes, default=(), help="sizes of row 11's lake in million samples, ascending, such as 1,10"
    )
    parser.add_argument("--profile", action="store_true", help="print where Spark spent its time, row by row")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result files")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(int(part) for part in text.split(","))
    if sorted({*sizes}) != [*sizes] or sizes[0] < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not ascending from 1 on, as 1,10,100 is")
    return sizes


def _rows(text: str) -> list[int]:
    rows = [int(part) for part in text.split(",")]
    unknown = [row for row in rows if row not in MODULES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no row {unknown[0]}: there are {', '.join(map(str, MODULES))}")
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; a row's file is written as soon as it has a result, and again with each further one."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that broker, JVM and home go then, too
    given, progress, done = arguments().parse_args(argv), Console(stderr=True), []
    for number in given.rows:
        bench = Bench(given.size, given.runs, progress, profile=given.profile, millions=given.millions)
        try:
            for row in _measure(number, bench):
                write_json(row, describe(), given.out)
            _print_profile(bench)
        finally:
            bench.close()
        done.append(row)
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(to_table(done))
    return 0


def _measure(number: int, bench: Bench) -> Iterator[Row]:
    """The row with its first result, then with two, and so on; where a module has them all at once, that often too."""
    module: Any = import_module(f"benchmarks.{MODULES[number]}")
    results: list[Result] = []
    for result in module.measure(bench):
        results.append(result)
        yield Row(number, module.TITLE, bench.size, len(results[0].ours.seconds), tuple(results))


def _print_profile(bench: Bench) -> None:
    from benchmarks.stages import busy_s, read_log, stage_totals, to_table

    if bench.profile and bench.event_log.is_dir():
        events = list(read_log(bench.event_log))
        busy, span = busy_s(events)
        bench.console.print(to_table(stage_totals(events)), width=_WIDTH, crop=False)
        bench.say(f"stages ran in {busy:.1f} of {span:.1f} s, warm-up and checks included")


if __name__ == "__main__":
    raise SystemExit(main())
