"""Files of corners: their form, and what is refused with file and field named."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.corners import OfficialCorner, read_official_corners
from conf.errors import InputError
from conf.track import TrackSpec, load_track


def test_a_file_of_corners(tmp_path: Path) -> None:
    file = tmp_path / "corners.yaml"
    file.write_text(
        "length_m: 3000\ncorners:\n  - {number: 1, apex_m: 300}\n"
        "  - {number: 3, apex_m: 800.5, name: Charlotte's Web}\n"
    )
    found = read_official_corners(file)
    assert found.length_m == 3000
    assert found.corners[1] == OfficialCorner(number=3, apex_m=800.5, name="Charlotte's Web")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", r"a file of corners is a mapping with a list `corners`"),
        ("corners: [", r"not YAML"),
        ("corners: []", r"corners: "),
        ("corners: [{number: 1}]", r"corners\.0\.apex_m: Field required"),
        ("corners: [{number: 1, apex_m: 1, apex: 2}]", r"corners\.0\.apex: Extra inputs"),
        ("corners: [{number: 2, apex_m: 1}, {number: 1, apex_m: 5}]", r"list corners in driving order"),
        ("length_m: 100\ncorners: [{number: 1, apex_m: 200}]", r"lies beyond the lap's 100 m"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "corners.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_official_corners(file)
    assert str(error.value).startswith(str(file))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name a file of corners"):
        read_official_corners(tmp_path / "none.yaml")


def test_a_track_file_may_list_them() -> None:
    own = load_track("three-oaks").model_dump() | {"corners": [{"number": 1, "apex_m": 99_000}]}
    with pytest.raises(ValueError, match="lies beyond the lap"):
        TrackSpec.model_validate(own)
