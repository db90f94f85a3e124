"""Job: scores of wear, lap by lap as features come (K12): the batch's own function, over what changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from conf.karma import DEFAULT_VEHICLE
from conf.tables import GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from infra.local.stack import find_endpoints
from jobs.score_karma import KarmaScorer, add_reference_car, distinct_cars, model_in_use
from medallion.changes import TableChanges
from medallion.gold import drivers
from medallion.io import Lake
from medallion.isolation import isolate, record_failures
from medallion.keys import Vehicle
from medallion.provenance import JobRun
from ml.karma import MODEL
from ml.tracking import Tracker
from streaming.follow import TableFollower
from streaming.job import Start, StreamingJob
from streaming.karma_beside import NAME, OUTPUTS, TABLES, follow_features
from streaming.query import Trigger


def start_karma(lake: Lake, run: JobRun, trigger: Trigger, vehicle: str = DEFAULT_VEHICLE) -> TableFollower:
    """Start to follow ``gold.lap_features``.

    Args:
        lake: Where the tables are.
        run: Job run.
        trigger: When to run.
        vehicle: Whose references scores are held to.

    Raises:
        TrackingError: If there is no model.
    """
    lake.ensure_all(TABLES)
    return follow_features(lake, WearScoring(lake, run, vehicle), trigger).start()


class WearScoring:
    """Scores the cars of laps whose features changed, whole sessions of them: a repeated step has nothing to write.

    Args:
        lake: Where the tables are.
        run: Job run that counts what was done.
        vehicle: Whose references scores are held to.

    Raises:
        TrackingError: If there is no model.
    """

    def __init__(self, lake: Lake, run: JobRun, vehicle: str = DEFAULT_VEHICLE) -> None:
        self.lake, self.run, self.vehicle = lake, run, vehicle
        self._tracker = Tracker(find_endpoints(lake.settings).tracking_uri)
        self._scorer = KarmaScorer(lake, self._tracker, vehicle)

    def __call__(self, changes: TableChanges) -> None:
        """Score, with the model that is in use by now."""
        if model_in_use(self._tracker).version != self._scorer.version:
            self._scorer = KarmaScorer(self.lake, self._tracker, self.vehicle)
        cars: set[Vehicle] = set()
        for laps in changes.rows(GOLD_LAP_FEATURES, ("session_id", "vehicle_id")):
            self.run.rows_in += laps.num_rows
            cars.update(distinct_cars(laps))
        self.score(cars)

    def score(self, cars: Collection[Vehicle]) -> None:
        """Score cars, and leave those out for which that fails."""

        def some_cars(some: Sequence[Vehicle]) -> None:
            self.run.rows_out += self._scorer.score(some, self.run.run_id).num_rows

        record_failures(self.lake, GOLD_KARMA_SCORES, cars, isolate(sorted(cars), some_cars), self.run.run_id)


def start_for(reference_car: str = DEFAULT_VEHICLE) -> Start:
    """The start for scores that are held to the references of a car."""
    return lambda lake, run, trigger: [start_karma(lake, run, trigger, reference_car)]


JOB = StreamingJob(
    name=NAME,
    module="streaming.karma",
    command="stream karma",
    summary="Score the wear of laps as their features come.",
    inputs=(GOLD_LAP_FEATURES,),
    outputs=OUTPUTS,
    other_inputs=(f"MLflow model {MODEL}",),
    start=start_for(),
    last=lambda lake, run: drivers.sum_up_scored(lake, run.run_id),
    describe=lambda run: f"{run.rows_in:,} changed laps, {run.rows_out:,} scores of their cars",
    arguments=add_reference_car,
    start_with=lambda given: start_for(given.reference_car),
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
