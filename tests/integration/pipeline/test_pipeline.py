"""From the broker to gold by the commands, whole, twice, killed on the way, and on a cluster."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from deltalake import DeltaTable

from conf.contract import ROWS_PROPERTY
from conf.lake import table_uri
from infra.kafka.cluster import UnknownTopicError
from infra.kafka.topics import topic_partitions
from infra.local import spark_cluster
from infra.local.jars import ensure_jars
from infra.local.spark_log import LAYOUT
from serving.lake.balance import reconcile_lake
from serving.lake.reader import LakeReader
from serving.lake.staleness import find_stale_tables

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

REPO = Path(__file__).resolve().parents[3]


def test_run_brings_everything_to_gold(sent, undisturbed) -> None:
    balance = reconcile_lake(LakeReader(undisturbed.settings))
    assert balance.closes, balance.summary
    assert balance.bronze_rows == sent.messages
    silver = undisturbed.table("silver.telemetry")
    assert silver.height == sent.rows
    assert balance.total.written == silver["n_readings"].sum()
    assert min(balance.total.repeats, balance.total.conflicts, balance.total.quarantined) > 100
    assert undisturbed.table("gold.lap_features").height == 3 * 4 + 4  # laps: the simulator's cars drove one each
    assert undisturbed.table("gold.telemetry_windows")["vehicle_id"].n_unique() == 7


def test_a_second_run_changes_nothing(undisturbed, differences, new_home, sent, tmp_path) -> None:
    before = new_home(sent.bootstrap)
    shutil.copytree(undisturbed.settings.home / "lake", before.settings.home / "lake")
    account = reconcile_lake(LakeReader(undisturbed.settings)).total
    # As in a lake of an earlier release, which had a checkpoint for each topic.
    shutil.rmtree(undisturbed.settings.home / "lake" / "_checkpoints" / "bronze_events")
    said = undisturbed.run("slipstream.cli", "run")
    assert "0 messages stored" in said
    assert "0 units, 0 written" in said
    assert differences(before, undisturbed) == {}
    assert reconcile_lake(LakeReader(undisturbed.settings)).total == account


def test_killed_in_every_layer_it_ends_with_the_same_tables(sent, undisturbed, new_home, differences) -> None:
    home = new_home(sent.bootstrap)
    # With silver.laps, clocks, laps and results are half done.
    for table in ("bronze.telemetry_events", "silver.quarantine", "silver.laps", "gold.telemetry_windows"):
        home.kill_when(home.commit(table, 1), "slipstream.cli", "run")
    home.run("slipstream.cli", "run")
    assert differences(undisturbed, home) == {}
    balance = reconcile_lake(LakeReader(home.settings))
    assert balance.closes, balance.summary
    assert balance.total.units == reconcile_lake(LakeReader(undisturbed.settings)).total.units


def test_backfill_finds_nothing_to_change_and_reset_begins_anew(sent, undisturbed, new_home, differences) -> None:
    home = new_home(sent.bootstrap)
    shutil.copytree(undisturbed.settings.home / "lake", home.settings.home / "lake")
    lake = LakeReader(home.settings)
    filled = ("silver.clock_offsets", "silver.telemetry", "silver.laps", "gold.lap_features", "gold.driver_summary")
    before = {name: lake.version(name) for name in filled}
    assert find_stale_tables(home.settings) == []
    earlier = DeltaTable(table_uri("gold.siwtl", home.settings))
    earlier.alter.set_table_properties({ROWS_PROPERTY: "1.0.0"}, raise_if_not_exists=False)
    assert "gold.siwtl" in home.run("slipstream.cli", "doctor")
    said = home.run("slipstream.cli", "backfill", "silver", "gold.lap_features")
    assert [line.partition(" (run ")[0] for line in said.splitlines()] == [
        "backfill: clocks, laps and results of 7 cars",
        "backfill: gold of 7 cars",
    ]
    assert {name: LakeReader(home.settings).version(name) for name in filled} == before
    assert find_stale_tables(home.settings) == []
    assert "silver.laps" in home.run("slipstream.cli", "reset", "silver", "--dry-run")
    assert differences(undisturbed, home) == {}
    home.run("slipstream.cli", "reset", "silver", "--yes")
    left = {path.parent.name for path in (home.settings.home / "lake").glob("*/*/_delta_log")}
    assert left == {"telemetry_events", "timing_events", "race_events", "environment_events", "truth_events"} | {
        "sessions",
        "dptad_thresholds",
        "style_predictions",
        "job_runs",
        "stream_progress",
    }
    home.run("slipstream.cli", "run")
    assert differences(undisturbed, home) == {}
    balance = reconcile_lake(LakeReader(home.settings))
    assert balance.closes, balance.summary


def laps_over(home) -> int:
    """Laps with a time in gold."""
    return home.table("gold.lap_features")["lap_time_ms"].count()


def test_all_layers_in_one_process_end_with_the_same_tables(sent, undisturbed, new_home, differences) -> None:
    home = new_home(sent.bootstrap)
    process = home.start("slipstream.cli", "stream", "all", "--every", "1")
    laps, until = laps_over(undisturbed), time.monotonic() + 600  # those that were not driven to their end wait
    while not (home.commit("gold.fleet_summary", 1).exists() and laps_over(home) == laps):
        assert process.poll() is None, home.log()[-4000:]
        assert time.monotonic() < until, home.log()[-4000:]
        time.sleep(1)
    home.run("slipstream.cli", "run", code=1)
    assert "bronze: another process is filling it in this lake: `cli.py stream all --every 1`" in home.log()
    process.send_signal(signal.SIGTERM)  # as a scheduler ends it
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, home.log()[-4000:]
    assert said.startswith("all: ")
    assert differences(undisturbed, home) == {}
    told = home.table("ops.stream_progress")
    assert {"bronze", "silver", "silver_timing", "silver_closing", "gold"} <= set(told["query"])
    assert told.filter(query="bronze")["lag_messages"].max() >= 0
    assert "could not be reported" not in home.log()
    assert reconcile_lake(LakeReader(home.settings)).closes


def test_without_a_broker_it_says_so(new_home) -> None:
    home = new_home("127.0.0.1:1")
    home.run("slipstream.cli", "stream", "bronze", "--once", code=1)
    last = home.log().strip().splitlines()[-1]
    assert "no Kafka broker answers at 127.0.0.1:1" in last
    assert "slipstream up" in last
    assert not home.commit("ops.job_runs", 0).exists(), "it was asked before anything began"


def wheel(folder: Path) -> Path:
    """The project's wheel, built as a release would be."""
    uv = [sys.executable, "-m", "uv"] if find_spec("uv") else [shutil.which("uv")]
    if uv == [None]:
        pytest.skip("no uv to build the wheel with: `make setup` installs it into .venv")
    subprocess.run([*uv, "build", "--wheel", "--quiet", "-o", str(folder), str(REPO)], check=True, timeout=240)
    return next(folder.glob("*.whl"))


