import subprocess
import sys

import psutil
import pytest

from conf.settings import AppConfig
from infra.local import service, spark_cluster
from infra.local.spark_cluster import ClusterSpec

pytestmark = pytest.mark.integration

# The two executors' process ids: each slot of the cluster holds one task while the other runs.
JOB = """
import os, sys, time
from pyspark.sql import SparkSession

builder = SparkSession.builder.master(sys.argv[1]).config("spark.executor.memory", "512m")
spark = builder.config("spark.ui.enabled", "false").getOrCreate()
seen = spark.sparkContext.parallelize(range(2), 2).map(lambda _: (time.sleep(3), os.getppid())[1]).collect()
print("executors", len(set(seen)), "sum", spark.range(1000).selectExpr("sum(id)").first()[0])
spark.stop()
"""


def test_two_workers_are_alive_run_a_job_and_leave_nothing_behind(idle: AppConfig) -> None:
    cluster = spark_cluster.start_cluster(
        idle, ClusterSpec(workers=2, memory="1g", master_port=27077, web_port=28080, auto_port=True)
    )
    assert [(worker.state, worker.cores, worker.memory_mib) for worker in cluster.workers] == [("ALIVE", 1, 1024)] * 2
    with pytest.raises(ValueError, match="a Spark cluster of this home is up already"):
        spark_cluster.start_cluster(idle)

    environment = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-c", JOB, cluster.master_url],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "executors 2 sum 499500" in result.stdout, result.stderr[-3000:]

    names = ["spark-master", "spark-worker-1", "spark-worker-2"]
    parts = [part for part in (service.load_service(idle, name) for name in names) if part is not None]
    assert len(parts) == 3
    processes = [psutil.Process(part.process.pid) for part in parts]
    spark_cluster.stop_cluster(idle)
    assert not any(process.is_running() for process in processes)
    assert spark_cluster.worker_states(cluster.web_url) == []
    assert service.load_service(idle, "spark-master") is None


def test_a_cluster_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        ClusterSpec(workers=0)
