"""The page on laps has the rules as they are."""

from __future__ import annotations

import re
from pathlib import Path

from conf.laps import load_lap_rules

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "laps.md").read_text(encoding="utf-8")


def test_the_reasons_are_those_of_the_rules():
    rules = load_lap_rules()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (yes|no) \| (.+?) \|$", PAGE, re.MULTILINE)
    shown = {name: (text, invalid == "yes", unfit) for name, text, invalid, unfit in rows}
    expected = {
        name: (
            reason.text,
            reason.invalidates,
            "everything" if set(reason.unfit_for) == set(rules.purposes) else ", ".join(reason.unfit_for),
        )
        for name, reason in rules.reasons.items()
    }
    assert shown == expected


def test_every_purpose_is_named():
    assert all(f"`{purpose}`" in PAGE for purpose in load_lap_rules().purposes)
