"""Job: scores of wear, lap by lap as features come (K12): the batch's own function, over what changed."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from infra.local.stack import find_endpoints
from jobs.score_karma import DEFAULT_VEHICLE, KarmaScorer, add_reference_car, model_in_use
from jobs.train_karma import MODEL
from medallion.io import Lake
from medallion.provenance import JobRun
from ml.tracking import Tracker
from streaming.job import Start, StreamingJob
from streaming.query import Trigger, start_query

NAME = "karma"


def start_karma(lake: Lake, run: JobRun, trigger: Trigger, vehicle: str = DEFAULT_VEHICLE) -> StreamingQuery:
    """Start the query over the changes of ``gold.lap_features``.

    A batch names cars, whose sessions are scored whole; one that is repeated finds nothing to write. A model that takes
    the alias meanwhile scores from the next batch on.

    Args:
        lake: Where the tables are.
        run: Job run.
        trigger: When to run.
        vehicle: Whose references scores are held to.

    Raises:
        TrackingError: If there is no model.
    """
    for name in (GOLD_LAP_FEATURES, GOLD_KARMA_SCORES, GOLD_KARMA_LATEST):
        lake.ensure(name)
    tracker = Tracker(find_endpoints(lake.settings).tracking_uri)
    scorers = [KarmaScorer(lake, tracker, vehicle)]

    def score(df: DataFrame, _batch_id: int, _query: str) -> None:
        if model_in_use(tracker).version != scorers[-1].version:
            scorers[:] = [KarmaScorer(lake, tracker, vehicle)]
        changed_laps = df.groupBy("session_id", "vehicle_id").count().collect()
        run.rows_in += sum(row["count"] for row in changed_laps)
        if changed_laps:
            cars = [(row.session_id, row.vehicle_id) for row in changed_laps]
            run.rows_out += scorers[-1].score(cars, run.run_id).count()

    changes = lake.spark.readStream.format("delta").option("readChangeFeed", "true").load(lake.uri(GOLD_LAP_FEATURES))
    changed = changes.select("session_id", "vehicle_id", "lap_number")
    return start_query(lake.spark, lake.settings, NAME, changed, score, trigger)


def start_for(reference_car: str = DEFAULT_VEHICLE) -> Start:
    """The start for scores that are held to the references of a car."""
    return lambda lake, run, trigger: [start_karma(lake, run, trigger, reference_car)]


JOB = StreamingJob(
    name=NAME,
    module="streaming.karma",
    command="stream karma",
    summary="Score the wear of laps as their features come.",
    inputs=(GOLD_LAP_FEATURES,),
    outputs=(GOLD_KARMA_SCORES, GOLD_KARMA_LATEST),
    other_inputs=(f"MLflow model {MODEL}",),
    start=start_for(),
    describe=lambda run: f"{run.rows_in:,} changed laps, {run.rows_out:,} scores of their cars",
    arguments=add_reference_car,
    start_with=lambda given: start_for(given.reference_car),
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
