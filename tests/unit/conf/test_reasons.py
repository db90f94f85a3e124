"""Reasons: each code has a sentence, and a stored sentence leads back to its short form."""

from __future__ import annotations

from string import Formatter

import pytest
from pydantic import ValidationError

from conf.errors import SlipstreamError
from conf.reasons import ReasonCode, ReasonTexts, Refusal, RefusalError, load_reason_texts, short_text


def figures_of(code: ReasonCode) -> dict[str, float | str]:
    """A figure for each field of a reason's sentence."""
    fields = [(name, spec) for _, name, spec, _ in Formatter().parse(load_reason_texts()[code].text) if name]
    return {name: 0.25 if spec else "a, b" for name, spec in fields}


@pytest.mark.parametrize("code", list(ReasonCode))
def test_each_reason_has_a_sentence_that_leads_back_to_its_short_form(code: ReasonCode) -> None:
    text = Refusal.of(code, **figures_of(code)).text
    assert "{" not in text
    assert short_text(text) == (load_reason_texts()[code].short or text)


def test_the_sentences_that_tables_store() -> None:
    assert Refusal.of(ReasonCode.CLOCK_STOOD_STILL, share=0.123).text == (
        "the car's clock stood still for 12% of the lap's samples"
    )
    stored = "telemetry covers 40% of the lap, and 80% are needed"
    assert Refusal.of(ReasonCode.TELEMETRY_TOO_LITTLE, coverage=0.4, least=0.8).text == stored
    assert short_text(stored) == "too little telemetry"


def test_a_refusal_is_the_users_to_mend_and_says_why() -> None:
    error = RefusalError(ReasonCode.SOURCE_SILENT, longest_s=7.04)
    assert isinstance(error, SlipstreamError)
    assert (error.refusal.code, str(error)) == (ReasonCode.SOURCE_SILENT, "no reading for 7.0 s")


def test_a_code_without_a_sentence_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"no text for .*no_speed"):
        ReasonTexts.model_validate({"reasons": {"no_readings": {"text": "no readings"}}})
