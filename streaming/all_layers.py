"""Job: bronze, silver and gold in one process, and wear beside them: a lap is in gold some seconds after it ended."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from conf.settings import AppConfig
from infra.local.stack import find_endpoints
from jobs.job import RunContext
from medallion.gold import drivers
from medallion.io import Lake
from medallion.provenance import JobRun
from ml.karma import MODEL
from ml.model_in_use import is_model_in_use
from streaming import bronze, gold, karma_beside, silver
from streaming.alerts import check_runs
from streaming.job import RunningQuery, StreamingJob, drain_job
from streaming.query import Trigger

NAME = "all"
LAYERS = (bronze.JOB, silver.JOB, gold.JOB)


def jobs_in_turn(settings: AppConfig) -> Sequence[StreamingJob]:
    """The layers, and the scores of wear where a model of it is in use."""
    if not is_model_in_use(find_endpoints(settings).tracking_uri, MODEL):
        return LAYERS
    from streaming import karma

    return (*LAYERS, karma.JOB)


def start_layers(lake: Lake, run: JobRun, trigger: Trigger) -> Sequence[RunningQuery]:
    """Start what goes on by itself: the queries of bronze and silver, gold, and the scores of wear."""
    bootstrap = find_endpoints(lake.settings).bootstrap
    return [
        *bronze.start_bronze(lake, bootstrap, trigger),
        *silver.start_silver(lake, run, trigger),
        *gold.start_gold(lake, JobRun(gold.NAME, run.run_id), trigger),
        karma_beside.start_karma_beside(lake, run, trigger),
    ]


def finish_layers(lake: Lake, run: JobRun) -> None:
    """Bring clocks, laps, results, then gold and the scores of wear up to date, and the summaries with these."""
    silver.finish_silver(lake, run)
    gold.finish_gold(lake, JobRun(gold.NAME, run.run_id))
    karma_beside.start_karma_beside(lake, run, Trigger(once=True)).awaitTermination()
    drivers.sum_up_scored(lake, run.run_id)


@dataclass(frozen=True, kw_only=True)
class AllLayersJob(StreamingJob):
    """The three layers as one job."""

    def run(self, context: RunContext, given: Namespace) -> str:
        """Run with given arguments; with ``--once`` each layer is brought up to date after the one before."""
        if not given.once:
            return super().run(context, given)
        with self.claim(context.settings):
            self.check(context.settings)
            runs = [(job, drain_job(context.lake, job)) for job in jobs_in_turn(context.settings)]
        done = "\n".join(job.sentence(run) for job, run in runs)
        check_runs(context.settings, [run for _, run in runs], done)
        return done


JOB = AllLayersJob(
    name=NAME,
    module="streaming.all_layers",
    command="stream all",
    summary="Kafka to bronze, silver and gold in one process, and the scores of wear once it has a model.",
    inputs=gold.JOB.inputs,
    outputs=tuple(
        dict.fromkeys((*(table for job in LAYERS for table in job.outputs), *karma_beside.OUTPUTS)),
    ),
    other_inputs=(*bronze.JOB.other_inputs, f"MLflow model {MODEL}"),
    start=start_layers,
    describe=silver.JOB.describe,
    finish=silver.close_ended_laps,
    last=finish_layers,
    layers=(*(job.name for job in LAYERS), karma_beside.NAME),
    check=bronze.JOB.check,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
