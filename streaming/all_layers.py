"""Job: bronze, silver and gold in one process: a lap is in gold some seconds after it ended."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from infra.local.stack import find_endpoints
from jobs.job import RunContext
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming import bronze, gold, silver
from streaming.job import RunningQuery, StreamingJob, drain_job
from streaming.query import Trigger

NAME = "all"
LAYERS = (bronze.JOB, silver.JOB, gold.JOB)


def start_layers(lake: Lake, run: JobRun, trigger: Trigger) -> Sequence[RunningQuery]:
    """Start the queries of bronze and silver."""
    bootstrap = find_endpoints(lake.settings).bootstrap
    return [*bronze.start_bronze(lake, bootstrap, trigger), *silver.start_silver(lake, run, trigger)]


def finish_layers(lake: Lake, run: JobRun) -> None:
    """Bring clocks, laps and results up to date, and then gold."""
    silver.finish_silver(lake, run)
    for follower in gold.start_gold(lake, JobRun(gold.NAME, run.run_id), Trigger(once=True)):
        follower.awaitTermination()


@dataclass(frozen=True, kw_only=True)
class AllLayersJob(StreamingJob):
    """The three layers as one job."""

    def run(self, context: RunContext, given: Namespace) -> str:
        """Run with given arguments; with ``--once`` each layer is brought up to date after the one before."""
        if given.once:
            return "\n".join(job.sentence(drain_job(context.lake, job)) for job in LAYERS)
        return super().run(context, given)


JOB = AllLayersJob(
    name=NAME,
    module="streaming.all_layers",
    command="stream all",
    summary="Kafka to bronze, silver and gold in one process.",
    inputs=gold.JOB.inputs,
    outputs=tuple(dict.fromkeys(table for job in LAYERS for table in job.outputs)),
    other_inputs=bronze.JOB.other_inputs,
    start=start_layers,
    describe=silver.JOB.describe,
    finish=finish_layers,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
