from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from conf.errors import InputError
from conf.identifiers import IdentifierError
from producers.replay.files import find_files
from producers.replay.naming import Naming
from producers.replay.plan import ReplayPlan, make_replay_plan
from producers.replay.reader import read_telemetry
from producers.replay.sessions import SessionError

LAPS = (
    "expire_at,lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,timestamp,vehicle_id,"
    "vehicle_number"
)
TELEMETRY = LAPS.replace("outing,", "outing,telemetry_name,telemetry_value,")
WEATHER = "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP;TRACK_TEMP;HUMIDITY;PRESSURE;WIND_SPEED;WIND_DIRECTION;RAIN"
RESULTS = "POSITION;NUMBER;STATUS;LAPS;TOTAL_TIME;GAP_FIRST;GAP_PREVIOUS;FL_LAPNUM;FL_TIME;FL_KPH"


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def laps(path: Path, *sessions: str, event: str = "E") -> Path:
    return write(
        path, LAPS, *(f",3,{event},{s},feed,2025-01-01T00:00:01Z,C,0,2025-01-01T00:00:00Z,C,7" for s in sessions)
    )


def telemetry(path: Path, *sessions: str) -> Path:
    rows = (f",3,E,{s},feed,2025-01-01T00:00:01Z,C,0,aps,{k},2025-01-01T00:00:00Z,C,7" for k, s in enumerate(sessions))
    return write(path, TELEMETRY, *rows)


def weather(path: Path, air: float = 29.5) -> Path:
    return write(path, WEATHER, f"1735689600;x;{air};40;56.75;992.5;5.04;280;0")


def plan(*paths: Path, session: str | Sequence[str] = (), rename: bool = False) -> ReplayPlan:
    given = [session] if isinstance(session, str) else session
    made = make_replay_plan(find_files(paths)[0], Naming.parse(given, accept_offers=rename))
    made.check()
    return made


def sessions(made: ReplayPlan) -> dict[str, tuple[str, ...]]:
    telemetry = {each.path.name: each.sessions for each in made.telemetry}
    return {each.sheet.path.name: each.sessions for each in made.sheets} | telemetry


def short_telemetry(path: Path) -> Path:
    columns = "lap,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number"
    return write(path, columns, "3,2025-01-01T00:00:01Z,aps,1,2025-01-01T00:00:00Z,C,7")


def test_a_file_gets_its_session_from_its_name_and_its_folder(tmp_path: Path):
    laps(tmp_path / "lap_end_R1.csv", "R1")
    weather(tmp_path / "Weather_Race 2.csv")
    weather(tmp_path / "Weather.csv", 20.0)
    made = plan(tmp_path)
    assert sessions(made) == {
        "lap_end_R1.csv": ("E-R1",),
        "Weather.csv": ("E-R1",),
        "Weather_Race 2.csv": ("E-R2",),
    }
    assert json.loads(made.sheets[1].records[0][1])["session_id"] == "E-R2"


def test_named_alone_it_gets_the_same(tmp_path: Path):
    laps(tmp_path / "lap_end_R1.csv", "R1")
    assert sessions(plan(weather(tmp_path / "Weather_R1.csv"))) == {"Weather_R1.csv": ("E-R1",)}


def test_telemetry_is_asked_where_lap_events_leave_it_open(tmp_path: Path):
    telemetry(tmp_path / "telemetry.csv", "R1", "R2")
    assert sessions(plan(weather(tmp_path / "Weather_R2.csv"))) == {"Weather_R2.csv": ("E-R2",)}
    laps(tmp_path / "lap_end_R1.csv", "R1")
    with pytest.raises(SessionError, match="its name does not say which race of E-R1, E-R2 it is"):
        plan(weather(tmp_path / "Weather.csv"))


def test_folders_do_not_mix(tmp_path: Path):
    laps(tmp_path / "a" / "lap_end.csv", "R1")
    laps(tmp_path / "b" / "lap_start.csv", "R1", event="F")
    weather(tmp_path / "a" / "Weather_Race 1.csv")
    weather(tmp_path / "b" / "Weather_Race 1.csv")
    made = plan(tmp_path)
    assert [each.sessions for each in made.sheets] == [("E-R1",), ("E-R1",), ("F-R1",), ("F-R1",)]
    assert made.copies == ()


