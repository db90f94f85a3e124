"""Silver is a function of the messages alone: not of how they came in batches, nor of what was killed on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conf.families import TELEMETRY
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.part import sessions_part
from medallion.silver import telemetry_on_driver
from medallion.silver.event_time import STEADY_US, stale_vehicles, update_event_times
from medallion.silver.promote_telemetry import BatchReconciliation, SilverProcessor
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from tests.spark.messages import DAY_US, T0, Message, Stored, frame, reading, simulated, stored

pytestmark = pytest.mark.timeout(1200)

TABLES = ("silver.telemetry", "silver.quarantine", "silver.conflicts", "silver.clock_offsets", "silver.sessions")
FAULTS = DataFaults(duplicate_share=0.1, late_share=0.2, repeat_share=0.05, conflict_share=0.05, dropout_share=0.05)


def readings(seed: int, instants: int = 120) -> list[Message]:
    """Readings of two cars in order of arrival: repeats, conflicts, poison, a lost lap counter, late instants."""
    rng = np.random.default_rng(seed)
    sent: list[tuple[int, Message]] = []
    for car in ("GR86-001-1", "GR86-002-2"):
        for i in range(instants):
            t_us = T0 + i * 40_000
            lap = 32768 if i > instants - 20 else 1 + i // 60
            for channel, high in (("speed", 300.0), ("aps", 100.0), ("ath", 100.0), ("gear", 6.4), ("pbrake_f", 220.0)):
                value = round(float(rng.random() * high), 3)
                copies = [value] + [value] * int(rng.random() < 0.1) + [value / 2] * int(rng.random() < 0.1)
                if rng.random() < 0.02:
                    copies.append(float("nan"))
                for v in copies:
                    arrival = t_us + DAY_US + int(rng.exponential(60_000))
                    sent.append((arrival, reading(channel, v, t_us, vehicle_id=car, lap=lap, meta_time_us=arrival)))
    return [m for _, m in sorted(sent, key=lambda s: s[0])]


def frames(seed: int) -> list[Message]:
    """Frames of two cars of the simulator, with repeats, late ones, conflicts; and one that contradicts another."""
    settings = SimulatorConfig(
        session_id="test", n_cars=2, duration_s=20, rate_hz=10, samples_per_frame=8, seed=seed, data_faults=FAULTS
    )
    sent = simulated(VehicleSimulator(settings).frames())
    first = [T0 + k * 100_000 for k in range(4)]
    whole = frame(first, speed_kmh=[90.0] * 4, rpm=[5000.0, None, 5000.0, None])
    fuller = frame(first, speed_kmh=[90.0] * 4, rpm=[5000.0] * 4)  # the same instants, with what was missing
    return [whole, *sent[:9], fuller, *sent[9:], whole]


def promote(
    lake: Lake, batches: Iterable[list[Stored]], to_bronze, query: str = "silver:a"
) -> list[BatchReconciliation]:
    """Silver of the batches, clocks restated."""
    silver = SilverProcessor(lake, "run")
    done = [silver.process_raw_to_silver(to_bronze(b), i, query) for i, b in enumerate(batches)]
    update_event_times(lake, "run")
    assert None not in done
    return [d for d in done if d is not None]


def total(balances: Iterable[BatchReconciliation]) -> dict[str, int]:
    """Sum of accounts."""
    found = [vars(b) for b in balances]
    return {name: sum(b[name] for b in found) for name in found[0]}


def accounted(lake: Lake, rows) -> dict[str, int]:
    """Sum of what the lake's own ledger says."""
    ledger = rows(lake, "ops.reconciliation")
    return {c: ledger[c].sum() for c in ("messages", "units", "written", "repeats", "conflicts", "quarantined")}


def checked(lake: Lake, rows) -> dict[str, tuple[int, int]]:
    """Per rule the values that it looked at and those that broke it, over all batches."""
    results, counts = rows(lake, "ops.dq_results"), ("evaluated", "unexpected")
    return {rule: tuple(own[c].sum() for c in counts) for (rule,), own in results.group_by("expectation")}


def assert_same(lake: Lake, other: Lake, rows, tables: Iterable[str] = TABLES) -> None:
    for name in tables:
        assert_frame_equal(rows(lake, name), rows(other, name), check_row_order=True)


@pytest.fixture(scope="module")
def messages() -> list[Stored]:
    """Both forms, interleaved."""
    long, wide = readings(1), frames(1)
    every = len(long) // len(wide)
    mixed = [m for i, f in enumerate(wide) for m in (*long[i * every : (i + 1) * every], f)]
    return stored([*mixed, *long[len(wide) * every :]])


