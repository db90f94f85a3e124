"""``report karma``: a page that needs nothing beside it, its pictures, its words, and the terminal."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import typer
from typer.testing import CliRunner

from conf.settings import AppConfig, get_settings
from serving.charts.karma import (
    damage_figure,
    karma_figure,
    karma_heat_figure,
    karma_scores_figure,
    lap_pair_figure,
    largest_factor_differences,
)
from serving.charts.style import figure_to_svg
from serving.lake.reader import LakeReader
from serving.queries.karma import COMPONENTS, KarmaReport, choose_comparison, read_karma_session
from serving.queries.karma_terms import factor_words, format_share, missing_signals, remaining_words
from serving.reports import karma_text as view
from slipstream.commands.karma_report import report
from slipstream.errors import FriendlyGroup
from tests.unit.serving.karma_lake import GAP, HEAT, OUT_LAP, TORQUE, write_karma

PARTS = [
    "Karma lap by lap",
    "Lap against lap",
    "Damage so far, and what remains",
    "How far to trust it",
    "All laps",
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> AppConfig:
    settings = AppConfig(slipstream_home=tmp_path_factory.mktemp("karma"), _env_file=None)
    write_karma(settings)
    return settings


@pytest.fixture(scope="module")
def found(lake) -> KarmaReport:
    return read_karma_session(LakeReader(lake), "2", "made-R1")


@pytest.fixture
def karma(lake_home):
    """The command of a group, as it is registered."""
    write_karma(get_settings())
    app = typer.Typer(cls=FriendlyGroup, rich_markup_mode="markdown")
    app.callback()(lambda: None)
    app.command()(report)
    return lambda *args: CliRunner().invoke(app, ["report", *args])


class Page(HTMLParser):
    """Headings, text, and what the page would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tag, self.headings, self.text, self.beside = "", [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        self.beside += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and v[0] != "#"]

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())
            if self.tag == "h2":
                self.headings.append(data.strip())
            self.tag = ""


def without_scores(found: KarmaReport, *components: str) -> KarmaReport:
    """The same, components without a score."""
    bare = [
        replace(
            lap,
            scores={
                name: replace(s, karma=None, reason="no model") if name in components else s
                for name, s in lap.scores.items()
            },
        )
        for lap in found.laps
    ]
    return replace(found, laps=tuple(bare))


