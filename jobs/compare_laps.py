"""Job: compare a lap with a reference and keep it, in ``gold.lap_comparison`` and ``gold.corner_reports``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import Final

from jobs.job import BatchJob, RunContext
from medallion.gold.lap_comparison import TABLES, write_comparison
from medallion.io import Lake
from serving.lake.reader import LakeReader
from serving.queries.comparison import INPUTS, ComparedLaps, compare_named_laps
from serving.queries.laps import LapName


@dataclass(frozen=True)
class ComparisonResult:
    """Outcome of the job.

    Attributes:
        compared: The two laps.
        points: Rows along the lap that were written.
        pieces: Rows of corners and straights that were written.
        run_id: Job run.
    """

    compared: ComparedLaps
    points: int
    pieces: int
    run_id: str

    @property
    def sentence(self) -> str:
        """What was saved."""
        comparisons, reports = TABLES
        return f"saved: {self.points:,} rows in {comparisons}, {self.pieces:,} in {reports} (run {self.run_id})"


def compare_laps(lake: Lake, lap: LapName, reference: LapName) -> ComparisonResult:
    """Compare within a job run, which notes the tables' versions before they are read."""
    with JOB.record_run(lake) as run:
        found = compare_named_laps(LakeReader(lake.settings).snapshot(), lap, reference)
        points, pieces = found.point_rows(), found.piece_rows()
        run.rows_in = len(found.lap.trace.t_s) + len(found.reference.trace.t_s)
        run.rows_out = write_comparison(lake, found.pair, points, pieces, run.run_id)
    return ComparisonResult(found, len(points), len(pieces), run.run_id)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("lap", metavar="SESSION/VEHICLE/LAP", help="the lap")
    parser.add_argument("reference", metavar="SESSION/VEHICLE/LAP", help="what it is compared with")


def _run(context: RunContext, given: Namespace) -> str:
    done = compare_laps(context.lake, LapName.parse(given.lap), LapName.parse(given.reference))
    return f"{done.compared.headline}; {done.sentence}"


JOB: Final = BatchJob(
    name="laps_compare",
    module="jobs.compare_laps",
    command="laps compare",
    summary="Compare a lap with a reference and keep the time lost in each corner and on each straight.",
    inputs=INPUTS,
    outputs=TABLES,
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
