"""One Spark session for all tests here, a lake of its own for each, and messages to put into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.contract import load_contract
from conf.settings import AppConfig
from medallion.dataset import open_dataset
from medallion.io import Lake
from medallion.session import get_spark, stop_spark
from tests.spark.messages import Stored
from tests.spark.races import close, ingest, published

BRONZE = "topic string, kafka_partition int, kafka_offset bigint, event_type string, source string, payload binary"
# What says who wrote a row and when, not what it holds.
INGEST = ("run_id", "batch_id", "quarantined_ts", "noted_ts", "updated_ts", "written_ts")

ToBronze = Callable[[list[Stored]], DataFrame]
NewLake = Callable[..., Lake]
Rows = Callable[..., pl.DataFrame]

# Batches are a few rows here: to write, compile and warm up code for each plan takes longer than to interpret it.
# tests/integration runs from generated code, as users do.
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
# What the JVM compiles a second time, for speed, must be called four times as often as usual before it is: few methods
# are called so often that the compiler's own time, a third of all that the session took, comes back.
COMPILED_LATE = (
    "-XX:Tier4InvocationThreshold=20000 -XX:Tier4MinInvocationThreshold=3000 -XX:Tier4CompileThreshold=40000 "
    "-XX:Tier4BackEdgeThreshold=160000"
)
OWN_OPTIONS = os.environ.get("JAVA_TOOL_OPTIONS", "")  # read here: tests/integration has others for its JVMs


@pytest.fixture(scope="package")
def spark(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[SparkSession]:
    """A local session with two threads; its JVM ends with the tests here, for those that come after need no memory."""
    home = tmp_path_factory.mktemp("spark")
    settings = AppConfig(
        slipstream_home=home,
        slipstream_jars=jars_dir,
        spark_master="local[2]",
        spark_driver_memory="2g",
        spark_shuffle_partitions=2,
        _env_file=None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", f"{COMPILED_LATE} {OWN_OPTIONS}".strip())
        session = get_spark(settings, "tests", INTERPRETED)
    yield session
    stop_spark(session)


@pytest.fixture(autouse=True)
def forgotten(spark: SparkSession) -> Iterator[None]:
    """Make Delta forget a test's tables: it keeps the state of each for an hour, and many lakes fill the heap."""
    yield
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]


@pytest.fixture
def lake(spark: SparkSession, home: AppConfig) -> Lake:
    """An empty lake."""
    return Lake(spark, home)


@pytest.fixture(scope="package")
def new_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> NewLake:
    """Makes lakes that outlive a test, each in a folder of its own, empty or with what another has, by own settings."""

    def make(name: str, like: Lake | None = None, **settings: int) -> Lake:
        home = tmp_path_factory.mktemp(name)
        if like is not None:
            shutil.copytree(like.settings.home, home, dirs_exist_ok=True)
        return Lake(spark, AppConfig(slipstream_home=home, slipstream_jars=jars_dir, _env_file=None, **settings))

    return make


@pytest.fixture(scope="package")
def vir(new_lake: NewLake, to_bronze: ToBronze, data_dir: Path) -> Lake:
    """Silver of both published races at VIR, sheets only. Whoever writes takes a copy."""
    lake = new_lake("vir")
    ingest(lake, to_bronze, published(data_dir / "grcup" / "vir"))
    close(lake)
    return lake


@pytest.fixture(scope="package")
def to_bronze(spark: SparkSession) -> ToBronze:
    """Stored messages as bronze rows."""

    def convert(stored: list[Stored]) -> DataFrame:
        return spark.createDataFrame([tuple(s) for s in stored], BRONZE).withColumn("ingest_date", F.current_date())

    return convert


@pytest.fixture(scope="package")
def rows() -> Rows:
    """A table's rows in the order of its key, without the columns that name the run; read without Spark."""

    def read(lake: Lake, name: str, *also_without: str) -> pl.DataFrame:
        if not (Path(lake.uri(name)) / "_delta_log").is_dir():
            return pl.DataFrame()
        arrow = open_dataset(name, lake.settings).to_table()
        contract = load_contract(name)
        columns = [c for c in contract.column_names if c not in (*INGEST, *also_without)]
        frame = pl.from_arrow(arrow.select(columns))
        assert isinstance(frame, pl.DataFrame)
        return frame.sort([k for k in contract.key if k in columns])

    return read
