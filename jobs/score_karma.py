"""Job: lap features to scores of wear, ``gold.karma_scores`` and ``gold.karma_latest`` (K11, K12).

A car's session is scored whole, by the same function whether a batch or a stream asks: what is written depends on the
features and the model alone, so it does not matter how often, in which order, or after which kill.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import load_contract
from conf.karma import load_karma_rules
from conf.reasons import short_text
from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from jobs.job import BatchJob, RunContext
from jobs.train_karma import MODEL, load_karma_model
from medallion.io import Lake, sync_rows
from medallion.keys import vehicle_condition
from medallion.schema import sql_literal, struct_type
from ml.karma.learners import Files
from ml.karma.model import KarmaModel, karma_model_from_files
from ml.karma.score_laps import OVERALL, score_laps, scoring_columns
from ml.tracking import RegisteredFiles, Tracker

DEFAULT_VEHICLE: Final = "gr86-cup"
_CAR: Final = ["session_id", "vehicle_id"]
_WRITTEN: Final = frozenset({"algorithm", "model_version", "mlflow_run_id", "scored_ts", "run_id"})
Car = tuple[str, str]


@dataclass(frozen=True)
class KarmaScoringResult:
    """Outcome of a scoring run.

    Attributes:
        model: Registered model.
        version: Its version.
        cars: Cars in their sessions.
        laps: Laps with a score.
        reasons: Laps without one, by reason.
        sets: Laps scored, by the set of inputs that they had.
    """

    model: str
    version: str
    cars: int
    laps: int
    reasons: dict[str, int]
    sets: dict[str, int]

    @property
    def sentence(self) -> str:
        """How many laps of how many cars were scored."""
        return f"{self.model} version {self.version}: {self.laps:,} laps of {self.cars:,} cars scored"


class KarmaScorer:
    """Scores cars with one version of the model.

    Args:
        lake: Where the tables are.
        tracker: Where the model is.
        vehicle: Whose references scores are held to: a vehicle of ``conf/karma.yaml``.
        version: Of the model; the one in use if left out.

    Raises:
        TrackingError: If there is no such model.
        KarmaModelError: If it is of another version of this software.
        InputError: If there are no references for the vehicle.
    """

    def __init__(
        self, lake: Lake, tracker: Tracker, vehicle: str = DEFAULT_VEHICLE, version: str | None = None
    ) -> None:
        self.lake = lake
        self.vehicle = vehicle
        load_karma_rules().reference(vehicle)
        self.model, self.version, self.mlflow_run_id = load_karma_model(tracker, version)
        # Packed and sent to the workers once: a stream scores many batches with it.
        self._files = lake.spark.sparkContext.broadcast(self.model.to_files())

    def score(self, cars: Collection[Car] | None, run_id: str) -> DataFrame:
        """Score cars and write what differs; rows of cars without features are deleted.

        Args:
            cars: Sessions and vehicles; all there are if left out.
            run_id: Job run that the rows will name.

        Returns:
            What the table now says of them.
        """
        inside = _cars_condition(cars)
        rows = self._rows(self.lake.read(GOLD_LAP_FEATURES).where(inside("")), run_id)
        sync_rows(self.lake, rows, GOLD_KARMA_SCORES, inside)
        self._keep_latest(None if cars is None else {vehicle for _, vehicle in cars})
        return self.lake.read(GOLD_KARMA_SCORES).where(inside(""))

    def _rows(self, features: DataFrame, run_id: str) -> DataFrame:
        files = self._files
        rules, vehicle, schema, name = load_karma_rules(), self.vehicle, _schema(), self.mlflow_run_id

        def of_car(laps: pd.DataFrame) -> pd.DataFrame:
            scored = score_laps(laps, _load_model_once(name, files), rules, vehicle)
            return _as_columns(scored, schema)

        scored = features.select(*scoring_columns(rules)).groupBy(*_CAR).applyInPandas(of_car, schema)
        return scored.withColumns(
            {
                "algorithm": F.lit(self.model.algorithm),
                "model_version": F.lit(self.version),
                "mlflow_run_id": F.lit(self.mlflow_run_id),
                "scored_ts": F.current_timestamp(),
                "run_id": F.lit(run_id),
            }
        )

    def _keep_latest(self, vehicles: Collection[str] | None) -> None:
        """The last scored lap of each vehicle, over all its sessions."""
        if vehicles is not None and not vehicles:
            return

        def inside(prefix: str) -> str:
            if vehicles is None:
                return "true"
            return f"{prefix}vehicle_id IN ({', '.join(map(sql_literal, sorted(vehicles)))})"

        scored = self.lake.read(GOLD_KARMA_SCORES).where(inside("")).where("karma_score IS NOT NULL")
        last = F.max_by(F.struct(*scored.columns), F.struct("lap_end_ts", "session_id", "lap_number"))
        rows = scored.groupBy("vehicle_id", "component").agg(last.alias("r")).select("r.*")
        sync_rows(self.lake, rows, GOLD_KARMA_LATEST, inside)


def score_karma(
    lake: Lake,
    tracker: Tracker,
    vehicle: str = DEFAULT_VEHICLE,
    session: str | None = None,
    version: str | None = None,
) -> KarmaScoringResult:
    """Score every lap of the lake, or of a session, with the model in use."""
    scorer = KarmaScorer(lake, tracker, vehicle, version)
    with JOB.record_run(lake) as run:
        cars = (
            None
            if session is None
            else distinct_cars(lake.read(GOLD_LAP_FEATURES).where(F.col("session_id") == session))
        )
        done = summarise_scoring(scorer, scorer.score(cars, run.run_id))
        run.rows_in = run.rows_out = done.laps + sum(done.reasons.values())
    return done


def distinct_cars(rows: DataFrame) -> list[Car]:
    """Sessions and vehicles that rows name, sorted."""
    return sorted((row[0], row[1]) for row in rows.select(*_CAR).distinct().collect())


def summarise_scoring(scorer: KarmaScorer, rows: DataFrame) -> KarmaScoringResult:
    """What a scoring run wrote, counted."""
    kinds = rows.where(F.col("component") == OVERALL).groupBy("channel_set", "not_scored_reason").count().collect()
    sets = {row["channel_set"]: row["count"] for row in kinds if row["not_scored_reason"] is None}
    reasons: dict[str, int] = {}
    for row in kinds:
        if row["not_scored_reason"] is not None:
            kind = short_text(row["not_scored_reason"])
            reasons[kind] = reasons.get(kind, 0) + row["count"]
    return KarmaScoringResult(MODEL, scorer.version, len(distinct_cars(rows)), sum(sets.values()), reasons, sets)


def _cars_condition(cars: Collection[Car] | None) -> Callable[[str], str]:
    def condition(prefix: str) -> str:
        if cars is None:
            return "true"
        return " OR ".join(f"({vehicle_condition(*car, prefix)})" for car in sorted(cars)) or "false"

    return condition


_IN_THIS_PROCESS: Final[dict[str, KarmaModel]] = {}


def _load_model_once(name: str, files: Broadcast[Files]) -> KarmaModel:
    """The model, unpacked once in each of Spark's worker processes and not once a car."""
    if name not in _IN_THIS_PROCESS:
        _IN_THIS_PROCESS.clear()
        _IN_THIS_PROCESS[name] = karma_model_from_files(files.value.__getitem__)
    return _IN_THIS_PROCESS[name]