def test_a_file_that_cannot_be_placed_is_an_error_of_the_whole_run(tmp_path: Path):
    laps(tmp_path / "a" / "lap_end.csv", "R1")
    weather(tmp_path / "b" / "Weather_Race 1.csv")
    with pytest.raises(
        SessionError, match=r"Weather_Race 1\.csv: .* no file beside it says .* name it with --session ID"
    ):
        plan(tmp_path)
    assert ("mine",) in sessions(plan(tmp_path / "b", session="mine")).values()


def test_a_damaged_neighbour_says_nothing(tmp_path: Path):
    laps(tmp_path / "lap_end.csv", "R1")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    write(tmp_path / "lap_start.csv", LAPS, "short")
    write(tmp_path / "telemetry.csv", TELEMETRY, "short")
    assert sessions(plan(weather(tmp_path / "Weather.csv"))) == {"Weather.csv": ("E-R1",)}


def test_the_users_session_and_a_folder_that_says_its_own(tmp_path: Path):
    laps(tmp_path / "lap_end_R1.csv", "R1")
    laps(tmp_path / "lap_end_R2.csv", "R2")
    weather(tmp_path / "Weather.csv")
    weather(tmp_path / "Weather_R2.csv", 20.0)
    assert sessions(plan(tmp_path, session="E-R1")) == {
        "Weather.csv": ("E-R1",),
        "Weather_R2.csv": ("E-R2",),
        "lap_end_R1.csv": ("E-R1",),
        "lap_end_R2.csv": ("E-R2",),
    }
    with pytest.raises(SessionError, match=r"--session other: the files say E-R1, E-R2; .* --session 'E-R1=other'"):
        plan(tmp_path, session="other")
    with pytest.raises(SessionError, match="--session E-R1 contradicts the data, which say E-R2"):
        plan(tmp_path / "lap_end_R2.csv", session="E-R1")


def weekend(folder: Path) -> Path:
    """A weekend as it is published: two races, and telemetry of the first that does not say its session."""
    laps(folder / "R1_lap_end.csv", "R1")
    laps(folder / "R2_lap_end.csv", "R2")
    weather(folder / "Weather_Race 1.csv")
    weather(folder / "Weather_Race 2.csv", 20.0)
    telemetry(folder / "R1_telemetry.csv", "R1")
    short_telemetry(folder / "fastest_r1.csv")
    return folder


def test_a_folder_lends_its_sessions_to_telemetry_that_does_not_say_its_own(tmp_path: Path):
    made = plan(weekend(tmp_path))
    assert sessions(made)["fastest_r1.csv"] == sessions(made)["R1_telemetry.csv"] == ("E-R1",)
    assert (made.readings, made.events, made.left_out) == (2, 4, 0)
    assert sessions(plan(tmp_path / "fastest_r1.csv"))["fastest_r1.csv"] == ("E-R1",)
    short_telemetry(tmp_path / "fastest.csv")
    with pytest.raises(SessionError, match=r"fastest\.csv: .* does not say which race of E-R1, E-R2 it is"):
        plan(tmp_path)


@pytest.mark.parametrize("given", ["barber-R1", "E-R1=barber-R1"])
def test_a_session_of_the_users_renames_the_one_that_it_speaks_of(tmp_path: Path, given: str):
    made = plan(weekend(tmp_path), session=given)
    of = {name: ("barber-R1",) if "1" in name else ("E-R2",) for name in sessions(made)}
    assert sessions(made) == of
    assert made.notes == ("session 'E-R1' is sent as barber-R1",)
    assert dict(made.telemetry[0].placement.sessions) == {"E-R1": "barber-R1"}
    values = [json.loads(value) for sheet in made.sheets for _, value, _ in sheet.records]
    assert {value["session_id"] for value in values} == {"barber-R1", "E-R2"}
    assert {value.get("meta_session") for value in values} == {"R1", "R2", None}  # what the files said stays


