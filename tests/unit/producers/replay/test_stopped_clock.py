from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.replay.reader import read_telemetry
from producers.replay.sessions import Placement
from producers.replay.stopped_clock import CHANNEL, number_standing_clock

Reading = tuple[str, int, str, float]


def frame(readings: list[Reading]) -> pl.DataFrame:
    schema = {
        "vehicle_id": pl.String,
        "timestamp_us": pl.Int64,
        "telemetry_name": pl.String,
        "telemetry_value": pl.Float64,
    }
    return pl.DataFrame(readings, schema=schema, orient="row").with_columns(session_id=pl.lit("s"))


def numbers(readings: list[Reading]) -> list[int]:
    return number_standing_clock(frame(readings))["ecu_seq"].to_list()


def test_a_running_clock_is_all_zero():
    assert (
        numbers([("a", 1, "gear", 2.0), ("a", 1, "aps", 5.0), ("a", 2, "gear", 2.0), ("b", 1, "gear", 3.0)]) == [0] * 4
    )


def test_distinct_samples_at_one_instant_are_numbered_in_arrival_order():
    two = [("a", 1, "gear", 2.0), ("a", 1, "aps", 5.0), ("a", 1, "gear", 2.0), ("a", 1, "aps", 6.0)]
    assert numbers(two) == [0, 0, 1, 1]


def test_equal_readings_are_repeats_and_not_samples():
    assert numbers([("a", 1, "gear", 2.0), ("a", 1, "aps", 5.0), ("a", 1, "aps", 5.0)]) == [0, 0, 0]


def test_a_slow_channel_belongs_to_the_sample_reached_when_it_arrived():
    full = [[("a", 1, "gear", float(k)), ("a", 1, "aps", 0.0)] for k in range(5)]
    readings = [*full[0], *full[1], *full[2], ("a", 1, "speed", 99.0), *full[3], *full[4]]
    assert numbers(readings) == [0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4]


def test_a_sample_sent_again_takes_the_number_of_the_first():
    first = [("a", 1, "gear", 2.0), ("a", 1, "aps", 5.0)]
    second = [("a", 1, "gear", 2.0), ("a", 1, "aps", 6.0)]
    assert numbers([*first, *second, *first]) == [0, 0, 1, 1, 0, 0]


def test_nan_repeats_and_missing_values_do_not_break_it():
    nan = float("nan")
    assert numbers([("a", 1, "aps", nan), ("a", 1, "aps", nan)]) == [0, 0]
    missing = frame([("a", 1, "aps", 1.0), ("a", 1, "aps", 2.0)]).with_columns(
        timestamp_us=pl.lit(None, pl.Int64), vehicle_id=pl.lit(None, pl.String)
    )
    assert number_standing_clock(missing)["ecu_seq"].to_list() == [0, 1]


READINGS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 2),
        st.sampled_from(["gear", "aps", "speed"]),
        st.sampled_from([0.0, 1.0, 2.0]),
    ),
    max_size=40,
)


@given(READINGS)
def test_rows_keep_their_order_and_content(readings: list[Reading]):
    before = frame(readings)
    after = number_standing_clock(before)
    assert after.drop("ecu_seq").equals(before)
    assert after["ecu_seq"].dtype == pl.Int32
    assert (after["ecu_seq"] >= 0).all()


@given(READINGS)
def test_numbers_depend_on_the_instant_alone(readings: list[Reading]):
    whole = number_standing_clock(frame(readings))
    for vehicle, instant in {reading[:2] for reading in readings}:
        here = (pl.col("vehicle_id") == vehicle) & (pl.col("timestamp_us") == instant)
        alone = number_standing_clock(frame(readings).filter(here))
        assert alone["ecu_seq"].to_list() == whole.filter(here)["ecu_seq"].to_list()


@given(READINGS)
def test_no_reading_of_a_full_rate_channel_hides_another(readings: list[Reading]):
    numbered = number_standing_clock(frame(readings))
    instant = ["vehicle_id", "timestamp_us"]
    counted = numbered.with_columns(n=pl.len().over(CHANNEL)).with_columns(most=pl.col("n").max().over(instant))
    full = counted.filter(pl.col("n") == pl.col("most"))
    values = full.group_by(*CHANNEL, "ecu_seq").agg(values=pl.col("telemetry_value").n_unique())
    assert (values["values"] == 1).all()


@given(READINGS)
def test_sending_everything_a_second_time_gives_no_new_sample(readings: list[Reading]):
    constant = [(vehicle, instant, name, 1.0) for vehicle, instant, name, _ in readings]
    assert set(numbers([*constant, *constant])) <= {0}


def test_the_barber_car_whose_clock_stood(data_dir: Path):
    path = data_dir / "grcup" / "barber" / "barber_r1_fastest_lap_17cars.parquet"
    car = read_telemetry(path, Placement("I_R06_2025-09-07-R1")).frame.filter(pl.col("vehicle_id") == "GR86-013-80")
    standing = car.group_by("timestamp_us").len().sort("len").tail(1)
    assert standing["len"].item() == 25_909
    samples = car.join(standing, on="timestamp_us", how="semi")
    full = samples.filter(pl.col("telemetry_name") == "accy_can")
    assert full.height == 2_699
    assert full["ecu_seq"].n_unique() == 2_699
    conflicts = (
        samples.group_by(*CHANNEL, "ecu_seq").agg(n=pl.col("telemetry_value").n_unique()).filter(pl.col("n") > 1)
    )
    assert conflicts.height < 40  # readings of slow channels that arrived in the wake of the same sample
    assert set(conflicts["telemetry_name"]) <= {"speed", "nmot", "Laptrigger_lapdist_dls"}


@pytest.mark.parametrize("seed", [1, 2])
def test_indianapolis_numbers_are_the_same_however_the_file_is_ordered_between_cars(data_dir: Path, seed: int):
    frame = read_telemetry(data_dir / "grcup" / "indianapolis" / "indianapolis_r1_2cars_fullrace.parquet").frame
    assert frame["ecu_seq"].max() == 12
    assert 0.03 < (frame["ecu_seq"] > 0).mean() < 0.06
    cars = frame["vehicle_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=seed)
    apart = pl.concat(frame.filter(pl.col("vehicle_id") == car) for car in cars)
    again = number_standing_clock(apart.drop("ecu_seq"))
    assert again["ecu_seq"].equals(apart["ecu_seq"])
