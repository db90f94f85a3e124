"""Ids are those that the contracts admit, and what is offered in their place is one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.contract import contract_names, load_contract
from conf.identifiers import IdentifierError, check_identifier, is_identifier, offer_identifier

PATTERNS = {
    rule.implementation.kwargs["regex"]
    for name in contract_names()
    for column, rule in load_contract(name).rules()
    if rule.implementation.type == "expect_column_values_to_match_regex" and column != "car_number"
}
TEXTS = st.text(max_size=110) | st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,99}\n?\Z")


@given(TEXTS)
def test_an_id_is_what_all_contracts_admit(text: str):
    assert PATTERNS
    admitted = all(re.fullmatch(pattern.removeprefix("^").removesuffix("$"), text) for pattern in PATTERNS)
    assert is_identifier(text) == admitted


@given(TEXTS)
def test_what_is_offered_is_an_id_and_an_id_is_offered_itself(text: str):
    assert is_identifier(offer_identifier(text))
    if is_identifier(text) and text[-1] not in "-._:":
        assert offer_identifier(text) == text


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("Race 1", "Race-1"),
        ("GR86 002 7", "GR86-002-7"),
        ("a/b|c", "a-b-c"),
        ("Nürburgring Straße", "Nurburgring-Strasse"),
        (" Qualifying 1 ", "Qualifying-1"),
        ("two\nlines\n", "two-lines"),
    ],
)
def test_offers(text: str, offer: str):
    assert offer_identifier(text) == offer
    with pytest.raises(IdentifierError, match=f"session .*, such as {offer}"):
        check_identifier(text, "session")


def test_texts_without_letters_and_long_ones_stay_different():
    assert offer_identifier("鈴鹿") != offer_identifier("富士")
    assert offer_identifier("a" * 200) != offer_identifier("a" * 201)