def test_a_whole_page(karma, tmp_path):
    result = karma("--vehicle", "2", "--session", "made-R1", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    path = tmp_path / "out" / "made-R1_GR86-002-2.html"
    assert result.stdout.splitlines()[-1] == f"report: {path}"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.headings == PARTS
    assert all(link.startswith("data:image/") for link in page.beside)
    assert not re.search(r"@import|url\(\s*[\"']?http|<script", text)
    assert text.count("<svg") == 4
    said = " ".join(page.text)
    for what in (
        "Suspension first: karma",
        "on lap 6 is the lowest of any component on any lap: kerbs and knocks",
        "This car sends no temperatures;",
        "learned from simulated wear, not a measured probability of failure",
        "mechanical-karma, random forest",
        "7c1f0d2a9b",
        "gold.karma_scores",
        "simulated",
        "They differ most in the suspension",
        "Not scored: 0.92 km were driven",
    ):
        assert what in said, what
    assert not {"nan", "None", "inf"} & set(re.split(r"[\s,;:()]+", said))


def test_the_terminal(karma, lake_home):
    result = karma("--vehicle", "GR86-010-46")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Karma of GR86-010-46 (46): made-R1, 14 November 2023, 8 laps, 8 scored"
    assert lines[1].split() == ["lap", "time", *COMPONENTS, "overall"]
    assert sum(bool(re.match(r" +\d +1:\d\d\.\d{3}( +\d+){6} *$", line)) for line in lines) == 8
    assert any(re.match(r" +trend( +[+-]\d+\.\d){6}", line) for line in lines)
    assert "  This car sends no temperatures and no engine torque;" in result.stdout
    assert (lake_home / "reports" / "karma" / "made-R1_GR86-010-46.html").is_file()


def test_laps_without_a_score_stand_in_the_table_with_their_reason(karma):
    result = karma("--vehicle", "2", "--session", "made-R1")
    assert re.search(
        r"^ +1 +1:\d\d\.\d{3}( +-){6} +not scored: 0\.92 km were driven, .* 3\.70 km long *$",
        result.stdout,
        re.MULTILINE,
    )


def test_two_laps_of_ones_own(karma, tmp_path):
    result = karma("--vehicle", "46", "--laps", "3, 7", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    (path,) = tmp_path.glob("*.html")
    assert re.search(r"Lap 3 \(overall \d+, [\d:.]+\) against lap 7 \(", path.read_text(encoding="utf-8"))


def test_only_a_picture(karma, tmp_path, lake_home):
    result = karma("--vehicle", "46", "--plot", str(tmp_path / "k.svg"))
    assert result.stdout.splitlines()[-1] == f"plot: {tmp_path / 'k.svg'}"
    assert "Laps, logarithmic" in (tmp_path / "k.svg").read_text(encoding="utf-8")
    assert not (lake_home / "reports").exists()
    assert "is no form of picture" in karma("--vehicle", "46", "--plot", "k.txt").stderr


def test_for_programs(karma):
    result = karma("--vehicle", "2", "--session", "made-R1", "--format", "json")
    facts = json.loads(result.stdout)
    assert facts["look_first"] == {"component": "suspension", "lap_number": 6}
    assert facts["compared_laps"][1] == 6
    assert [lap["not_scored_reason"] for lap in facts["laps"][:2]] == [OUT_LAP, None]
    assert {s["component"] for s in facts["laps"][1]["scores"]} == {*COMPONENTS, "overall"}
    assert result.stderr.startswith("report: ")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--vehicle", "2"], 1, "name one with --session: sessions are made-R1, made-R2"),
        (["--vehicle", "46", "--laps", "1,99"], 1, "has no lap 99 in made-R1"),
        (["--vehicle", "46", "--laps", "4"], 2, "is not two laps"),
        (["--vehicle", "46", "--laps", "4,4"], 2, "is not two laps"),
    ],
)
def test_what_cannot_be_shown(karma, args, code, message):
    result = karma(*args)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output


def test_help_teaches_with_an_example(karma):
    assert "slipstream report karma --vehicle GR86-002-2" in karma("--help").stdout


def test_figures_hold_what_they_should(found):
    pair = choose_comparison(found)
    figures = [
        karma_scores_figure(found),
        karma_heat_figure(found, pair),
        lap_pair_figure(found, pair),
        damage_figure(found),
    ]
    drawn = [figure_to_svg(figure) for figure in figures]
    for text in drawn:
        ET.fromstring(text)
    scores, heat, bars, damage = drawn
    for name in COMPONENTS:
        assert f">{name.capitalize()}<" in scores
    assert ">no score: 0.92 km were<" in scores
    assert heat.count(">not scored<") == 2
    for lap in found.scored:
        assert f">{lap.scores['brakes'].karma:.0f}<" in heat
    assert ">Suspension: knocks<" in bars
    assert "the hardest)" in bars
    last = found.laps[-1].scores["tyres"]
    assert f">{remaining_words(last)}<" in damage
    assert f">Tyres: {format_share(last.cumulative_damage)}<" in damage


def test_the_largest_difference_comes_first(found):
    gentle, hard = choose_comparison(found)
    name, feature, ours, theirs = largest_factor_differences(gentle, hard)[0]
    assert (name, feature) == ("suspension", "knocks")
    assert ours == gentle.scores["suspension"].factors[0].percent
    assert theirs == hard.scores["suspension"].factors[0].percent


def test_a_factor_that_is_not_among_a_laps_largest_counts_as_no_change(found):
    gentle, hard = choose_comparison(found)
    calm = replace(gentle, scores={n: replace(s, factors=()) for n, s in gentle.scores.items()})
    (_, feature, ours, theirs), *_ = largest_factor_differences(calm, hard)
    assert (feature, ours, theirs > 100) == ("knocks", None, True)
    assert largest_factor_differences(calm, calm) == []


