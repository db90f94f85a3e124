"""Job: scores of wear, lap by lap as features come (K12): the batch's own function, over what changed."""

from __future__ import annotations

from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from infra.local.stack import find_endpoints
from jobs.score_karma import DEFAULT_VEHICLE, KarmaScorer, add_reference_car, distinct_cars, model_in_use
from jobs.train_karma import MODEL
from medallion.changes import TableChanges
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.provenance import JobRun
from ml.tracking import Tracker
from streaming.follow import TableFollower
from streaming.job import Start, StreamingJob
from streaming.query import Trigger

NAME = "karma"


def start_karma(lake: Lake, run: JobRun, trigger: Trigger, vehicle: str = DEFAULT_VEHICLE) -> TableFollower:
    """Start to follow ``gold.lap_features``.

    What changed names cars, whose sessions are scored whole; a step that is repeated finds nothing to write. A model
    that takes the alias meanwhile scores from the next step on.

    Args:
        lake: Where the tables are.
        run: Job run.
        trigger: When to run.
        vehicle: Whose references scores are held to.

    Raises:
        TrackingError: If there is no model.
    """
    lake.ensure_all((GOLD_LAP_FEATURES, GOLD_KARMA_SCORES, GOLD_KARMA_LATEST))
    tracker = Tracker(find_endpoints(lake.settings).tracking_uri)
    scorers = [KarmaScorer(lake, tracker, vehicle)]

    def score(changes: TableChanges) -> None:
        if model_in_use(tracker).version != scorers[-1].version:
            scorers[:] = [KarmaScorer(lake, tracker, vehicle)]
        cars: set[Vehicle] = set()
        for laps in changes.rows(GOLD_LAP_FEATURES, ("session_id", "vehicle_id")):
            run.rows_in += laps.num_rows
            cars.update(distinct_cars(laps))
        if cars:
            run.rows_out += scorers[-1].score(sorted(cars), run.run_id).num_rows

    return TableFollower(lake, NAME, (GOLD_LAP_FEATURES,), score, trigger, NAME, instead_of=(NAME,)).start()


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