@pytest.fixture(scope="module")
def undisturbed(new_lake, messages, to_bronze) -> tuple[Lake, dict[str, int]]:
    """The lake that one batch makes by Spark, and its account; the tests' batches are the driver's."""
    lake = new_lake("home", driver_max_samples=0)
    return lake, total(promote(lake, [messages], to_bronze))


def expected_account(messages: list[Stored]) -> dict[str, int]:
    """The account by its definition, one unit at a time in order of arrival; without Spark."""
    table: dict[tuple, object] = {}
    count = {"written": 0, "repeats": 0, "conflicts": 0, "quarantined": 0}
    for m in messages:
        body = json.loads(m.payload or b"")
        car = (body["session_id"], body["vehicle_id"])
        if "telemetry_name" in body:
            cell, value = (*car, body["timestamp_us"], body["telemetry_name"]), body["telemetry_value"]
            bad = value != value
            units = [(cell, int(value) if body["telemetry_name"] == "gear" and not bad else value, bad)]
        else:
            names = [n for n, v in body.items() if isinstance(v, list) and n not in ("t_us", "lap_number")]
            sample = lambda i: tuple(body[n][i] for n in names)  # noqa: E731, B023
            units = [((*car, t), sample(i), False) for i, t in enumerate(body["t_us"])]
        for key, value, bad in units:
            new = not bad and key not in table
            kept = table.setdefault(key, value) if not bad else None
            count["quarantined" if bad else "written" if new else "repeats" if kept == value else "conflicts"] += 1
    return count


def test_the_account_is_what_counting_by_hand_gives(undisturbed, messages, rows) -> None:
    lake, account = undisturbed
    wanted = expected_account(messages)
    assert {k: account[k] for k in wanted} == wanted
    assert min(wanted.values()) > 15  # every kind is there
    assert account["messages"] == len(messages)
    table = rows(lake, "silver.telemetry")
    assert table["n_readings"].sum() == account["written"]
    conflicts = rows(lake, "silver.conflicts")
    assert conflicts.height == account["conflicts"]
    assert conflicts["channel"].null_count() == 0
    of_frames = conflicts.filter(pl.col("vehicle_id").str.starts_with("sim"))
    assert set(of_frames["channel"]) == {"speed_kmh", "rpm"}
    assert rows(lake, "silver.quarantine").height == account["quarantined"]


def test_the_first_value_of_a_cell_is_kept(undisturbed, messages, rows) -> None:
    first: dict[tuple[str, int], float] = {}
    for m in messages:
        body = json.loads(m.payload or b"")
        if body.get("telemetry_name") == "speed" and body["telemetry_value"] == body["telemetry_value"]:
            first.setdefault((body["vehicle_id"], body["timestamp_us"]), body["telemetry_value"])
    table = rows(undisturbed[0], "silver.telemetry").filter(pl.col("vehicle_id").str.starts_with("GR86"))
    table = table.drop_nulls("speed_kmh").with_columns(pl.col("ecu_ts").dt.epoch("us"))
    assert {(v, t): s for v, t, s in table.select("vehicle_id", "ecu_ts", "speed_kmh").iter_rows()} == first


@pytest.mark.parametrize(("seed", "cuts"), [(0, 2), (1, 4)])
def test_batches_cut_anywhere_give_the_same(undisturbed, new_lake, messages, to_bronze, rows, seed, cuts) -> None:
    at = sorted(np.random.default_rng(seed).choice(len(messages), cuts, replace=False))
    batches = [messages[a:b] for a, b in zip([0, *at], [*at, len(messages)], strict=True)]
    lake = new_lake("home")
    account = total(promote(lake, batches, to_bronze))
    assert account == undisturbed[1]
    assert_same(lake, undisturbed[0], rows)


def test_a_machine_in_another_time_zone_writes_the_same(
    undisturbed, new_lake, messages, to_bronze, rows, monkeypatch
) -> None:
    half = len(messages) // 2
    monkeypatch.setenv("TZ", "America/Chicago")
    time.tzset()
    try:
        lake = new_lake("home")
        account = total(promote(lake, [messages[:half], messages[half:]], to_bronze))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert account == undisturbed[1]
    assert_same(lake, undisturbed[0], rows)


