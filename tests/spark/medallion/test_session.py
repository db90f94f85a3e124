"""What Spark's JVM says is in its log and not on the terminal; a JVM that does not start says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import sys
from pathlib import Path
from conf.failures import user_message
from conf.settings import AppConfig
from medallion.session import get_spark

settings = AppConfig(slipstream_home=Path(sys.argv[1]), slipstream_jars=Path(sys.argv[2]), spark_master="local[1]",
                     spark_driver_memory="512m", _env_file=None)
try:
    spark = get_spark(settings, "talk", dict(option.split("=", 1) for option in sys.argv[3:]))
except Exception as error:
    sys.exit(user_message(error))
spark._jvm.org.apache.log4j.LogManager.getLogger("ours").warn("a warning")
spark._jvm.org.apache.log4j.LogManager.getLogger("ours").info("a remark")
spark._jvm.System.err.println("printed by the JVM")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home"


def start(home: Path, jars_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Start a session in a process of its own."""
    outside = {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}
    command = [sys.executable, "-c", START, str(home), str(jars_dir), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=outside)


def test_what_spark_says_is_in_its_log(home: Path, jars_dir: Path) -> None:
    log = home / "logs" / "spark.log"
    log.parent.mkdir(parents=True)
    log.write_text("of an earlier run\n")
    done = start(home, jars_dir)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = log.read_text()
    assert said.startswith("of an earlier run\n")
    assert "WARN ours: a warning\n" in said
    assert "printed by the JVM\n" in said
    assert "a remark" not in said


def test_a_jvm_that_does_not_start_says_why(home: Path, jars_dir: Path) -> None:
    log = home / "logs" / "spark.log"
    log.parent.mkdir(parents=True)
    log.write_text("of an earlier run\n")
    done = start(home, jars_dir, "spark.driver.memory=4x")
    assert done.returncode == 1
    assert done.stderr.startswith("Spark did not start\ncause: ")
    assert "Invalid maximum heap size: -Xmx4x" in done.stderr
    assert "earlier run" not in done.stderr


def test_a_log_that_cannot_be_written_is_named(home: Path, jars_dir: Path) -> None:
    home.mkdir()
    (home / "logs").write_text("not a folder")
    done = start(home, jars_dir)
    assert (done.returncode, done.stderr) == (1, f"{home / 'logs'}: File exists\n")


SECRET = "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50"
KEEP = """
import sys, urllib.request
from pathlib import Path
from conf.settings import AppConfig
from medallion.session import get_spark

settings = AppConfig(slipstream_home=Path(sys.argv[1]), slipstream_jars=Path(sys.argv[2]), spark_master="local[1]",
                     spark_driver_memory="512m", azure_storage_account="account", azure_storage_key=sys.argv[3][::-1],
                     _env_file=None)
spark = get_spark(settings, "keep", {"spark.ui.enabled": "true", "spark.ui.port": "0"})
name = "fs.azure.account.key.account.dfs.core.windows.net"
assert spark._jsc.sc().hadoopConfiguration().get(name) == sys.argv[3][::-1]
assert spark._jsparkSession.sessionState().newHadoopConf().get(name) == sys.argv[3][::-1]
web, app = spark.sparkContext.uiWebUrl, spark.sparkContext.applicationId
page = urllib.request.urlopen(f"{web}/api/v1/applications/{app}/environment").read().decode()
assert "spark.app.name" in page
seen = {"page": page, "set": str(spark.sql("SET").collect()), "conf": str(spark.sparkContext.getConf().getAll())}
for process in Path("/proc").glob("[0-9]*/cmdline"):
    try:
        seen[str(process)] = process.read_bytes().decode(errors="replace")
    except OSError:  # it has ended
        pass
print([place for place, text in seen.items() if sys.argv[3][::-1] in text])
"""


def test_the_key_of_an_account_is_shown_nowhere(home: Path, jars_dir: Path) -> None:
    command = [sys.executable, "-c", KEEP, str(home), str(jars_dir), SECRET[::-1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
