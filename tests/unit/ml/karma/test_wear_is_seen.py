"""What the product promises, on a track that the model never saw: what wears a component is seen in its karma alone."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from benchmarks.thinning import features_of
from conf.track import load_track
from conf.wear import CAR_FAULT_KINDS, COMPONENTS, CarFaultKind, load_wear_rules
from ml.karma.dataset import KEY, TEST, TRAIN, track_split
from ml.karma.fitting import FitParams, fit_karma
from ml.karma.learners import LearnerParams
from ml.karma.model import KarmaModel
from ml.karma.score_laps import score_laps
from producers.simulator.cars.random_car_faults import draw_random_car_faults
from producers.simulator.config import CarFault, DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.wear_labels import wear_label_rows
from tests.unit.ml.karma.made_laps import RULES

pytestmark = pytest.mark.slow

LEARNED = ("drawn-3", "drawn-6", "drawn-9", "drawn-10", "drawn-11", "three-oaks", "alder-ridge", "harbour-mile")
UNSEEN = "drawn-2"
CARS = 8  # two of each profile
CAR_FAULTS = load_wear_rules().car_faults
AT_M = {"dragging_brake": 0.0, "missed_downshift": 600.0, "kerb_strike": 500.0, "over_rev": 0.0}
# Components that a fault neither wears nor strains move by less than this, on average over the cars. Eight tracks to
# learn from leave them moving by up to 6 %.
BAND = 0.10


def drive(
    track: str, seed: int, cars: int, car_faults: Sequence[CarFault] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three laps a car as its sensors tell them, and the truth about each; with random car faults if none are given."""
    settings = {
        "session_id": f"{track}-{seed}",
        "track": track,
        "seed": seed,
        "n_cars": cars,
        "n_laps": 3,
        "rate_hz": 25.0,
        "setups": "varied",
        "data_faults": DataFaults.none().model_copy(update={"noise": 1.0}),
    }
    if car_faults is None:
        car_faults = draw_random_car_faults(load_track(track).length_m, cars, 3, seed)
    simulator = VehicleSimulator(SimulatorConfig(**settings, car_faults=car_faults))
    rows = []
    for lap in simulator.to_polars().partition_by("vehicle_id", "lap_number", maintain_order=True):
        about = lap.select("vehicle_id", "lap_number", "driver_profile").row(0, named=True)
        end = {"lap_time_ms": (lap["t_us"][-1] - lap["t_us"][0]) // 1000, "lap_end_ts": lap["t_us"][-1]}
        rows.append(
            {
                **features_of(lap),
                **about,
                **end,
                "session_id": settings["session_id"],
                "is_synthetic": True,
                "track_id": track,
            }
        )
    truth = pd.DataFrame([row for car in simulator.cars for row in wear_label_rows(simulator, car)])
    return pd.DataFrame(rows), truth[truth["is_complete"]]


@pytest.fixture(scope="module")
def model() -> KarmaModel:
    """A forest that learned from simulated laps."""
    assert {track_split(track) for track in LEARNED} == {TRAIN}
    sessions = [drive(track, 100 + i, 5) for i, track in enumerate(LEARNED)]
    laps, truth = (pd.concat(frames, ignore_index=True) for frames in zip(*sessions, strict=True))
    laps = laps.sort_values(KEY, ignore_index=True)
    wide = truth.pivot_table(index=KEY, columns="component", values="damage_per_km").reset_index()
    damage = laps[KEY].merge(wide, on=KEY)[list(COMPONENTS)].to_numpy()
    params = LearnerParams(trees=60)
    fitted = fit_karma(laps, damage, RULES.columns("everything"), "random_forest", FitParams(params))
    return KarmaModel("random_forest", {"everything": fitted}, RULES.sequence_laps, params)


class Session:
    """Laps on the track that nobody learned from: what the model says they wore, and what they did."""

    def __init__(self, model: KarmaModel, kind: CarFaultKind | None) -> None:
        size = CAR_FAULTS.matrix[kind].size if kind else 0.0
        planted = [
            CarFault(kind=kind, at_m=AT_M[kind], size=size, car=car, lap=2) for car in range(1, CARS + 1) if kind
        ]
        laps, self.truth = drive(UNSEEN, 5, CARS, planted)
        self.profiles = laps.groupby("vehicle_id")["driver_profile"].first()
        self.scores = pd.DataFrame(score_laps(laps, model, RULES, "gr86-cup"))
        self.predicted = self._by_car(self.scores, "lap_damage")
        self.true = self._by_car(self.truth, "damage")

    @staticmethod
    def _by_car(rows: pd.DataFrame, column: str) -> pd.DataFrame:
        """Damage over the lap that the car fault strikes and the next, cars by components."""
        late = rows[rows["lap_number"].isin([2, 3])]
        return late.pivot_table(index="vehicle_id", columns="component", values=column, aggfunc="sum")[list(COMPONENTS)]

    def karma(self) -> pd.Series:
        """Mean score of the lap that the car fault strikes, by component."""
        struck = self.scores[self.scores["lap_number"] == 2]
        return struck.groupby("component")["karma_score"].mean()


@pytest.fixture(scope="module")
def clean(model) -> Session:
    assert track_split(UNSEEN) == TEST
    return Session(model, None)


@pytest.mark.parametrize("kind", CAR_FAULT_KINDS)
def test_a_mishap_is_seen_in_what_it_wears_and_in_nothing_else(model, clean, kind):
    row, struck = CAR_FAULTS.matrix[kind], Session(model, kind)
    moved = (struck.predicted / clean.predicted - 1).mean()
    truly = (struck.true / clean.true - 1).mean()
    for component in COMPONENTS:
        if component in row.wears:
            assert truly[component] > CAR_FAULTS.least
            assert moved[component] > CAR_FAULTS.least, (component, moved.to_dict())
            assert struck.karma()[component] < clean.karma()[component] - 0.5
        elif component not in row.strains:
            assert abs(moved[component]) < BAND, (component, moved.to_dict())
    assert moved[list(row.wears)].min() > 2 * moved.drop([*row.wears, *row.strains]).max()


def test_harder_drivers_have_less_karma_in_every_component(clean):
    for worn in (clean.true, clean.predicted):
        of_profile = worn.groupby(clean.profiles).mean()
        gentle, normal, hard = (
            of_profile.loc[["eco", "safe"]].max(),
            of_profile.loc["normal"],
            of_profile.loc["aggressive"],
        )
        assert (normal > 1.1 * gentle).all(), of_profile.to_dict()
        assert (hard > 1.1 * normal).all(), of_profile.to_dict()
    profile = clean.scores["vehicle_id"].map(clean.profiles)
    score = clean.scores.groupby([profile, "component"])["karma_score"].mean().unstack()
    assert (score.loc["aggressive"] < score.loc["normal"] - 3).all(), score.to_dict()
    assert (score.loc["normal"] < score.loc[["eco", "safe"]].min() - 0.5).all(), score.to_dict()


def test_the_truth_lies_in_most_intervals(clean):
    both = clean.scores.merge(clean.truth[[*KEY, "component", "damage"]], on=[*KEY, "component"])
    assert len(both) == CARS * 3 * len(COMPONENTS)
    assert both["damage"].between(both["lap_damage_low"], both["lap_damage_high"]).mean() > 0.7
    assert (both["lap_damage_high"] / both["lap_damage_low"]).median() < 4.0
    assert both["applicability"].mean() > 0.9