def _schema() -> StructType:
    fields = struct_type(load_contract(GOLD_KARMA_SCORES)).fields
    return StructType([field for field in fields if field.name not in _WRITTEN])


def _as_columns(rows: list[dict[str, Any]], schema: StructType) -> pd.DataFrame:
    """Rows as Spark takes them: a column a field, a structure as a dictionary."""
    for row in rows:
        if row.get("top_factors") is not None:
            row["top_factors"] = [{"feature": name, "contribution": value} for name, value in row["top_factors"]]
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in schema.names})


def model_in_use(tracker: Tracker) -> RegisteredFiles:
    """The version that the alias names now.

    Raises:
        TrackingError: If there is none.
    """
    return tracker.files(MODEL, trained_by="karma")


def add_reference_car(parser: ArgumentParser) -> None:
    """Add ``--reference-car``: whose references scores are held to."""
    parser.add_argument(
        "--reference-car",
        metavar="CAR",
        default=DEFAULT_VEHICLE,
        help="whose references scores are held to (conf/karma.yaml)",
    )


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--session", help="score the laps of this session only (default: all)")
    parser.add_argument("--version", help="version of the model (default: the one in use)")
    add_reference_car(parser)


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    return score_karma(lake, tracker, given.reference_car, given.session, given.version).sentence


JOB: Final = BatchJob(
    name="score_karma",
    module="jobs.score_karma",
    command="score karma",
    summary="Score the wear of every lap with the model in use.",
    inputs=(GOLD_LAP_FEATURES,),
    outputs=(GOLD_KARMA_SCORES, GOLD_KARMA_LATEST),
    other_inputs=(f"MLflow model {MODEL}",),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
