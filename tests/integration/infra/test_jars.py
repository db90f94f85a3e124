import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from conf.settings import AppConfig
from infra.local import stack
from infra.local.jars import JarError, ensure_jars

pytestmark = pytest.mark.integration

JOB = """
import sys
from pyspark.sql import SparkSession

jars, bootstrap, folder = sys.argv[1:]
builder = SparkSession.builder.master("local[2]").config("spark.jars", jars).config("spark.ui.enabled", "false")
builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
builder = builder.config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
spark = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap)
source = source.option("subscribe", "environment.raw").option("startingOffsets", "earliest").load()
query = source.selectExpr("CAST(value AS STRING) AS value").writeStream.format("delta")
query = query.option("checkpointLocation", folder + "/checkpoint").trigger(availableNow=True).start(folder + "/table")
query.awaitTermination()
spark.sql(f"DELETE FROM delta.`{folder}/table` WHERE value = 'b'")
print("rows", sorted(row.value for row in spark.read.format("delta").load(folder + "/table").collect()))
"""


def test_the_spark_set_is_all_that_kafka_to_delta_needs(running: AppConfig, tmp_path: Path) -> None:
    bootstrap = stack.find_endpoints(running).bootstrap
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in ("a", "b", "c"):
        producer.produce("environment.raw", value)
    assert producer.flush(30) == 0
    jars = ",".join(map(str, ensure_jars(running).spark))
    result = subprocess.run(
        [sys.executable, "-c", JOB, jars, bootstrap, str(tmp_path)],
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "rows ['a', 'c']" in result.stdout, result.stderr[-3000:]


def test_without_network_the_remedy_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLIPSTREAM_JARS", raising=False)  # jars of its own, wherever the others have theirs
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9")
    with pytest.raises(JarError, match=r"could not be resolved: .*Connection refused.*SLIPSTREAM_JARS"):
        ensure_jars(AppConfig(slipstream_home=tmp_path, _env_file=None))
    assert [path.name for path in (tmp_path / "jars").iterdir()] == [".lock"]
