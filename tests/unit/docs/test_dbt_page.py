"""The project of the page on dbt: whole, of tables that there are, and built as the page says (when slow tests run)."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conf.contract import load_contract
from tests.slow import SLOW
from tests.unit.serving.race_lake import SESSION, race_home, race_lake

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "dbt.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+\.(?:yml|sql))`.*?\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def requirements() -> list[str]:
    """What the page installs."""
    (install,) = (shlex.split(line) for line in COMMANDS if "pip install" in line)
    return install[install.index("install") + 1 :]


def test_the_project_is_whole():
    assert {"dbt_project.yml", "profiles.yml", "models/sources.yml", "models/models.yml"} < FILES.keys()
    models = {Path(name).stem for name in FILES if name.endswith(".sql")}
    named = set(re.findall(r"ref\('(\w+)'\)", "".join(FILES.values())))
    assert named < models
    assert {m["name"] for m in yaml.safe_load(FILES["models/models.yml"])["models"]} <= models


def test_its_sources_are_tables_at_their_places():
    (source,) = yaml.safe_load(FILES["models/sources.yml"])["sources"]
    for table in source["tables"]:
        assert load_contract(f"{source['name']}.{table['name']}").key
        place = table["meta"]["delta_table_path"].replace("{{ env_var('SLIPSTREAM_HOME') }}", str(race_home().home))
        assert (Path(place) / "_delta_log").is_dir()


@pytest.mark.slow
@pytest.mark.skipif(not SLOW, reason="fetches dbt; set SLIPSTREAM_SLOW_TESTS=1")
def test_dbt_builds_it(tmp_path):
    project = tmp_path / "paddock"
    for name, text in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    dbt, *others = requirements()
    with_others = [part for other in others for part in ("--with", other)]
    run = [sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable, "--from", dbt, *with_others]
    (build,) = (line for line in COMMANDS if "dbt build" in line)
    arguments = shlex.split(build.partition("dbt build")[2])
    environment = os.environ | {"SLIPSTREAM_HOME": str(race_home().home), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    environment.pop("PYTHONPATH", None)
    built = subprocess.run(
        [*run, "dbt", "build", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (passed,) = re.findall(r"`(PASS=\d+)`", PAGE)
    assert f"{passed} WARN=0 ERROR=0" in built.stdout

    read = "import duckdb; print(duckdb.connect('paddock.duckdb', read_only=True).sql('from field').fetchall())"
    rows = subprocess.run(
        [*run, "python", "-c", read], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    best = race_lake().query("select vehicle_id, lap_time_s as best_lap_s from analysis.best_laps").to_pylist()
    found = ast.literal_eval(rows)
    assert {row[2]: row[4] for row in found} == pytest.approx({row["vehicle_id"]: row["best_lap_s"] for row in best})
    assert {row[0] for row in found} == {SESSION}
    assert all(row[6] > 100 for row in found)
