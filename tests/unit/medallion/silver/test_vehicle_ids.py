"""Which chassis an id names, and which of a car's ids it keeps."""

from __future__ import annotations

import pytest

from medallion.silver.vehicle_ids import chassis_of, first_id


@pytest.mark.parametrize(
    ("vehicle_id", "chassis"),
    [
        ("GR86-004-78", "GR86-004"),
        ("GR86-004-000", "GR86-004"),
        ("GR86-110-7", "GR86-110"),
        ("K-001-1", "K-001"),
        ("Porsche-911-23", None),
        ("sim-7", None),
        ("number-78", None),
        ("GR86-004-78b", "GR86-004"),
        ("GR86-004-78\n", None),
        ("GR86-000-78", None),
        ("K-000-1", None),
        ("GR86-004-seven", None),
    ],
)
def test_chassis_of_an_id(vehicle_id: str, chassis: str | None) -> None:
    assert chassis_of(vehicle_id) == chassis


def test_an_id_with_a_number_goes_before_one_without() -> None:
    assert first_id(["GR86-004-000", "GR86-004-78"]) == "GR86-004-78"
    assert first_id(["GR86-004-78", "GR86-004-58"]) == "GR86-004-58"
    assert first_id(["GR86-004-000"]) == "GR86-004-000"