def test_a_second_replay_adds_nothing(undisturbed, new_lake, messages, to_bronze, rows) -> None:
    lake, first = new_lake("again", undisturbed[0]), undisturbed[1]
    again = [s._replace(kafka_offset=s.kafka_offset + len(messages)) for s in messages]
    silver = SilverProcessor(lake, "run")
    before = rows(lake, "silver.telemetry")
    second = silver.process_raw_to_silver(to_bronze(again), 1, "silver:a")
    assert stale_vehicles(lake).isEmpty()
    assert_frame_equal(rows(lake, "silver.telemetry"), before)
    assert second is not None
    assert (second.written, second.units, second.quarantined) == (0, first["units"], first["quarantined"])
    assert second.conflicts == first["conflicts"]
    assert second.repeats == first["written"] + first["repeats"]
    assert silver.process_raw_to_silver(to_bronze(again), 1, "silver:a") is None
    assert accounted(lake, rows)["units"] == 2 * first["units"]


STEPS = ("silver.quarantine", "silver.conflicts", "ops.reconciliation", "ops.dq_results", "fill", "silver.telemetry")


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def kill_after(monkeypatch) -> Callable[[Lake, str], None]:
    """Make a lake end the process right after its next write of a step."""

    def arrange(lake: Lake, step: str) -> None:
        append, append_table, fill = lake.append, lake.append_table, telemetry_on_driver.set_columns

        def killing_append(df, name, txn=None) -> None:
            append(df, name, txn)
            if name == step:
                raise KilledError(step)

        def killing_append_table(name, rows, txn=None) -> None:
            append_table(name, rows, txn)
            if name == step:
                raise KilledError(step)

        def killing_fill(*args) -> None:
            fill(*args)
            if step == "fill":
                raise KilledError(step)

        monkeypatch.setattr(lake, "append", killing_append)
        monkeypatch.setattr(lake, "append_table", killing_append_table)
        monkeypatch.setattr(telemetry_on_driver, "set_columns", killing_fill)

    return arrange


@pytest.fixture(scope="module")
def half_done(new_lake, messages, to_bronze) -> tuple[Lake, list[Stored]]:
    """A lake with the first half in silver and all in bronze, and the second half."""
    lake, half = new_lake("home"), len(messages) // 2 + 3
    lake.append(to_bronze(messages), TELEMETRY.bronze)
    SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(messages[:half]), 0, "silver:a")
    return lake, messages[half:]


def test_a_car_that_lost_all_its_samples_has_no_clock(lake: Lake, rows) -> None:
    clock = {"session_id": "s", "vehicle_id": "gone", "segment": 0, "offset_us": 1}
    exchange_rows(lake, "silver.clock_offsets", [clock], sessions_part(["s"]), "run")
    update_event_times(lake, "run", [("s", "gone")])
    assert rows(lake, "silver.clock_offsets").is_empty()


def test_rows_of_a_car_that_drives_stay_while_they_are_off_by_little(lake, to_bronze, rows) -> None:
    silver, car = SilverProcessor(lake, "run"), {("test", "sim-1")}

    def drive(batch: int, delay_us: int, **given) -> set[tuple[str, str]]:
        at = T0 + batch * 100_000
        sent = frame([at], speed_kmh=[90.0], arrival_us=at + delay_us)
        silver.process_raw_to_silver(
            to_bronze([s._replace(kafka_offset=batch) for s in stored([sent])]), batch, "silver:a"
        )
        return update_event_times(lake, "run", car, **given)

    def shifts() -> list[int]:
        found = rows(lake, "silver.telemetry").sort("ecu_ts")
        return (found["event_ts"] - found["ecu_ts"]).dt.total_microseconds().to_list()

    def known_us() -> list[int]:
        assert stale_vehicles(lake).isEmpty()
        return rows(lake, "silver.clock_offsets")["offset_us"].to_list()

    low = 10_000
    assert drive(0, low + STEADY_US, may_stay=car) == set()  # nothing was known of it
    assert drive(1, low, may_stay=car) == car
    assert (shifts(), known_us()) == ([low + STEADY_US] * 2, [low])
    assert drive(2, 20_000, may_stay=car) == car
    assert (shifts(), known_us()) == ([low + STEADY_US] * 2 + [low], [low])  # what comes follows what is known
    assert drive(3, low - 1, may_stay=car) == set()
    assert (shifts(), known_us()) == ([low - 1] * 4, [low - 1])
    assert drive(4, low - 2, may_stay=car) == car
    assert drive(5, 60_000) == set()
    assert (shifts(), known_us()) == ([low - 2] * 6, [low - 2])


