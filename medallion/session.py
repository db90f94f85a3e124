"""The Spark session: what a local run needs, and nothing that a cluster has settled for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from conf.errors import SlipstreamError
from conf.settings import AppConfig
from infra.local.files import make_private_folder
from infra.local.jars import ensure_jars
from infra.local.local_files import OPTIONS as LOCAL_FILES
from infra.local.local_files import ensure_local_files
from infra.local.process import describe_failure
from infra.local.spark_log import log_options, spark_log
from medallion.io import Lake
from medallion.transaction import LISTED_IDS

# Delta needs its extension and catalog wherever it runs; jobs rely on UTC and on the RocksDB state store.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # Our tables are small to middling: the defaults of these cost seconds per commit.
    "spark.databricks.delta.snapshotPartitions": "2",
    **LISTED_IDS,
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Each batch runs the same queries, some 200 of them: with 100 places none finds its code again.
    "spark.sql.codegen.cache.maxEntries": "1000",
    # To note for each column where in Python it was made is five calls into the JVM more than to make it.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Wide rows: the default of 100 fields would run the merges of silver without generated code.
    "spark.sql.codegen.maxFields": "400",
    # Tables are partitioned by session: a task with a few open files need not sort its rows first.
    "spark.sql.maxConcurrentOutputFileWriters": "32",
    # What Spark's pages and logs show in place of a value, by its name; its own default knows no account's key.
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|account[.]?key|keystore|jaas",
    "spark.sql.parquet.compression.codec": "zstd",
    # Spark's own form of an instant, INT96, others read as nanoseconds: a year beyond 2261 makes the table unreadable.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # No two payloads are the same: looking for repeats in them costs as much as writing them.
    "spark.hadoop.parquet.enable.dictionary#payload": "false",
    "spark.hadoop.parquet.enable.dictionary#event_id": "false",
}

_LOG_PROPERTIES = ("log4j2.configurationFile", "log4j.configurationFile", "log4j2.configuration.file")
_LOG_FORMS = ("properties", "xml", "json", "jsn", "yaml", "yml")


def local_spark_conf(settings: AppConfig) -> dict[str, str]:
    """Configuration of a session that nobody else configured: master, memory, jars, few partitions."""
    home = settings.home / "spark"
    return {
        "spark.master": settings.spark_master or "local[*]",
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.jars": ",".join(str(j) for j in local_spark_jars(settings)),
        "spark.driver.extraClassPath": str(ensure_local_files(settings)),
        **LOCAL_FILES,
        "spark.sql.shuffle.partitions": str(settings.spark_shuffle_partitions),
        "spark.default.parallelism": str(settings.spark_shuffle_partitions),
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.local.dir": str(home / "tmp"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Without a page to show them, the plans of past queries would only fill the heap: some 0.3 MB each.
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "100",
        "spark.ui.retainedStages": "100",
        "spark.ui.retainedTasks": "1000",
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.extraJavaOptions": (
            f'"-Dderby.system.home={home}" -XX:+UseParallelGC -XX:-DontCompileHugeMethods '
            # A stream's code is some 150 MB, and Java keeps 240 by halves: the one that is full is cleared, for ever.
            "-XX:ReservedCodeCacheSize=640m "
            f"{log_options(spark_log(settings))}"
        ),
    }


def _set_account_key(spark: SparkSession, settings: AppConfig) -> None:
    """Tell Hadoop the key of the configured Azure account, if there is one.

    Not among Spark's options: those stand in the JVM's command line, in event logs and on Spark's own pages.
    """
    if settings.azure_storage_account and settings.azure_storage_key:
        name = f"fs.azure.account.key.{settings.azure_storage_account}.dfs.core.windows.net"
        spark._jsc.hadoopConfiguration().set(name, settings.azure_storage_key.get_secret_value())


def get_spark(settings: AppConfig, app_name: str, extra: dict[str, str] | None = None) -> SparkSession:
    """The Spark session of a job.

    Under ``spark-submit`` the cluster's own settings stay as they are, logging among them, and only what the jobs
    cannot do without is added; where nobody has said what Spark logs, it is warnings and errors. Otherwise a local
    session is configured in full and logs to ``logs/spark.log``.

    Args:
        settings: Settings of the run.
        app_name: Name shown in the Spark UI and in ``ops.job_runs``.
        extra: Further Spark options, winning over ours.

    Raises:
        SparkStartError: If the JVM of a local session does not start.
        OSError: If its log cannot be written.
    """
    options = dict(REQUIRED)
    if settings.launched_by_spark_submit:
        SparkContext._ensure_initialized()  # else SparkConf would not see what spark-submit was given
    conf = SparkConf()
    if not settings.launched_by_spark_submit:
        # Spark asks the environment, not its configuration, which Python the workers of a local session run.
        os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
        options |= local_spark_conf(settings)
        (settings.home / "spark").mkdir(parents=True, exist_ok=True)
    elif not _is_logging_configured(SparkContext._jvm):
        options["spark.log.level"] = "WARN"  # else a job's result is among 1,400 lines of information
    options |= extra or {}
    for key, value in options.items():
        if not settings.launched_by_spark_submit or not conf.contains(key):
            conf.set(key, value)
    if not settings.launched_by_spark_submit:
        _start_jvm(conf, spark_log(settings))
    spark = SparkSession.builder.config(conf=conf).appName(app_name).getOrCreate()
    _set_account_key(spark, settings)
    return spark


def _is_logging_configured(jvm: Any) -> bool:
    """Whether somebody has told the JVM what to log: by a property, or by a file on its class path."""
    java = jvm.java.lang
    told = any(java.System.getProperty(name) is not None for name in _LOG_PROPERTIES)
    return told or any(java.ClassLoader.getSystemResource(f"log4j2.{form}") is not None for form in _LOG_FORMS)


class SparkStartError(SlipstreamError):
    """Spark's JVM did not start; the message says why, and where its log is."""


