"""``conf/wear.yaml``: complete, and strict about what is in it."""

from __future__ import annotations

from importlib.resources import files

import pytest
from pydantic import ValidationError

from conf.wear import CAR_FAULT_KINDS, COMPONENTS, load_wear_rules, parse_wear_rules

TEXT = (files("conf") / "wear.yaml").read_text(encoding="utf-8")


def test_every_mishap_names_components_and_every_component_scatters() -> None:
    rules = load_wear_rules()
    assert set(rules.car_faults.matrix) == set(CAR_FAULT_KINDS)
    assert all(set(row.wears).isdisjoint(row.strains) and row.wears for row in rules.car_faults.matrix.values())
    assert set(rules.scatter) == set(COMPONENTS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("inertia_share", "inertia_part", "inertia_part"),
        ("wears: [brakes]", "wears: [brake]", "brakes"),
        ("    over_rev: {size: 1200, wears: [engine], strains: []}", "", "no row for over_rev"),
        ("rise: 0.02", "rise: 0.2", "below car_faults.least"),
        ("tyres: 0.08, ", "", "no figure for tyres"),
        ("exponent: 6.6", "exponent: 0.5", "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        parse_wear_rules(TEXT.replace(old, new, 1))
