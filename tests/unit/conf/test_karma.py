"""``conf/karma.yaml``: complete, strict about what is in it, and made of columns that laps have."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml
from pydantic import ValidationError

from conf.contract import load_contract
from conf.karma import load_karma_rules, parse_karma_rules
from conf.wear import COMPONENTS

TEXT = (files("conf") / "karma.yaml").read_text(encoding="utf-8")
RULES = load_karma_rules()


def test_every_input_is_a_number_that_lap_features_have() -> None:
    numbers = {c.name for c in load_contract("gold.lap_features").columns if c.physical_type in ("DOUBLE", "INT")}
    inputs = [name for group in RULES.inputs.values() for name in group]
    assert set(inputs) <= numbers
    assert len(inputs) == len(set(inputs))
    assert set(RULES.rule.values()) <= set(inputs)


def test_every_group_of_inputs_is_used_and_every_factor_has_words_of_its_own() -> None:
    assert {group for groups in RULES.sets.values() for group in groups} == set(RULES.inputs)
    words = [text for factor in RULES.factors.values() for text in (factor.more, factor.less)]
    assert len(words) == len(set(words))


def test_each_set_needs_less_than_the_one_before() -> None:
    columns = [RULES.columns(name) for name in RULES.sets]
    assert [len(found) for found in columns] == sorted({len(found) for found in columns}, reverse=True)
    assert all(set(found) < set(columns[0]) for found in columns[1:])
    assert RULES.columns(RULES.best_set) == columns[0]


def test_a_vehicles_reference_has_every_component_and_an_unknown_one_is_told_which_there_are() -> None:
    assert set(RULES.reference("gr86-cup")) == set(COMPONENTS)
    with pytest.raises(ValueError, match=r"no references for the vehicle 'kart': there are gr86-cup; add its own"):
        RULES.reference("kart")


def test_a_component_without_a_reference_is_named() -> None:
    given = yaml.safe_load(TEXT)
    del given["references"]["gr86-cup"]["tyres"]
    with pytest.raises(ValidationError, match="gr86-cup has no entry for tyres"):
        parse_karma_rules(yaml.safe_dump(given, sort_keys=False))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("least_coverage: 0.8", "least_cover: 0.8", "least_cover"),
        ("interval: 0.9 ", "interval: 1.5 ", "less than 1"),
        ("chassis: [motion, brakes]", "chassis: [motion, wings]", "sets.chassis names unknown inputs wings"),
        ("braking_share]", "braking_share, wing_angle]", "each input belongs to one factor; differs at wing_angle"),
        ("inputs: [speed_mean, speed_std, speed_max]", "inputs: [speed_mean, speed_std]", "differs at speed_max"),
        ("inputs: [over_rev_rpm_s,", "inputs: [speed_max, over_rev_rpm_s,", "an input that is named twice"),
        ("gr86-cup: {engine:", "gr86-cup: {engines:", "references.gr86-cup.engines"),
        ("gr86-cup: {engine: ", "gr86-cup: {engine: -", "greater than 0"),
        ("rule: {engine: rpm_power_mean, ", "rule: {", "rule has no entry for engine"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(ValidationError, match=message):
        parse_karma_rules(TEXT.replace(old, new, 1))