def test_each_race_may_be_renamed(tmp_path: Path):
    for given in (["barber-R1", "barber-R2"], ["E-R1=barber-R1", "barber-R2"]):
        made = plan(weekend(tmp_path), session=given)
        assert set(sessions(made).values()) == {("barber-R1",), ("barber-R2",)}
    assert sessions(plan(laps(tmp_path / "one" / "lap_end.csv", "R1"), session="mine")) == {"lap_end.csv": ("mine",)}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["E-R1=x", "E-R2=x"], "would all be sent as x"),
        (["E-R1=E-R2"], "would all be sent as E-R2"),
        (["E-R9=x"], "no file says E-R9; they say E-R1, E-R2"),
        (["barber-R3"], "--session barber-R3: the files say E-R1, E-R2"),
        (["E-R3"], "--session E-R3 contradicts the data, which say E-R1, E-R2"),
    ],
)
def test_renames_that_cannot_be(tmp_path: Path, given: list[str], says: str):
    with pytest.raises(InputError, match=says):
        plan(weekend(tmp_path), session=given)


@pytest.mark.parametrize("given", [["E-R1=a", "E-R1=b"], ["a b"], ["E-R1=a|b"], [""], ["E-R1="]])
def test_options_that_cannot_be(given: list[str]):
    with pytest.raises(InputError, match="session"):
        Naming.parse(given)


def test_ids_that_the_contracts_refuse_are_offered_others(tmp_path: Path):
    text = telemetry(tmp_path / "telemetry.csv", "Race 1").read_text()
    write(tmp_path / "telemetry.csv", text.replace(",C,7", ",Nürburg 7|ü,7").replace(",C,0,", ",,0,"))
    laps(tmp_path / "lap_end.csv", "Race 1")
    with pytest.raises(
        IdentifierError, match=r"session 'E-Race 1' -> E-Race-1 \(2 messages\); vehicle 'Nürburg 7\|ü' ->"
    ):
        plan(tmp_path)
    made = plan(tmp_path, rename=True)
    assert set(sessions(made).values()) == {("E-Race-1",)}
    (file,) = made.telemetry
    frame = read_telemetry(file.path, file.placement).frame
    assert frame.select("session_id", "vehicle_id", "original_vehicle_id").row(0) == (
        "E-Race-1",
        "Nurburg-7-u",
        "Nürburg 7|ü",
    )
    with pytest.raises(IdentifierError, match="vehicle"):
        plan(tmp_path, session="E-Race 1=mine")


def test_two_ids_never_become_one(tmp_path: Path):
    laps(tmp_path / "lap_end.csv", "Race 1")
    laps(tmp_path / "more" / "lap_end.csv", "Race-1")
    with pytest.raises(IdentifierError, match="sessions 'E-Race 1', 'E-Race-1' would all be sent as E-Race-1"):
        plan(tmp_path, rename=True)


def test_one_session_for_two_races_is_an_error(tmp_path: Path):
    for number in (1, 2):
        weather(tmp_path / f"Weather_Race {number}.csv", number)
    with pytest.raises(
        SessionError, match=r"--session mine would put several races .* \(R1: .*, R2: .*one race at a time"
    ):
        plan(tmp_path, session="mine")
    assert sessions(plan(tmp_path / "Weather_Race 1.csv", session="mine")) == {"Weather_Race 1.csv": ("mine",)}


def test_lines_without_a_session(tmp_path: Path):
    path = laps(tmp_path / "lap_end.csv", "R1", "", "R2")
    (sheet,) = plan(path).sheets
    assert (sheet.sessions, len(sheet.records)) == (("E-R1", "E-R2"), 2)
    assert [(bad.line, bad.reason) for bad in sheet.malformed] == [(3, "no meta_event or meta_session")]
    path = laps(tmp_path / "lap_end.csv", "R1", "")
    (sheet,) = plan(path, session="E-R1").sheets
    assert (sheet.sessions, len(sheet.records), sheet.malformed) == (("E-R1",), 2, ())
    (lent,) = plan(path).sheets
    assert (lent.records, lent.notes) == (sheet.records, ("1 lines without session, sent as E-R1 like the others",))


