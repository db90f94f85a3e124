"""The gate: what is not what it should be is refused with its reason, and costs its neighbours nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medallion.io import Lake
from medallion.silver.promote_telemetry import SilverProcessor
from tests.spark.messages import FRAME, READING, T0, Message, frame, message, reading, stored

GOOD = [
    reading("speed", 111.0),
    reading("nmot", 5000.0, note={"braces in": "a text }{ ]}, [{"}),
    frame([T0, T0 + 33_333], speed_kmh=[100.0, 101.0], rpm=[5000.0, None], gear=[3, 3]),
]
BIG = json.dumps({"session_id": "test", "vehicle_id": "sim-1", "t_us": [T0], "note": "x" * 10_000_000}).encode()

ONE = reading(t_us=T0 + 10).payload or b""

# name: message, (rule, column) of each reason, in the units it makes
POISON: dict[str, tuple[Message, list[set[tuple[str, str]]]]] = {
    "null payload": (Message("k", READING, None), [{("empty_payload", "payload")}]),
    "no bytes": (Message("k", FRAME, b""), [{("empty_payload", "payload")}]),
    "bad UTF-8": (
        Message("k", READING, reading().payload.replace(b"GR86", b"\xff\xfe\xfa")),  # type: ignore[union-attr]
        [{("invalid_utf8", "payload")}],
    ),
    "nothing but bad bytes": (
        Message("k", FRAME, b"\xff\xfe"),
        [{("invalid_utf8", "payload"), ("not_this_event", "payload")}],
    ),
    "cut in the middle of a character": (
        Message("k", FRAME, b'{"session_id": "\xf0\x9f'),
        [{("invalid_utf8", "payload"), ("not_this_event", "payload")}],
    ),
    "not JSON": (Message("k", READING, b"speed=100"), [{("not_this_event", "payload")}]),
    "cut short": (Message("k", FRAME, GOOD[2].payload[:-30]), [{("not_this_event", "payload")}]),  # type: ignore[index]
    "an array, no object": (message([json.loads(reading().payload or "")], READING), [{("not_this_event", "payload")}]),
    "two objects": (Message("k", READING, ONE + ONE), [{("not_this_event", "payload")}]),
    "two lines": (Message("k", READING, ONE + b"\n" + ONE), [{("not_this_event", "payload")}]),
    "two in a list": (Message("k", READING, b"[" + ONE + b"," + ONE + b"]"), [{("not_this_event", "payload")}]),
    "one in a list": (Message("k", READING, b"[" + ONE + b"]"), [{("not_this_event", "payload")}]),
    "an object and more": (
        Message("k", FRAME, (frame([T0]).payload or b"") + b" and more"),
        [{("not_this_event", "payload")}],
    ),
    "an object and a list's end": (Message("k", READING, ONE + b"] {}"), [{("not_this_event", "payload")}]),
    "an object and a short list": (Message("k", READING, ONE + b",0] {}"), [{("not_this_event", "payload")}]),
    "an object and another's key": (Message("k", READING, ONE + b',"x":{}'), [{("not_this_event", "payload")}]),
    "text in a number": (reading(value="fast"), [{("not_this_event", "payload")}]),
    "text in a number array": (frame([T0], speed_kmh=["fast"]), [{("not_this_event", "payload")}]),
    "object in a number": (reading(value={"kmh": 3}), [{("not_this_event", "payload")}]),
    "object for an array": (frame([T0], rpm={"0": 1}), [{("not_this_event", "payload")}]),
    "10 MB of nothing": (
        Message("k", FRAME, BIG.replace(b'"t_us": [1757181600000000]', b'"t_us": "now"')),
        [{("not_this_event", "payload")}],
    ),
    "no event type": (reading()._replace(event_type=None), [{("missing_event_type", "ce_type")}]),
    "unknown event type": (reading()._replace(event_type="slipstream.frame.v9"), [{("unknown_event_type", "ce_type")}]),
    "uneven arrays": (
        frame([T0, T0 + 1], speed_kmh=[1.0], rpm=[1.0, 2.0, 3.0]),
        [{("arrays_of_unequal_length", "speed_kmh"), ("arrays_of_unequal_length", "rpm")}],
    ),
    "empty frame": (frame([], speed_kmh=[]), [{("empty_frame", "t_us")}]),
    "no clock": (frame([T0], t_us=None, speed_kmh=[1.0]), [{("missing_field", "t_us")}]),
    "NaN in a reading": (reading(value=float("nan")), [{("speed_possible", "speed_kmh")}]),
    "infinite": (reading("nmot", float("inf")), [{("rpm_possible", "rpm")}]),
    "NaN in a frame": (
        frame([T0 + 50, T0 + 51], speed_kmh=[float("nan"), 99.0]),
        [{("speed_possible", "speed_kmh")}],
    ),
    "unknown channel": (reading("warp_factor"), [{("unknown_channel", "telemetry_name")}]),
    "channel of another dialect": (reading("rpm", dialect="grcup"), [{("unknown_channel", "telemetry_name")}]),
    "unknown dialect": (
        reading(dialect="f1"),
        [{("dialect_known", "dialect"), ("unknown_channel", "telemetry_name")}],
    ),
    "no value": (reading(value=None), [{("telemetry_value_present", "value")}]),
    "no session": (reading(session_id=None), [{("session_id_present", "session_id")}]),
    "a session that is no id": (reading(session_id="x'; drop"), [{("session_id_form", "session_id")}]),
    **{
        f"an id and {end!r}": (reading(session_id=f"test{end}"), [{("session_id_form", "session_id")}])
        for end in ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029")
    },
    "a vehicle and a line end": (frame([T0], vehicle_id="sim-1\n"), [{("vehicle_id_form", "vehicle_id")}]),
    "no vehicle": (frame([T0], vehicle_id=None), [{("vehicle_id_present", "vehicle_id")}]),
    "no timestamp": (reading(t_us=None), [{("timestamp_present", "t_us")}]),
    "a timestamp in seconds": (reading(t_us=T0 // 1_000_000, meta_time_us=T0), [{("timestamp_plausible", "t_us")}]),
    "a timestamp beyond the calendar": (
        reading(t_us=9 * 10**18, meta_time_us=T0),
        [{("timestamp_plausible", "t_us")}],
    ),
    "arrival before the first computer": (
        reading(t_us=T0 + 1, meta_time_us=-9 * 10**18),
        [{("arrival_plausible", "arrival_us")}],
    ),
    "arrival of a frame in seconds": (
        frame([T0 + 90], speed_kmh=[1.0], arrival_us=T0 // 1_000_000),
        [{("arrival_plausible", "arrival_us")}],
    ),
    "frame of another century": (frame([1, T0 + 60], speed_kmh=[1.0, 2.0]), [{("t_us_plausible", "t_us")}]),
    "speed out of range": (reading(value=401.0), [{("speed_possible", "speed_kmh")}]),
    "two faults in one sample": (
        frame([T0 + 70], speed_kmh=[-1.1], gear=[11]),
        [{("speed_possible", "speed_kmh"), ("gear_possible", "gear")}],
    ),
    "two faulty samples": (
        frame([T0 + 80, T0 + 81, T0 + 82], rpm=[20_001.0, 1.0, -1.0]),
        [{("rpm_possible", "rpm")}, {("rpm_possible", "rpm")}],
    ),
}


@pytest.fixture(scope="module")
def poisoned(spark, tmp_path_factory, jars_dir, to_bronze, rows) -> dict[str, Any]:
    """Every kind of poison in one batch, good messages before, between and behind."""
    from conf.settings import AppConfig

    home = AppConfig(slipstream_home=tmp_path_factory.mktemp("poison"), slipstream_jars=jars_dir, _env_file=None)
    lake = Lake(spark, home)
    bad = [m for m, _ in POISON.values()]
    messages = stored([GOOD[0], *bad[:9], GOOD[1], *bad[9:], GOOD[2]], partitions=1)
    balance = SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(messages), 0, "silver:a")
    offsets = {s.payload: s.kafka_offset for s in messages}
    refused: dict[int, list[dict[str, Any]]] = {}
    for row in rows(lake, "silver.quarantine").to_dicts():
        refused.setdefault(row["bronze_offset"], []).append(row)
    # Identical payloads (with another type) tell apart by position.
    place = {name: s.kafka_offset for name, s in zip(POISON, [*messages[1:10], *messages[11:-1]], strict=True)}
    return {"lake": lake, "balance": balance, "refused": refused, "place": place, "offsets": offsets}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_refused_with_its_reasons(poisoned, name) -> None:
    units = poisoned["refused"].get(poisoned["place"][name], [])
    found = [{(r["rule"], r["column_name"]) for r in unit["reasons"]} for unit in units]
    assert found == POISON[name][1]


def test_only_poison_is_refused(poisoned) -> None:
    assert set(poisoned["refused"]) == set(poisoned["place"].values())


def test_a_refused_message_shows_its_text(poisoned) -> None:
    shown = {name: poisoned["refused"][poisoned["place"][name]][0]["payload_excerpt"] for name in POISON}
    assert shown["not JSON"] == "speed=100"
    assert bytes.fromhex(shown["bad UTF-8"])[:20] in POISON["bad UTF-8"][0].payload
    assert len(shown["10 MB of nothing"]) == 500


def test_the_good_are_written_and_the_balance_closes(poisoned, rows) -> None:
    balance = poisoned["balance"]
    n_bad = sum(len(units) for _, units in POISON.values())
    good_beside_bad = 1 + 1 + 1  # samples in the same frames as a NaN, an old clock and two faults
    assert balance.quarantined == n_bad
    assert balance.written == 2 + 2 + good_beside_bad
    assert (balance.repeats, balance.conflicts) == (0, 0)
    assert balance.closes
    assert balance.messages == len(POISON) + len(GOOD)
    table = rows(poisoned["lake"], "silver.telemetry")
    assert table.height == 1 + 2 + good_beside_bad
    car = table.filter(table["vehicle_id"] == "GR86-001-1").to_dicts()[0]
    assert (car["speed_kmh"], car["rpm"], car["n_readings"]) == (111.0, 5000.0, 2)


@pytest.mark.parametrize("driver_max_samples", [0, 200_000])
def test_soft_limits_are_noted_and_kept(new_lake, to_bronze, rows, driver_max_samples: int) -> None:
    lake = new_lake("soft", driver_max_samples=driver_max_samples)
    messages = [reading("nmot", 8100.0), reading("speed", 261.0), reading("gear", 6, T0 + 5)]
    messages.append(frame([T0], rpm=[8100.0], accel_lat_g=[2.6]))
    messages += [reading("speed", -0.4, T0 + 6), frame([T0 + 6, T0 + 7], speed_kmh=[-1.0, None])]
    balance = SilverProcessor(lake, "r").process_raw_to_silver(to_bronze(stored(messages)), 0, "silver:a")
    assert balance is not None
    assert (balance.written, balance.quarantined) == (7, 0)
    table = {(r["vehicle_id"], r["ecu_ts"].microsecond): r for r in rows(lake, "silver.telemetry").to_dicts()}
    noted = {key: r["dq_warnings"] for key, r in table.items()}
    assert noted == {
        ("GR86-001-1", 0): ["speed_gr86", "rpm_gr86"],
        ("GR86-001-1", 5): None,
        ("sim-1", 0): ["rpm_gr86", "accel_lat_gr86"],
        ("GR86-001-1", 6): ["speed_below_zero"],
        ("sim-1", 6): ["speed_below_zero"],
        ("sim-1", 7): None,
    }
    held = [table[key]["speed_kmh"] for key in (("GR86-001-1", 6), ("sim-1", 6), ("sim-1", 7))]
    assert held == [0.0, 0.0, None]
    counted = {r["expectation"]: r["unexpected"] for r in rows(lake, "ops.dq_results").to_dicts()}
    assert (counted["speed_below_zero"], counted["speed_gr86"], counted["speed_possible"]) == (2, 1, 0)
