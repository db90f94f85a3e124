"""Files of race lines as editors, spreadsheets and loggers write them: one road is one line, and no road is refused."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.arrays import FloatArray
from conf.errors import InputError
from conf.vehicle import load_vehicle
from physics.limit_lap.friction_circle import build_friction_circle_envelope
from physics.limit_lap.lap import solve_limit_lap
from physics.limit_lap.race_line import spline_line
from physics.limit_lap.race_line_checks import FEWEST_POINTS, RaceLine, read_race_line
from physics.vehicle import Vehicle

ENVELOPE = build_friction_circle_envelope(Vehicle(load_vehicle("gr86-cup")))


def road(n: int = 400) -> FloatArray:
    """A bent oval of some 1,970 m, a point each five metres, shape (n, 2)."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = 300.0 + 40.0 * np.cos(3 * angle)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def rows(points: FloatArray, header: str = "# x_m,y_m", form: str = "{:.6f},{:.6f}") -> str:
    return "\n".join([header, *(form.format(*point) for point in points)]) + "\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str | bytes], RaceLine]:
    def reader(content: str | bytes) -> RaceLine:
        file = tmp_path / "line.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_race_line(file)

    return reader


Read = Callable[[str | bytes], RaceLine]


def seconds(line: RaceLine) -> float:
    return solve_limit_lap(ENVELOPE, spline_line(line.x_m, line.y_m)).lap_time_s


def test_a_plain_line_is_read_as_it_stands(read: Read) -> None:
    line = read(rows(road()))
    assert np.column_stack([line.x_m, line.y_m]) == pytest.approx(road(), abs=1e-6)
    assert line.notes == ()
    assert read(rows(np.vstack([road(), road()[:1]]))).notes == ()  # closed by its first point, as many files are


def closed(*beside: float) -> FloatArray:
    return np.vstack([road(), road()[0] + beside])


def moved(points: FloatArray, at: int, by: tuple[float, float]) -> FloatArray:
    return np.insert(points, at, points[(at - 1) % len(points)] + by, axis=0)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (closed(0.001, 0.0), "last point lies 0.001 m from the first"),
        (closed(0.3, 0.2), "last point lies 0.361 m from the first"),
        (moved(road(), 200, (0.0001, 0.0)), "1 of 401 points lie less than 1 m .* row 202"),
        (moved(road(), 200, (0.0, 0.0)), "1 of 401 points"),
        (np.repeat(road(), 2, axis=0) + np.tile([[0.0, 0.0], [0.001, -0.001]], (400, 1)), "400 of 800 points"),
        (np.round(road(20_000), 3), "1[0-9]{4} of 20000 points lie less than 4 m"),
    ],
    ids=["closed-by-a-rounded-point", "closed-beside", "repeated-beside", "repeated", "each-twice", "millimetres"],
)
def test_one_road_is_one_lap_however_its_points_repeat(read: Read, points: FloatArray, says: str) -> None:
    line = read(rows(points, form="{:.4f},{:.4f}"))
    assert seconds(line) == pytest.approx(seconds(read(rows(road()))), abs=0.05)
    assert re.search(says, " ".join(line.notes))