def test_lap_events_without_any_session_are_placed_like_the_rest(tmp_path: Path):
    laps(tmp_path / "lap_start_R1.csv", "R1")
    assert sessions(plan(laps(tmp_path / "lap_end_R2.csv", "")))["lap_end_R2.csv"] == ("E-R2",)


def test_the_lines_count_and_not_the_name(tmp_path: Path):
    (sheet,) = plan(laps(tmp_path / "lap_end_R2.csv", "R1")).sheets
    assert sheet.sessions == ("E-R1",)
    assert sheet.notes == ("named R2, but its lines say E-R1",)
    (sheet,) = plan(laps(tmp_path / "lap_end_R1.csv", "R1", "R2")).sheets
    assert sheet.notes == ()


def test_a_copy_is_left_out_and_named(tmp_path: Path):
    original = laps(tmp_path / "lap_end_R1.csv", "R1")
    shutil.copy(original, tmp_path / "lap_end_R2.csv")
    (tmp_path / "more").mkdir()
    shutil.copy(original, tmp_path / "more" / "lap_end.csv")
    made = plan(tmp_path)
    assert sessions(made) == {"lap_end_R1.csv": ("E-R1",)}
    assert made.copies == (
        (tmp_path / "lap_end_R2.csv", "is a copy of lap_end_R1.csv; named R2, but its lines say E-R1"),
        (tmp_path / "more" / "lap_end.csv", f"is a copy of {original}"),
    )


def test_the_same_bytes_may_say_different_things(tmp_path: Path):
    original = laps(tmp_path / "lap_end_R1.csv", "R1")
    shutil.copy(original, tmp_path / "lap_time_R1.csv")
    for name in ("Provisional Results R1.csv", "Official Results R1.csv"):
        write(tmp_path / name, RESULTS, "1;13;Classified;27;45:15.035;-;-;8;1:37.428;136.8")
    for number in (1, 2):
        weather(tmp_path / f"Weather_R{number}.csv")
    made = plan(tmp_path)
    assert (len(made.sheets), made.copies) == (6, ())
    ids = [event_id for sheet in made.sheets for _, _, event_id in sheet.records]
    assert len(set(ids)) == 5  # one form and one content are one identity, whatever the session


def test_copies_of_telemetry(tmp_path: Path):
    original = telemetry(tmp_path / "a.csv", "R1")
    shutil.copy(original, tmp_path / "b.csv")
    telemetry(tmp_path / "c.csv", "R2")  # of equal size
    made = plan(tmp_path)
    assert [file.path.name for file in made.telemetry] == ["a.csv", "c.csv"]
    assert made.copies == ((tmp_path / "b.csv", "is a copy of a.csv"),)


def test_a_second_plan_gives_the_same_messages(tmp_path: Path):
    laps(tmp_path / "lap_end_R1.csv", "R1", "R1")
    weather(tmp_path / "Weather_R1.csv")
    assert plan(tmp_path) == plan(tmp_path)


@pytest.mark.parametrize(
    ("place", "events", "found", "copies"),
    [
        ("barber", 4898, {"I_R06_2025-09-07-R1", "I_R06_2025-09-07-R2"}, []),
        ("vir", 3486, {"I_R04_2025-07-20-R1", "I_R04_2025-07-20-R2"}, ["vir_lap_time_R2.csv"]),
        ("indianapolis", 4203, {"I_R07_2025-10-19-R1", "I_R07_2025-10-19-R2"}, []),
    ],
)
def test_the_published_folders(data_dir: Path, place: str, events: int, found: set[str], copies: list[str]):
    made = plan(data_dir / "grcup" / place)
    assert sum(len(sheet.records) for sheet in made.sheets) == events
    assert {session for sheet in made.sheets for session in sheet.sessions} == found
    assert [path.name for path, _ in made.copies] == copies
    for sheet in made.sheets:
        assert len(sheet.sessions) == 1
        assert sheet.malformed == ()
        assert any(
            f"{'R' if race == 'R' else 'Race '}{sheet.sessions[0][-1]}" in sheet.sheet.path.name
            for race in ("R", "Race")
        )