def test_a_batch_killed_after_each_step_is_completed(
    undisturbed, half_done, new_lake, kill_after, to_bronze, rows, monkeypatch
) -> None:
    lake, rest = new_lake("copy", half_done[0]), to_bronze(half_done[1])
    for step in STEPS:  # the retry after one kill is killed one step later
        kill_after(lake, step)
        with pytest.raises(KilledError, match=step):
            SilverProcessor(lake, "run").process_raw_to_silver(rest, 1, "silver:a")
        monkeypatch.undo()
    assert SilverProcessor(lake, "run").process_raw_to_silver(rest, 1, "silver:a") is None
    update_event_times(lake, "run")
    assert_same(lake, undisturbed[0], rows)
    assert accounted(lake, rows) == undisturbed[1]
    assert checked(lake, rows) == checked(undisturbed[0], rows)


@pytest.mark.parametrize("step", ["silver.conflicts", "ops.reconciliation", "ops.dq_results", "fill"])
def test_a_checkpoint_lost_after_a_kill_costs_nothing(
    undisturbed, half_done, new_lake, kill_after, to_bronze, rows, monkeypatch, step
) -> None:
    lake, rest = new_lake("copy", half_done[0]), half_done[1]
    kill_after(lake, step)
    with pytest.raises(KilledError):
        SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(rest), 1, "silver:a")
    monkeypatch.undo()
    # A new checkpoint is a new generation of the query; it reads bronze from its beginning.
    SilverProcessor(lake, "run").process_raw_to_silver(lake.read(TELEMETRY.bronze), 0, "silver:b")
    update_event_times(lake, "run")
    assert_same(lake, undisturbed[0], rows)
    assert accounted(lake, rows) == undisturbed[1]
    assert checked(lake, rows) == checked(undisturbed[0], rows)


def test_a_car_that_sends_both_forms_has_one_row_an_instant(lake, to_bronze, rows) -> None:
    both = [
        reading("speed", 90.0, T0, session_id="test", vehicle_id="sim-1"),
        frame([T0, T0 + 1], speed_kmh=[90.0, 91.0]),
        frame([T0], speed_kmh=[80.0]),
    ]
    balance = SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(stored(both)), 0, "silver:a")
    assert balance is not None
    assert (balance.written, balance.repeats, balance.conflicts) == (2, 1, 1)
    assert rows(lake, "silver.telemetry")["speed_kmh"].to_list() == [90.0, 91.0]


@pytest.mark.parametrize("driver_max_samples", [0, 200_000])
def test_a_car_whose_number_changes_is_one(new_lake, to_bronze, rows, driver_max_samples: int) -> None:
    lake = new_lake("one-car", driver_max_samples=driver_max_samples)
    unset, other, said = "GR86-004-000", "GR86-004-78", {"original_vehicle_id": "GR86-009-58"}
    first = [reading("speed", 90.0, T0, vehicle_id=unset), reading("speed", 91.0, T0, vehicle_id="GR86-009-5", **said)]
    then = [
        reading("speed", 92.0, T0 + 1, vehicle_id=other),
        reading("speed", 93.0, T0, vehicle_id=unset),
        reading("speed", 94.0, T0 + 1, vehicle_id="GR86-009-58"),
    ]
    messages = stored(first + then)
    one, two = promote(lake, [messages[:2], messages[2:]], to_bronze)
    assert (one.written, two.written, two.conflicts) == (2, 2, 1)
    table = rows(lake, "silver.telemetry").sort("vehicle_id", "ecu_ts")
    assert table.select("vehicle_id", "speed_kmh").rows() == [
        (unset, 90.0),
        (unset, 92.0),
        ("GR86-009-58", 91.0),
        ("GR86-009-58", 94.0),
    ]
    assert dict(rows(lake, "silver.vehicle_ids").select("chassis", "vehicle_id").rows()) == {
        "GR86-004": unset,
        "GR86-009": "GR86-009-58",
    }


@pytest.mark.parametrize("driver_max_samples", [0, 200_000])
def test_as_many_sources_and_ids_of_a_car_as_messages(new_lake, to_bronze, rows, driver_max_samples: int) -> None:
    lake = new_lake("sources", driver_max_samples=driver_max_samples)
    sent = [reading("speed", n / 2, T0 + n, vehicle_id=f"GR86-004-{n}") for n in range(600)]
    sources = ["".join(chr(ord("a") + int(digit)) for digit in f"{n:03}") for n in range(599)] + [None]
    messages = [m._replace(source=source) for m, source in zip(stored(sent), sources, strict=True)]
    (balance,) = promote(lake, [messages], to_bronze)
    assert balance.written == 600
    table = rows(lake, "silver.telemetry").sort("ecu_ts")
    assert table["source"].to_list() == sources
    assert set(table["bronze_topic"]) == {"telemetry.raw"}
    assert set(table["vehicle_id"]) == {"GR86-004-1"}
    assert table["speed_kmh"].to_list() == [n / 2 for n in range(600)]
