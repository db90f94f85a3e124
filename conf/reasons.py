"""Why something is left out or cannot be told: codes, with their sentences in ``conf/reasons.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from importlib.resources import files
from string import Formatter
from typing import Self

from pydantic import model_validator

from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml


@unique
class ReasonCode(StrEnum):
    """All codes of ``conf/reasons.yaml``."""

    CLOCK_STOOD_STILL = "clock_stood_still"
    NO_DISTANCE = "no_distance"
    SPEED_MISSING = "speed_missing"

    NO_READINGS = "no_readings"
    SOURCE_SILENT = "source_silent"
    SENSOR_JUMPS = "sensor_jumps"
    SENSOR_LENGTH_WRONG = "sensor_length_wrong"
    SENSOR_RESETS = "sensor_resets"
    NO_CIRCUIT_TO_PROJECT_ON = "no_circuit_to_project_on"
    NO_POSITIONS = "no_positions"
    POSITIONS_BESIDE_LINE = "positions_beside_line"
    POSITIONS_MISS_LINE = "positions_miss_line"
    NO_SPEED = "no_speed"

    CHANNEL_MISSING = "channel_missing"
    CHANNEL_SPARSE = "channel_sparse"
    TURNS_TOO_LITTLE = "turns_too_little"
    NO_CIRCUIT = "no_circuit"
    NO_REFERENCE_EXITS = "no_reference_exits"
    NO_BRAKING = "no_braking"
    THROTTLE_CONSTANT = "throttle_constant"
    STEERING_CONSTANT = "steering_constant"
    NO_TURNS = "no_turns"
    NO_LENGTH = "no_length"

    CHANNEL_GAP = "channel_gap"

    TELEMETRY_TOO_LITTLE = "telemetry_too_little"
    LAP_NOT_ENDED = "lap_not_ended"
    DISTANCE_UNKNOWN = "distance_unknown"
    LAP_NOT_WHOLE = "lap_not_whole"
    INPUT_MISSING = "input_missing"

    CANDIDATE_NOT_WHOLE = "candidate_not_whole"
    CANDIDATE_LEAVES_ENVELOPE = "candidate_leaves_envelope"
    CANDIDATE_BEATS_ENGINE = "candidate_beats_engine"
    CANDIDATE_BOTH_PEDALS = "candidate_both_pedals"


class ReasonText(FrozenModel):
    """The wording of a reason.

    Attributes:
        text: Sentence with its figures in braces.
        short: Form without figures, by which cases are counted.
    """

    text: str
    short: str | None = None


class ReasonTexts(FrozenModel):
    """All of ``conf/reasons.yaml``."""

    reasons: dict[ReasonCode, ReasonText]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := set(ReasonCode) - self.reasons.keys():
            raise ValueError(f"conf/reasons.yaml has no text for {', '.join(sorted(missing))}: add one for each")
        return self


@dataclass(frozen=True)
class Refusal:
    """A reason with the figures of one case."""

    code: ReasonCode
    figures: Mapping[str, object]

    @classmethod
    def of(cls, code: ReasonCode, **figures: object) -> Refusal:
        """A refusal from its code and figures."""
        return cls(code, figures)

    @property
    def text(self) -> str:
        """The sentence, figures filled in."""
        return load_reason_texts()[self.code].text.format(**self.figures)


class RefusalError(InputError):
    """Something cannot be used or told; the message is the reason's sentence.

    Attributes:
        refusal: The reason by its code.
    """

    def __init__(self, code: ReasonCode, **figures: object) -> None:
        self.refusal = Refusal(code, figures)
        super().__init__(self.refusal.text)


@lru_cache
def load_reason_texts() -> Mapping[ReasonCode, ReasonText]:
    """Load ``conf/reasons.yaml``."""
    text = (files("conf") / "reasons.yaml").read_text(encoding="utf-8")
    return ReasonTexts.model_validate(parse_yaml(text)).reasons


def short_text(sentence: str) -> str:
    """The short form of a stored sentence; the sentence itself where its reason has none.

    Tables hold sentences and no codes, so the reason is found by the template that the sentence was made from.
    """
    for pattern, short in _patterns():
        if pattern.fullmatch(sentence):
            return short
    return sentence


@lru_cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """A pattern of each sentence that has a short form."""
    texts = load_reason_texts().values()
    return tuple((re.compile(_pattern_of(one.text), re.DOTALL), one.short) for one in texts if one.short)


def _pattern_of(template: str) -> str:
    return "".join(re.escape(text) + ("" if name is None else ".+") for text, name, _, _ in Formatter().parse(template))