def _start_jvm(conf: SparkConf, log: Path) -> None:
    """Start this process's JVM, unless it has one; what it prints goes to its log, not to the terminal."""
    if SparkContext._gateway is not None:
        return
    make_private_folder(log.parent)
    with log.open("ab") as output:
        begin = output.tell()
        try:
            gateway = launch_gateway(conf, {"stdout": output, "stderr": subprocess.STDOUT})  # type: ignore[no-untyped-call]
        except PySparkRuntimeError:
            raise SparkStartError(describe_failure("Spark", "did not start", log, begin)) from None
    SparkContext._ensure_initialized(gateway=gateway)


def stop_spark(spark: SparkSession) -> None:
    """Stop a session and end its JVM, which Spark itself leaves running: another session then starts a new one."""
    gateway: Any = spark.sparkContext._gateway
    with suppress(Exception):  # after an interrupt the connection is of no more use, and the JVM ends all the same
        spark.stop()
    gateway.proc.stdin.close()  # what the JVM waits for to exit
    gateway.proc.wait(60)
    SparkContext._gateway = SparkContext._jvm = None


def open_lake(settings: AppConfig, app_name: str) -> Lake:
    """A lake on a Spark session of this process."""
    if not settings.launched_by_spark_submit:
        ensure_jars(settings)
    return Lake(get_spark(settings, app_name), settings)


class JarsMissingError(SlipstreamError):
    """The Spark jars have not been resolved yet."""


def local_spark_jars(settings: AppConfig) -> list[Path]:
    """Jars of the ``spark`` set.

    Raises:
        JarsMissingError: If there are none.
    """
    jars = sorted((settings.jars_dir / "spark").glob("*.jar"))
    if not jars:
        raise JarsMissingError(
            f"no Spark jars in {settings.jars_dir / 'spark'}: run `slipstream up` or `make setup` once to "
            "resolve them, or submit with `spark-submit --packages` (docs/cluster.md)"
        )
    return jars