def test_odd_reports_can_be_drawn_and_said(found):
    one = replace(found, laps=found.laps[1:2])
    half = without_scores(found, "gearbox", "engine")
    long = replace(found, laps=tuple(replace(found.laps[1], number=k) for k in range(1, 41)))
    bounds = {"low": None, "high": None, "trend": None, "remaining_laps": None, "damage_per_km": None}
    lap = found.laps[1]
    bare = replace(lap, time_ms=None, scores={name: replace(s, **bounds) for name, s in lap.scores.items()})
    for odd in (one, half, long, replace(found, laps=(bare, replace(bare, number=2)))):
        assert "Karma of" in figure_to_svg(karma_figure(odd, choose_comparison(odd)))
        assert view.summary(odd)[0].endswith(".")
        assert view.key_figures(odd)[0].name.startswith("Overall")
    assert "Gearbox has no score on any lap: no model." in view.summary(half)
    assert not any(name == "gearbox" for name, *_ in largest_factor_differences(*choose_comparison(half)))
    assert half.components == ("brakes", "tyres", "suspension")
    assert [row["name"] for row in view.karma_component_rows(half)] == ["Brakes", "Tyres", "Suspension"]


def test_a_session_without_any_score(found):
    from datetime import UTC, datetime

    from serving.reports.karma_page import render_page

    none = replace(found, laps=tuple(lap for lap in found.laps if lap.karma is None))
    assert view.summary(none) == [f"No lap has a score: {OUT_LAP}; {GAP}."]
    assert (view.key_figures(none), view.find_first_concern(none)) == ([], None)
    page = Page(render_page(none, choose_comparison(none), datetime(2026, 1, 1, tzinfo=UTC)))
    assert page.headings == PARTS[3:]


def test_what_is_nearly_worn_comes_first(found):
    laps = list(found.laps)
    tyres = replace(laps[-1].scores["tyres"], remaining_laps=9.0, remaining_low=6.0, remaining_high=14.0)
    laps[-1] = replace(laps[-1], scores={**laps[-1].scores, "tyres": tyres})
    worn = replace(found, laps=tuple(laps))
    assert view.find_first_concern(worn)[1].component == "tyres"
    assert view.summary(worn)[0].startswith("Tyres first: at the rate of the last laps, 9 (6 to 14) laps remain")
    assert view.find_first_concern(found)[1].component == "suspension"


def test_trust(lake, found):
    assert view.limitations(found)[0] == view.INDEX
    assert any(
        line.startswith("On lap 6 some inputs lie outside") and ": knocks." in line for line in view.limitations(found)
    )
    full = view.limitations(read_karma_session(LakeReader(lake), "2", "made-R2"))
    assert full[1:] == [
        "The car sends everything that the best model looks at.",
        "On every scored lap all inputs lie within the range of the laps that the model was trained on.",
    ]
    laps = list(found.laps)
    laps[1] = replace(laps[1], scores={n: replace(s, missing_inputs=()) for n, s in laps[1].scores.items()})
    part = view.limitations(replace(found, laps=tuple(laps)))
    assert part[1].startswith("On laps 3-4 and 6-8 the car sent no temperatures;")


def test_words():
    assert [format_share(x) for x in (0.41, 0.0995, 0.032, 9.1e-5, 4.1e-6, 0.0)] == [
        "41 %",
        "10 %",
        "3.2 %",
        "0.0091 %",
        "0.00041 %",
        "0.0 %",
    ]
    assert [factor_words(x) for x in ("over_revs", "impact_max_g", "unheard_of")] == [
        "over revs",
        "knocks",
        "unheard of",
    ]
    assert missing_signals((*HEAT, *TORQUE)) == ["temperatures", "engine torque"]
    assert missing_signals(["rpm_mean", "brake_load_bar", "unheard_of"]) == [
        "engine speed and throttle",
        "brake pressures",
        "unheard of",
    ]