WRITTEN = {
    "bom": codecs.BOM_UTF8 + rows(road()).encode(),
    "utf-16": rows(road()).encode("utf-16"),
    "latin-1": rows(road(), "# Línea\n# x_m,y_m").encode("latin-1"),
    "windows-line-ends": rows(road()).replace("\n", "\r\n").encode(),
    "semicolons": rows(road(), "x_m;y_m", "{:.6f};{:.6f}").encode(),
    "decimal-commas": rows(road(), "x_m;y_m", "{:.6f};{:.6f}").replace(".", ",").encode(),
    "tabs": rows(road(), "x\ty", "{:.6f}\t{:.6f}").encode(),
    "spaces": rows(road(), "", "  {:.6f}   {:.6f}").encode(),
    "quotes": rows(road(), '"x_m","y_m"', '"{:.6f}","{:.6f}"').encode(),
    "units-in-brackets": rows(road(), "X [m], Y [m]").encode(),
    "y-first": rows(road()[:, ::-1], "y_m,x_m").encode(),
    "a-comment-of-x-and-y": rows(road(), "# x and y in metres, of a car").encode(),
    "comments-with-commas": ("# Monza, 2024\n# made by hand, twice\n" + rows(road(), "")).encode(),
    "comments-before": ("# made by hand, 2024\n\n" + rows(road())).encode(),
    "comments-behind": rows(road(), form="{:.6f},{:.6f} # a point").encode(),
    "widths": rows(road(), "# x_m,y_m,w_tr_right_m,w_tr_left_m", "{:.6f},{:.6f},7.5,7.3").encode(),
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_the_same_line_in_other_dialects(read: Read, content: bytes) -> None:
    line = read(content)
    assert np.column_stack([line.x_m, line.y_m]) == pytest.approx(road(), abs=1e-6)
    assert line.notes == ()


def with_distance(points: FloatArray) -> FloatArray:
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.column_stack([np.concatenate([[0.0], np.cumsum(steps)]), points])


@pytest.mark.parametrize(
    ("header", "form", "n_notes"),
    [
        ("# s_m,x_m,y_m", "{:.6f},{:.6f},{:.6f}", 0),
        ("# a hash\n# s_m; x_m; y_m; psi_rad", "{:.6f}; {:.6f}; {:.6f}; 0.1", 0),
        ("s,x,y", "{:.6f},{:.6f},{:.6f}", 0),
        ("", "{:.6f},{:.6f},{:.6f}", 1),
    ],
)
def test_distance_first_is_not_taken_for_x(read: Read, header: str, form: str, n_notes: int) -> None:
    line = read(rows(with_distance(road()), header, form))
    assert np.column_stack([line.x_m, line.y_m]) == pytest.approx(road(), abs=1e-6)
    assert len(line.notes) == n_notes


@pytest.mark.parametrize(
    ("named", "unit", "metres"),
    [("km", "km", 1000.0), ("cm", "cm", 0.01), ("ft", "ft", 0.3048), ("feet", "ft", 0.3048), ("Miles", "mi", 1609.344)],
)
def test_another_unit_is_taken_to_metres_where_the_header_names_it(
    read: Read, named: str, unit: str, metres: float
) -> None:
    line = read(rows(road() / metres, f"x_{named},y_{named}", "{:.9f},{:.9f}"))
    assert np.column_stack([line.x_m, line.y_m]) == pytest.approx(road(), abs=1e-3)
    assert f"in {unit}" in line.notes[0]
    assert read(rows(road(), "x_meters,y (metres)")).notes == ()


def test_a_unit_that_only_a_comment_speaks_of_is_not_passed_over(read: Read) -> None:
    (note,) = read(rows(road(), "# all lengths in feet")).notes
    assert note.startswith("Row 1 speaks of ft, and no column does: taken for metres")


EIGHT = np.column_stack([f(np.linspace(0, 2 * np.pi, 300, endpoint=False) * k) for f, k in ((np.sin, 1), (np.sin, 2))])


@pytest.mark.parametrize(
    ("lap", "driven", "row"),
    [
        (road(), np.vstack([road(), road()]), 402),
        (road(), np.vstack([road(), road() * 1.002, road() * 0.998]), 402),
        (road(), np.vstack([road(), road()[:1], road(), road()[:1]]), 402),
        (road(), np.vstack([road(), road()[:5] * 1.001]), 402),
        (road(), np.vstack([road(), road()[:230]]), 402),
        (300.0 * EIGHT, np.vstack([300.0 * EIGHT, 301.0 * EIGHT]), 302),
        (road() / 20, np.vstack([road() / 20, road() / 20]), None),
    ],
    ids=["two", "three-beside", "each-closed", "a-few-points", "one-and-a-half", "an-eight", "a-small-one"],
)
def test_a_lap_that_is_driven_again_is_one_lap(
    read: Read, lap: FloatArray, driven: FloatArray, row: int | None
) -> None:
    line = read(rows(driven))
    assert seconds(line) == pytest.approx(seconds(read(rows(lap))), abs=0.05)
    assert any(f"Rows {row or ''}" in note and "drive the lap again: left out" in note for note in line.notes)


@pytest.mark.parametrize(
    "lap", [road(), road()[::-1], 300.0 * EIGHT, road() / 20], ids=["one", "back", "eight", "small"]
)
def test_no_lap_that_is_driven_once_is_cut(read: Read, lap: FloatArray) -> None:
    assert not [note for note in read(rows(lap)).notes if "again" in note]


def off_the_road(at: int, by: tuple[float, float]) -> FloatArray:
    points = road()
    points[at] += by
    return points


HALF = road()[:200]
SWAPPED = road()[[*range(100), 101, 100, *range(102, 400)]]
REFUSED = {
    "kilometres": (rows(road() / 1000.0), "metres.*kilometres"),
    "degrees": (rows(road() / 111_000.0 + (33.5, -86.6), form="{:.8f},{:.8f}"), "metres.*degrees"),
    "named-degrees": (rows(road(), "latitude,longitude"), "row 1.*project"),
    "named-degrees-in-a-comment": (rows(road(), "# lat_deg, lon_deg"), "row 1.*project"),
    "millimetres": (rows(road() * 1000.0), "km long.*metres"),
    "two-units": (rows(road(), "x_m,y_km"), "x_m and y_km"),
    "angles": (rows(road(), "x_rad,y_rad"), "row 1"),
    "other-columns-in-a-comment": (rows(road(), "# x_ref_m, y_ref_m"), "row 1: columns x_ref_m, y_ref_m"),
    "other-columns": (rows(road(), "east,north"), "row 1: columns east, north"),
    "open": (rows(HALF), "open.*row 201"),
    "a-straight": (rows(np.column_stack([np.arange(0.0, 900.0, 5.0), np.zeros(180)])), "open"),
    "a-tenth-missing-at-the-end": (rows(road()[:360]), "open"),
    "a-piece-missing": (rows(np.delete(road(), range(100, 140), axis=0)), "missing"),
    "one-point-off": (rows(off_the_road(100, (400.0, 0.0))), "row 102"),
    "one-point-off-a-little": (rows(off_the_road(100, (0.0, 8.0))), "row 102"),
    "the-last-point-off": (rows(off_the_road(399, (400.0, 0.0))), "row 401"),
    "two-points-swapped": (rows(SWAPPED), "row 10[1-4]"),
    "distance-and-no-line": ("\n".join(f"{i},{i * i},7" for i in range(50)), "first column rises"),
    "one-place": (rows(np.zeros((50, 2))), "0 m long"),
    "few": ("# x,y\n0,0\n30,0\n0,30\n", "3 points"),
    "empty": ("# x,y\n", "no points"),
    "words": ("only words\n", "row 1"),
    "a-word": ("1,2\n3,x\n" + "5,6\n" * 10, "row 2"),
    "not-a-number": ("1,2\n3,nan\n" + "5,6\n" * 10, "row 2"),
    "one-cell": ("1,2\n3\n" + "5,6\n" * 10, "row 2"),
    "no-text": (b"PK\x03\x04\x00\x00", "no text"),
}


@pytest.mark.parametrize(("content", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_road_is_refused_with_its_place(read: Read, content: str | bytes, says: str) -> None:
    with pytest.raises(InputError, match=f"(?s)line.csv.*{says}"):
        read(content)


def test_a_straight_without_points_and_a_small_gap_at_the_end_are_noted(read: Read) -> None:
    bend = np.linspace(-np.pi / 2, np.pi / 2, 60)
    east = np.column_stack([400.0 + 60.0 * np.cos(bend), 60.0 * np.sin(bend)])
    assert len(read(rows(np.vstack([east, -east]))).notes) == 2
    assert "ends lie 27 m apart" in read(rows(road()[:-4])).notes[0]


def test_a_pipe_and_a_folder_are_no_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_race_line(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_race_line(tmp_path / "none.csv")


@given(st.binary(max_size=200) | st.text(alphabet="0123456789.,;#xy_m \n-e", max_size=200))
def test_anything_is_a_line_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes | str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        n_points = len(read_race_line(file).x_m)
    except InputError as error:
        n_points, said = FEWEST_POINTS, str(error)
    else:
        said = file.name
    assert n_points >= FEWEST_POINTS
    assert file.name in said
