"""Job: lap features to scores of wear, ``gold.karma_scores`` and ``gold.karma_latest`` (K11, K12).

A car's session is scored whole, by the same function whether a batch or a stream asks: what is written depends on the
features and the model alone, so it does not matter how often, in which order, or after which kill.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Broadcast
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import load_contract
from conf.karma import DEFAULT_VEHICLE, load_karma_rules
from conf.reasons import short_text
from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from jobs.job import BatchJob, RunContext
from medallion.arrow_rows import conform_rows
from medallion.exchange import exchange_rows, exchange_table
from medallion.gold import drivers
from medallion.io import Lake, sync_rows
from medallion.keys import Vehicle
from medallion.part import EVERYTHING, Part, group_by_session, sessions_part, vehicles_part
from medallion.reading import count_rows, read_table
from medallion.samples import are_few_rows
from medallion.schema import struct_type
from ml.karma import MODEL
from ml.karma.learners import Files
from ml.karma.model import KarmaModel, karma_model_from_files
from ml.karma.score_laps import OVERALL, Row, score_laps, scoring_columns
from ml.registered import load_karma_model
from ml.tracking import RegisteredFiles, Tracker

_CAR: Final = ["session_id", "vehicle_id"]
_SAMPLES_A_LAP: Final = 100
"""A lap's scores are as much work as so many samples."""
_WRITTEN: Final = frozenset({"algorithm", "model_version", "mlflow_run_id", "scored_ts", "run_id"})


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

    def score(self, cars: Collection[Vehicle] | None, run_id: str) -> pa.Table:
        """Score cars and write what differs; rows of cars without features are deleted.

        Args:
            cars: Sessions and vehicles; all there are if left out.
            run_id: Job run that the rows will name.

        Returns:
            What the table now says of them.
        """
        inside = EVERYTHING if cars is None else vehicles_part(group_by_session(cars))
        few = are_few_rows(self.lake, count_rows(self.lake, GOLD_LAP_FEATURES, inside), _SAMPLES_A_LAP)
        write = self._write_on_driver if few else self._write_by_spark
        write(inside, run_id)
        self._keep_latest(None if cars is None else {vehicle for _, vehicle in cars})
        return read_table(self.lake, GOLD_KARMA_SCORES, inside)

    def _write_on_driver(self, inside: Part, run_id: str) -> None:
        rules = load_karma_rules()
        laps = read_table(self.lake, GOLD_LAP_FEATURES, inside, scoring_columns(rules)).to_pandas()
        laps["lap_end_ts"] = laps["lap_end_ts"].dt.tz_localize(None)  # as Spark's workers have it
        stamps = self._stamps() | {"scored_ts": datetime.now(UTC)}
        rows = [
            row | stamps
            for _, of_car in laps.groupby(_CAR)
            for row in _with_factors(score_laps(of_car, self.model, rules, self.vehicle))
        ]
        exchange_rows(self.lake, GOLD_KARMA_SCORES, rows, inside, run_id)

    def _write_by_spark(self, inside: Part, run_id: str) -> None:
        files = self._files
        rules, vehicle, schema, name = load_karma_rules(), self.vehicle, _schema(), self.mlflow_run_id

        def of_car(laps: pd.DataFrame) -> pd.DataFrame:
            scored = _with_factors(score_laps(laps, _load_model_once(name, files), rules, vehicle))
            return pd.DataFrame({c: pd.Series([row.get(c) for row in scored], dtype=object) for c in schema.names})

        features = self.lake.read(GOLD_LAP_FEATURES).where(inside.sql()).select(*scoring_columns(rules))
        scored = features.groupBy(*_CAR).applyInPandas(of_car, schema)
        stamps = {column: F.lit(value) for column, value in self._stamps().items()}
        stamps |= {"scored_ts": F.current_timestamp(), "run_id": F.lit(run_id)}
        sync_rows(self.lake, scored.withColumns(stamps), GOLD_KARMA_SCORES, inside.sql)

    def _stamps(self) -> dict[str, str]:
        """What rows say of their model."""
        return {
            "algorithm": self.model.algorithm,
            "model_version": self.version,
            "mlflow_run_id": self.mlflow_run_id,
        }

    @cached_property
    def _files(self) -> Broadcast[Files]:
        """The model, packed and sent to the workers once."""
        return self.lake.spark.sparkContext.broadcast(self.model.to_files())

    def _keep_latest(self, vehicles: Collection[str] | None) -> None:
        """The last scored lap of each vehicle, over all its sessions."""
        if vehicles is not None and not vehicles:
            return
        inside = EVERYTHING if vehicles is None else Part(({"vehicle_id": sorted(vehicles)},))
        scores = pl.DataFrame(pl.from_arrow(read_table(self.lake, GOLD_KARMA_SCORES, inside)))
        scored = scores.drop_nulls("karma_score").sort("lap_end_ts", "session_id", "lap_number")
        last = scored.unique(["vehicle_id", "component"], keep="last", maintain_order=True)
        rows = conform_rows(GOLD_KARMA_LATEST, last.to_arrow(compat_level=pl.CompatLevel.oldest()))
        exchange_table(self.lake, GOLD_KARMA_LATEST, rows, inside)


def score_karma(
    lake: Lake,
    tracker: Tracker,
    vehicle: str = DEFAULT_VEHICLE,
    session: str | None = None,
    version: str | None = None,
) -> KarmaScoringResult:
    """Score every lap of the lake, or of a session, with the model in use; drivers' summaries follow."""
    scorer = KarmaScorer(lake, tracker, vehicle, version)
    with JOB.record_run(lake) as run:
        cars = (
            None
            if session is None
            else distinct_cars(read_table(lake, GOLD_LAP_FEATURES, sessions_part([session]), _CAR))
        )
        done = summarise_scoring(scorer, scorer.score(cars, run.run_id))
        run.rows_in = run.rows_out = done.laps + sum(done.reasons.values())
        drivers.sum_up_scored(lake, run.run_id)
    return done


def distinct_cars(rows: pa.Table) -> list[Vehicle]:
    """Sessions and vehicles that rows name, sorted."""
    return sorted((row["session_id"], row["vehicle_id"]) for row in rows.group_by(_CAR).aggregate([]).to_pylist())


def summarise_scoring(scorer: KarmaScorer, rows: pa.Table) -> KarmaScoringResult:
    """What a scoring run wrote, counted."""
    overall = rows.filter(pc.field("component") == OVERALL)
    kinds = overall.group_by(["channel_set", "not_scored_reason"]).aggregate([([], "count_all")]).to_pylist()
    sets = {kind["channel_set"]: kind["count_all"] for kind in kinds if kind["not_scored_reason"] is None}
    reasons: Counter[str] = Counter()
    for kind in kinds:
        if kind["not_scored_reason"] is not None:
            reasons[short_text(kind["not_scored_reason"])] += kind["count_all"]
    return KarmaScoringResult(MODEL, scorer.version, len(distinct_cars(rows)), sum(sets.values()), dict(reasons), sets)


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


def _with_factors(rows: Sequence[Row]) -> list[Row]:
    """Rows as tables take them: a structure as a dictionary."""
    return [
        row
        if row.get("top_factors") is None
        else row | {"top_factors": [{"feature": name, "contribution": value} for name, value in row["top_factors"]]}
        for row in rows
    ]


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
    outputs=(GOLD_KARMA_SCORES, GOLD_KARMA_LATEST, *drivers.TABLES),
    other_inputs=(f"MLflow model {MODEL}",),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
