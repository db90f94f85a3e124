"""Draw the pictures of the pages and the README anew, from one seeded run: `make images`.

A race, and sessions to learn from, go through the whole pipeline in a home of their own; what the commands draw, and
Chromium's view of their pages, become ``docs/images``. A run that is there already is drawn from again. The pictures of
a ghost are not among them: they take a training of minutes on a GPU, by the commands of docs/ghost.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conf.settings import AppConfig
from conf.tables import GOLD_KARMA_SCORES, SILVER_RESULTS
from serving.lake.reader import LakeReader
from slipstream.terminal.demo import draw_session

IMAGES: Final = Path(__file__).parent / "images"
RACE, LESSON = "three-oaks-R1", "three-oaks-P1"
# A race with an early yellow, stops and sensors that lose their contact; all else that is wrong with data is as usual.
RACE_SCENARIO: Final = f"""
session: {RACE}
track: three-oaks
cars: 10
laps: 10
rate: 20
seed: 2
data_faults: {{full_scale_share: 0.001}}
race_incidents: {{full_course_yellows: 1, pit_stop_share: 0.15, chequered_flag: true}}
setups: varied
random_car_faults: true
"""
# One car brakes early and lifts on a straight, on one lap of an otherwise even practice.
LESSON_SCENARIO: Final = f"""
session: {LESSON}
track: three-oaks
cars: 1
laps: 5
seed: 3
profiles: {{aggressive: 1.0}}
data_faults: false
race_incidents: false
driver_errors:
  - {{kind: brake_early, at_m: 890, by_m: 30, car: 1, lap: 3}}
  - {{kind: lift, at_m: 1700, by_m: 60, car: 1, lap: 3}}
"""
WIDTH: Final = 1280
# What a reader does before the picture is taken: a pointer on the traces, two fifths round the lap.
POINT: Final = """<script>
  const traces = document.querySelector(".traces svg"), box = traces.getBoundingClientRect();
  const at = { clientX: box.left + 0.42 * box.width, clientY: box.top + 60, bubbles: true };
  traces.dispatchEvent(new PointerEvent("pointermove", at));
</script>"""


def main() -> None:
    """Run what is not there yet, then draw."""
    parser = ArgumentParser(description="Draw docs/images anew from a seeded run.")
    parser.add_argument(
        "--home", type=Path, help="where the run is kept and drawn from again; a temporary folder if left out"
    )
    given = parser.parse_args()
    if find_chromium() is None:
        raise SystemExit("pages are photographed by Chromium; on Debian and Ubuntu: apt-get install chromium")
    with TemporaryDirectory(prefix="slipstream-images-") as folder:
        home = (given.home or Path(folder)).resolve()
        if not (home / "lake" / "gold" / GOLD_KARMA_SCORES.partition(".")[2]).is_dir():
            run_pipeline(home)
        draw(home)


def run_pipeline(home: Path) -> None:
    """The race through the pipeline, scored by models that learned from sessions beside it."""
    home.mkdir(parents=True, exist_ok=True)
    for name, text in (("race", RACE_SCENARIO), ("lesson", LESSON_SCENARIO)):
        (home / f"{name}.yaml").write_text(text, encoding="utf-8")
    slipstream(home, "up", "--auto-port")
    try:
        for name in ("race", "lesson"):
            slipstream(home, "produce", "simulate", "--scenario", str(home / f"{name}.yaml"))
        slipstream(home, "produce", "wear-laps", "--tracks", "7", "--cars", "3", "--laps", "4")
        slipstream(home, "run")
        slipstream(home, "train", "style")
        slipstream(home, "score", "style")
        slipstream(home, "train", "karma", "--algorithm", "random_forest")
        slipstream(home, "score", "karma")
    finally:
        slipstream(home, "down")


def draw(home: Path) -> None:
    """The pictures, from what a run left."""
    lake = LakeReader(AppConfig(slipstream_home=home, _env_file=None))
    results = lake.rows(SILVER_RESULTS, {"session_id": RACE}, order_by=("position",))
    second = next(row["vehicle_id"] for row in results if row["position"] == 2)
    slipstream(home, "report", "driver", "--session", RACE, "--vehicle", second)
    slipstream(home, "report", "karma", "--session", RACE, "--vehicle", second, "--plot", str(IMAGES / "karma.png"))
    slipstream(home, "quality", "report")
    (car,) = {row["vehicle_id"] for row in lake.rows("silver.laps", {"session_id": LESSON})}
    slipstream(home, "coach", "--lap", f"{LESSON}/{car}/3", "--plot", str(IMAGES / "coaching.png"))
    draw_session(lake.settings, RACE, IMAGES / "demo.png")
    photograph(home / "reports" / "drivers" / f"{RACE}_{second}.html", "driver", 1330, POINT)
    photograph(home / "reports" / "quality" / "quality.html", "quality", 1100)


def slipstream(home: Path, *arguments: str) -> None:
    """Run a command as a user does, in this home."""
    print("slipstream", *arguments, flush=True)  # noqa: T201 - a script
    command = Path(sys.executable).with_name("slipstream")
    subprocess.run([command, *arguments], env=_environment(home), check=True)


def _environment(home: Path) -> Mapping[str, str]:
    return os.environ | {"SLIPSTREAM_HOME": str(home)}


def find_chromium() -> str | None:
    """Chromium by the names it goes by."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def photograph(page: Path, name: str, height: int, script: str = "") -> None:
    """The top of a page as it stands in a window.

    Args:
        page: The page.
        name: Name of the picture.
        height: How much of it, in pixels.
        script: What runs in it first.
    """
    browser = find_chromium()
    if browser is None:
        raise SystemExit("no Chromium to photograph pages with")
    with TemporaryDirectory(prefix="photograph-") as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(page.read_text(encoding="utf-8") + script, encoding="utf-8")
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
        where = (f"--user-data-dir={folder}/profile", f"--screenshot={IMAGES / f'{name}.png'}")
        size = (f"--window-size={WIDTH},{height}", "--virtual-time-budget=2000")
        subprocess.run([browser, *flags, *where, *size, copy.as_uri()], capture_output=True, timeout=120, check=True)


if __name__ == "__main__":
    main()
