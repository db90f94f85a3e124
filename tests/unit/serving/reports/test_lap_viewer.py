"""The page's laps: what its script is given, and what it does in a browser as a pointer moves and laps are chosen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.tracks.circuit import name_corners
from serving.queries.comparison import compare_loaded_laps
from serving.queries.driver_session import DriverReport, TimeLoss, read_driver_session
from serving.queries.laps import rank_by_time, read_laps
from serving.reports.driver_page import render_page
from serving.reports.lap_viewer import pair_headline, viewer_choices, viewer_data
from tests.unit.serving.race_lake import SESSION, race_lake

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def found() -> DriverReport:
    second = list(dict.fromkeys(lap.vehicle_id for lap in rank_by_time(read_laps(race_lake(), SESSION))))[1]
    return read_driver_session(race_lake(), SESSION, second)


def test_the_script_is_given_every_pair_on_one_scale(found: DriverReport) -> None:
    data = json.loads(json.dumps(viewer_data(found.loss), allow_nan=False))
    compared = found.loss.compared
    assert compared is not None
    shown = (compared.lap.row.uid, compared.reference.row.uid)
    assert (data["pairs"][0]["lap"], data["pairs"][0]["reference"]) == shown
    assert len(data["pairs"]) == len(found.loss.pairs)
    assert {pair["lap"] for pair in data["pairs"]} | {shown[1]} == set(data["laps"])
    n = len(data["distance"])
    for lap in data["laps"].values():
        assert {len(lap[name]) for name in ("speed", "throttle", "brake", "delta", "loss")} == {n}
    assert set(data["laps"][shown[1]]["delta"]) == {0}
    assert data["laps"][shown[0]]["delta"][-1] == pytest.approx(compared.delta_s, abs=2e-3)
    assert (len(data["map"]["x"]), len(data["map"]["labels"])) == (n, len(data["corners"]))
    assert compared.report is not None
    brakes = sorted(piece.lap.brake_m for piece in compared.report.pieces if piece.lap.brake_m is not None)
    assert sorted(data["pairs"][0]["brakes"][0]) == pytest.approx(brakes, abs=0.1)


def test_laps_and_references_to_choose_from(found: DriverReport) -> None:
    offered = viewer_choices(found.loss)
    assert [lap["text"].split(",")[0] for lap in offered["laps"]] == [
        f"{lap.lap_number}" for lap in found.laps if "pace" in lap.fit_for
    ]
    assert [lap["text"].split(",")[0] for lap in offered["references"]][1] == "the driver's best"
    assert sum(lap["chosen"] != "" for lap in offered["laps"]) == 1


def test_equal_laps_are_level(found: DriverReport) -> None:
    compared = found.loss.compared
    assert compared is not None
    same = compare_loaded_laps((compared.lap, compared.lap), found.circuit)
    assert "is level with lap" in pair_headline(same)
    assert "is level with" in same.headline
    assert "slower" not in same.headline


def test_without_a_circuit_there_is_no_map_and_one_reference(found: DriverReport) -> None:
    compared = found.loss.compared
    assert compared is not None
    bare = compare_loaded_laps((compared.lap, compared.reference), None, no_circuit="nobody knows the track")
    loss = TimeLoss(bare, "", (bare,))
    data = viewer_data(loss)
    assert (data["map"], data["corners"], data["pairs"][0]["brakes"]) == (None, [], [[], []])
    page = render_page(replace(found, loss=loss, circuit=None), datetime.now(UTC))
    assert '<figure class="map"' not in page
    assert '<div class="views alone">' in page


def test_what_names_hold_stays_text(found: DriverReport) -> None:
    evil = "</script><script>alert(1)</script>"
    assert found.circuit is not None
    compared = found.loss.compared
    assert compared is not None
    circuit = name_corners(found.circuit, {1: evil})
    named = compare_loaded_laps((compared.lap, compared.reference), circuit)
    page = render_page(replace(found, circuit=circuit, loss=TimeLoss(named, "", (named,))), datetime.now(UTC))
    assert "<script>alert" not in page
    assert "\\u003cscript\\u003ealert(1)" in page


def in_browser(found: DriverReport, folder: Path, script: str) -> str:
    """The page's document once a script has run in it."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine to open the page with")
    file = folder / "page.html"
    file.write_text(render_page(found, datetime.now(UTC)) + f"<script>{script}</script>", encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", "--dump-dom"]
    return subprocess.run(
        [*command, "--window-size=1280,1000", file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    ).stdout


POINT = """
  const svg = document.querySelector(".%s svg"), box = svg.getBoundingClientRect();
  const at = { clientX: box.left + %s * box.width, clientY: box.top + %s * box.height, bubbles: true };
  svg.dispatchEvent(new PointerEvent("pointermove", at));
"""


def attribute(dom: str, tag: str, css_class: str, name: str) -> str:
    (element,) = re.findall(rf'<{tag} class="{css_class}"[^>]*>', dom)
    return re.search(rf' {name}="([^"]*)"', element)[1]


def test_a_pointer_on_the_traces_moves_the_cursor_of_all_and_the_place_on_the_map(found, tmp_path) -> None:
    data = viewer_data(found.loss)
    i = 1 + next(k for k, at in enumerate(data["distance"]) if at >= data["corners"][1]["apex"])
    share = (40 + data["distance"][i] / data["distance"][-1] * (700 - 40 - 12)) / 700
    dom = in_browser(found, tmp_path, POINT % ("traces", share, 0.5))
    assert "visible" in attribute(dom, "line", "cursor", "visibility")
    assert float(attribute(dom, "line", "cursor", "x1")) == pytest.approx(700 * share, abs=0.1)
    assert float(attribute(dom, "circle", "dot", "cx")) == pytest.approx(data["map"]["x"][i])
    assert float(attribute(dom, "circle", "dot", "cy")) == pytest.approx(data["map"]["y"][i])
    lap, reference = (data["laps"][data["pairs"][0][side]] for side in ("lap", "reference"))
    values = re.findall(r'<tspan class="of-(lap|reference)"[^>]*>([^<]*)</tspan>', dom)
    assert values[:2] == [("lap", f"{lap['speed'][i]:.0f}"), ("reference", f"{reference['speed'][i]:.0f}")]
    place = unescape(re.search(r'<span class="place"[^>]*>([^<]*)</span>', dom)[1])
    assert place.startswith(f"{data['distance'][i]:,.0f} m, {data['corners'][1]['label']}: ")


def test_a_pointer_on_the_map_moves_the_same_cursor(found, tmp_path) -> None:
    data = viewer_data(found.loss)
    i, (width, height) = len(data["distance"]) // 3, data["map"]["size"]
    dom = in_browser(found, tmp_path, POINT % ("map", data["map"]["x"][i] / width, data["map"]["y"][i] / (height + 34)))
    assert float(attribute(dom, "line", "cursor", "x1")) == pytest.approx(
        40 + data["distance"][i] / data["distance"][-1] * 648, abs=5
    )


def test_another_pair_brings_its_own_table_curves_and_map(found, tmp_path) -> None:
    data = viewer_data(found.loss)
    first, other = data["pairs"][0], data["pairs"][-1]
    assert other["reference"] != first["reference"]
    chosen = json.dumps([other["lap"], other["reference"]])
    choose = f"""
      const [lap, reference] = document.querySelectorAll("select");
      [lap.value, reference.value] = {chosen};
      reference.dispatchEvent(new Event("change"));
      document.querySelector(".pair:not([hidden]) tr[data-from]").dispatchEvent(new PointerEvent("pointerenter"));
    """
    dom = in_browser(found, tmp_path, choose)
    shown = re.findall(r'<div class="pair">\s*<p class="headline">([^<]*)</p>', dom)
    assert [unescape(text) for text in shown] == [
        pair_headline(
            next(
                one
                for one in found.loss.pairs
                if (one.lap.row.uid, one.reference.row.uid) == (other["lap"], other["reference"])
            )
        )
    ]
    assert f"<b>{data['laps'][other['lap']]['name']}</b>" in dom
    assert dom.count('class="brake of-lap"') == len(other["brakes"][0])
    assert re.search(r'<g class="band"><rect ', dom)
    assert attribute(dom, "path", "stretch", "d").startswith("M")
    # A curve goes from point to neighbouring point: nothing jumps across the plot.
    for d in re.findall(r'<path class="curve [\w-]+" d="([^"]+)"', dom):
        xs = [float(x) for x in re.findall(r"[ML]([\d.]+) ", d)]
        assert all(0 <= after - before < 5 for before, after in pairwise(xs))