@pytest.fixture
def cluster(new_home, sent):
    """A home with a master and two workers."""
    home = new_home(sent.bootstrap)
    spec = spark_cluster.ClusterSpec(workers=2, cores=1, memory="1g", master_port=27577, web_port=28580, auto_port=True)
    yield home, spark_cluster.start_cluster(home.settings, spec)
    spark_cluster.stop_cluster(home.settings)


def submit(home, master: str, script: Path, *args: str, options: Sequence[str] = (), packages: Path | None = None):
    """``spark-submit`` as on a cluster: jars and packages come along, the settings are the cluster's own."""
    location = find_spec("pyspark").submodule_search_locations[0]
    conf = {
        "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable,
        "spark.executor.memory": "700m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "3",
    }
    command = [f"{location}/bin/spark-submit", "--master", master, "--deploy-mode", "client"]
    command += ["--jars", ",".join(str(jar) for jar in ensure_jars(home.settings).spark)]
    command += [*options, *(["--py-files", str(packages)] if packages else [])]
    command += [*(x for k, v in conf.items() for x in ("--conf", f"{k}={v}")), str(script), *args]
    env = {k: v for k, v in home.env.items() if k != "SPARK_MASTER"} | {"SPARK_HOME": location}
    done = subprocess.run(
        command, env=env, cwd=home.settings.home, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done


def test_submitted_to_a_cluster_it_gives_the_same(cluster, sent, undisturbed, differences, tmp_path) -> None:
    home, running = cluster
    packages = wheel(tmp_path)
    done = submit(home, running.master_url, REPO / "streaming" / "all_layers.py", "--once", packages=packages)
    lines = [
        line for line in done.stdout.splitlines() if "(run " in line
    ]  # and a report every 30 s, where it takes as long
    assert [line.split(":")[0] for line in lines] == ["bronze", "silver", "gold"]
    assert "\nsilver: " in (home.settings.logs_dir / "stream-all.log").read_text()
    lines = [json.loads(line) for line in (home.settings.logs_dir / "stream-bronze.progress.jsonl").open()]
    assert sum(line["rows"] for line in lines) == sent.messages
    assert differences(undisturbed, home) == {}
    assert reconcile_lake(LakeReader(home.settings)).closes


def test_what_spark_submit_sets_stands(new_home, tmp_path) -> None:
    script = tmp_path / "show.py"
    script.write_text(
        "from conf.settings import get_settings\n"
        "from medallion.session import get_spark\n"
        "conf = get_spark(get_settings(), 'show').conf\n"
        "names = ('databricks.delta.snapshotPartitions', 'sql.session.timeZone', 'sql.extensions')\n"
        "print('set:', *(conf.get('spark.' + name) for name in names))\n"
    )
    home = new_home("127.0.0.1:1")
    done = submit(home, "local[1]", script)
    assert done.stdout == "set: 3 UTC io.delta.sql.DeltaSparkSessionExtension\n"
    assert done.stderr.count(" INFO ") < 10, done.stderr
    own = tmp_path / "log4j2.properties"
    own.write_text(LAYOUT.read_text().replace("rootLogger.level=WARN", "rootLogger.level=INFO"))
    told = f"-Dlog4j2.configurationFile={own.as_uri()} -Dslipstream.spark.log={tmp_path / 'own.log'}"
    submit(home, "local[1]", script, options=["--driver-java-options", told])
    assert (tmp_path / "own.log").read_text().count(" INFO ") > 50, "what a cluster says about logging stands, too"


def test_a_topic_that_is_not_there_is_named(sent) -> None:
    with pytest.raises(UnknownTopicError, match="has no topic 'nowhere': `slipstream up` creates it"):
        topic_partitions(sent.bootstrap, "nowhere", {})
