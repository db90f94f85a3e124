"""``report driver``: one page that needs nothing beside it, whole or with parts left out and said so."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import pytest

from analysis.drivers.formatting import format_lap_time
from serving.queries.driver_session import DriverAnswer
from serving.queries.laps import find_best_lap, rank_by_time, read_laps
from tests.unit.serving.race_lake import SESSION, race_home, race_lake, write_rows

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect", "use", "circle", "image", "stop"}
SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)


class Page(HTMLParser):
    """Checks that elements close, and gathers headings, links and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.text, self.beside = [], [], [], []
        self.feed(SCRIPT.sub("", text))
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.beside += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and v[0] != "#"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.beside += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and v[0] != "#"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())
            if self.open and self.open[-1] in ("h1", "h2"):
                self.headings.append(data.strip())


@pytest.fixture
def lake(lake_home):
    shutil.copytree(race_home().lake_root, lake_home / "lake")
    return lake_home


@pytest.fixture(scope="module")
def second():
    """The second quickest driver's best lap."""
    best = {lap.vehicle_id: lap for lap in rank_by_time(read_laps(race_lake(), SESSION))[::-1]}
    return sorted(best.values(), key=lambda lap: lap.lap_time_ms)[1]


PARTS = [
    "Where time is lost",
    "Pace",
    "Target lap",
    "Smoothness and incidents",
    "Driving style",
    "Wear of the car",
    "The session",
    "All laps",
]


def test_a_whole_report(slipstream, lake, second, tmp_path):
    result = slipstream("report", "driver", "--vehicle", second.vehicle_id, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    path = tmp_path / "out" / f"{SESSION}_{second.vehicle_id}.html"
    assert result.stdout.splitlines()[-1] == f"report: {path}"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.headings[1:] == PARTS
    assert page.headings[0].endswith(second.car)
    # Nothing is fetched: only pictures within the page.
    assert all(link.startswith("data:image/") for link in page.beside)
    assert not re.search(r"@import|url\(\s*[\"']?http|<script[^>]+src|import\(|fetch\(|XMLHttp", text)
    for what in (
        format_lap_time(second.lap_time_s),
        "P2",
        "simulated",
        "Three Oaks",
        "gold.siwtl 0",
        "aligned by position",
    ):
        assert what.lower() in text.lower(), what
    assert "nan" not in " ".join(page.text).lower().split()
    assert "None" not in " ".join(page.text).split()
    assert text.count("<svg") == 6 + ("Incidents of all judged laps" in text)
    for table, command in (("gold.style_predictions", "score style"), ("gold.karma_scores", "score karma")):
        assert f"{table} does not exist yet: <code>slipstream {command}</code> fills it." in text


def test_what_it_says_on_the_terminal(slipstream, lake, second):
    result = slipstream("report", "driver", "--session", SESSION, "--vehicle", str(second.vehicle_number))
    session_best = find_best_lap(read_laps(race_lake(), SESSION))
    off = (second.lap_time_ms - session_best.lap_time_ms) / 1000
    assert (
        f"Best lap: {format_lap_time(second.lap_time_s)} (lap {second.lap_number}, {off:.3f} s off the session's best)"
        in result.stdout
    )
    assert "it loses most in" in result.stdout
    assert (lake / "reports" / "drivers" / f"{SESSION}_{second.vehicle_id}.html").is_file()


def test_its_answer_for_programs(slipstream, lake, second, tmp_path):
    shutil.rmtree(lake / "lake" / "gold" / "stints")
    result = slipstream("report", "driver", "--vehicle", second.vehicle_id, "--out", str(tmp_path), "--format", "json")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[-1] == f"report: {tmp_path / f'{SESSION}_{second.vehicle_id}.html'}"
    answer = DriverAnswer.model_validate_json(result.stdout)
    assert answer.vehicle_id == second.vehicle_id
    assert answer.track == "Three Oaks"
    assert second.lap_time_s == min(lap.lap_time_s for lap in answer.laps if "pace" in lap.fit_for)
    assert answer.result["position"] == 2
    assert answer.stints == ()
    assert answer.missing["stints"].startswith("gold.stints does not exist yet: `slipstream")
    assert "gold.stints" not in answer.table_versions
    assert answer.table_versions["gold.siwtl"] == 0
    assert sum(piece.time_lost_s for piece in answer.loss.pieces) == pytest.approx(answer.loss.delta_s, abs=1e-3)


def test_parts_without_a_table_say_which_command_fills_it(slipstream, lake, second, tmp_path):
    for name in ("siwtl", "driver_summary", "stints", "dptad_scores", "dptad_events", "fleet_summary"):
        shutil.rmtree(lake / "lake" / "gold" / name)
    shutil.rmtree(lake / "lake" / "silver" / "results")
    result = slipstream("report", "driver", "--vehicle", second.vehicle_id, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    page = Page((tmp_path / f"{SESSION}_{second.vehicle_id}.html").read_text(encoding="utf-8"))
    assert page.headings[1:] == [part for part in PARTS if part != "The session"]
    for table in ("gold.siwtl", "gold.driver_summary", "gold.stints", "gold.dptad_scores", "silver.results"):
        assert f"{table} does not exist yet:" in page.text
        assert f"{table} does not exist yet: `slipstream" in result.stdout


def test_laps_alone_make_a_report(slipstream, lake_home, tmp_path):
    from conf.settings import get_settings

    rows = [
        {
            "session_id": "a:b",
            "vehicle_id": "x<y>",
            "vehicle_number": 7,
            "lap_number": k,
            "is_valid": k != 3,
            "lap_time_ms": None if k == 5 else 90_000 + 100 * k + 80_000 * (k == 3),
            "pit_in": k == 3,
            "fit_for": ["pace"] if k not in (3, 4, 5) else [],
            "invalid_reasons": {3: ["pit_lap", "yellow_flag"], 4: ["out_lap"], 5: ["incomplete"]}.get(k, []),
        }
        for k in range(1, 8)
    ]
    write_rows(get_settings(), "silver.laps", rows)
    result = slipstream("report", "driver", "--vehicle", "7", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    (path,) = tmp_path.glob("*.html")
    assert path.name == "a-b_x-y-.html"
    text = path.read_text(encoding="utf-8")
    Page(text)
    assert "x&lt;y&gt;" in text
    assert "x<y>" not in text
    assert "no car has a lap fit for pace with telemetry" in text


def test_an_unknown_vehicle(slipstream, lake):
    result = slipstream("report", "driver", "--vehicle", "nobody")
    assert result.exit_code == 1
    assert "no vehicle 'nobody': vehicles are " in result.stderr
