"""Job: coach a lap against a target and keep what was found, in ``gold.insights``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from conf.tables import GOLD_INSIGHTS
from jobs.job import BatchJob, RunContext
from medallion.gold.insights import write_insights
from medallion.io import Lake
from serving.lake.reader import LakeReader
from serving.queries.coaching import INPUTS, CoachedLap, coach_against_target
from serving.queries.laps import LapName


@dataclass(frozen=True)
class CoachingResult:
    """Outcome of the job.

    Attributes:
        coached: The lap against its target.
        rows: Rows that were written.
        run_id: Job run.
    """

    coached: CoachedLap
    rows: int
    run_id: str

    @property
    def sentence(self) -> str:
        """What was saved."""
        return f"saved: {self.rows:,} rows in {GOLD_INSIGHTS} (run {self.run_id})"


def coach_lap(lake: Lake, lap: LapName, target: str) -> CoachingResult:
    """Coach within a job run, which notes the tables' versions before they are read.

    Args:
        lake: Where the tables are.
        lap: The lap to coach.
        target: ``best``, ``ghost``, or a lap's name.
    """
    with JOB.record_run(lake) as run:
        found = coach_against_target(LakeReader(lake.settings).snapshot(), lap, target)
        run.rows_in = len(found.lap.trace.t_s) + len(found.target.trace.t_s)
        run.rows_out = write_insights(lake, found.pair, found.insight_rows(datetime.now(UTC)), run.run_id)
    return CoachingResult(found, run.rows_out, run.run_id)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--lap", required=True, metavar="SESSION/VEHICLE/LAP", help="the lap to coach")
    parser.add_argument(
        "--target", default="best", metavar="best|ghost|SESSION/VEHICLE/LAP", help="what to hold it against"
    )


def _run(context: RunContext, given: Namespace) -> str:
    done = coach_lap(context.lake, LapName.parse(given.lap), given.target)
    return f"{done.coached.headline}; {done.sentence}"


JOB: Final = BatchJob(
    name="ghost_compare",
    module="jobs.coach_lap",
    command="coach",
    summary="Coach a lap against a target and keep what was found.",
    inputs=INPUTS,
    outputs=(GOLD_INSIGHTS,),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
