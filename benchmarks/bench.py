"""What the benchmarks share: a home of their own that is gone afterwards, a broker, a Spark session, lakes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console

from benchmarks.stages import logged_to
from conf.settings import AppConfig, get_settings
from conf.topics import TELEMETRY_RAW
from infra.local import broker, stack

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.io import Lake

Size = Literal["small", "full"]
_FIRST_PORT = 42_000
COMMAND = str(Path(sys.executable).with_name("slipstream"))
"""The command line, as the shell finds it."""


@dataclass(frozen=True)
class Bench:
    """One invocation.

    Attributes:
        size: ``small`` only shows that it works; figures are for ``full``.
        runs: Counted rounds.
        home: Folder for everything; removed by :meth:`close`.
        profile: Whether Spark keeps an event log for :mod:`benchmarks.stages`.
        millions: Sizes of the lake of row 11, in million samples; its own where there are none.
    """

    size: Size
    runs: int
    console: Console
    profile: bool = False
    millions: tuple[int, ...] = ()
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="slipstream-bench-")))
    _numbers: Iterator[int] = field(default_factory=count)

    def pick(self, small: int, full: int) -> int:
        """The amount of work for this size."""
        return full if self.size == "full" else small

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        self.console.print(f"[dim]{text}[/]", highlight=False, soft_wrap=True)

    def folder(self, name: str) -> Path:
        """A new folder."""
        path = self.home / f"{name}-{next(self._numbers):04d}"
        path.mkdir(parents=True)
        return path

    def settings(self, home: Path, bootstrap: str | None = None) -> AppConfig:
        """Settings of a home; jars are those of the project."""
        start = _FIRST_PORT + os.getpid() % 100 * 50
        return AppConfig(
            slipstream_home=home,
            slipstream_jars=get_settings().jars_dir,
            kafka_bootstrap_servers=bootstrap,
            kafka_port=start,
            kafka_controller_port=start + 1,
        )

    def environment(self, settings: AppConfig) -> dict[str, str]:
        """Environment in which a command of ours works on a home."""
        named = {
            "SLIPSTREAM_HOME": settings.home,
            "SLIPSTREAM_JARS": settings.jars_dir,
            "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap,
        }
        return os.environ | {name: str(value) for name, value in named.items()}

    @property
    def event_log(self) -> Path:
        """Folder of Spark's event log."""
        return self.home / "events"

    @cached_property
    def spark(self) -> SparkSession:
        """The one Spark session, as the jobs get it."""
        from medallion.session import get_spark

        extra = logged_to(self.event_log) if self.profile else {}
        return get_spark(self.settings(self.home), "slipstream-benchmarks", extra)

    @contextmanager
    def lake(self, bootstrap: str | None = None) -> Iterator[Lake]:
        """An empty lake with its own checkpoints."""
        from medallion.io import Lake

        home = self.folder("lake")
        yield Lake(self.spark, self.settings(home, bootstrap))
        shutil.rmtree(home, ignore_errors=True)

    @contextmanager
    def broker(self) -> Iterator[str]:
        """A Kafka broker with Slipstream's topics, on free ports; gives its address."""
        home = self.folder("kafka")
        settings = self.settings(home)
        stack.start_stack(settings, auto_port=True, services=[broker.NAME], console=self.console)
        try:
            yield stack.find_endpoints(settings).bootstrap
        finally:
            stack.stop_stack(settings, services=[broker.NAME])
            shutil.rmtree(home, ignore_errors=True)

    @contextmanager
    def topic(self, bootstrap: str, partitions: int = 4) -> Iterator[str]:
        """A new topic with the settings of ours; its files go with it."""
        admin, name = (
            AdminClient({"bootstrap.servers": bootstrap, "log_level": "0"}),
            f"bench-{next(self._numbers):04d}",
        )
        config = TELEMETRY_RAW.config | {"file.delete.delay.ms": "0"}
        admin.create_topics([NewTopic(name, num_partitions=partitions, config=config)])[name].result(30)
        try:
            yield name
        finally:
            admin.delete_topics([name])[name].result(30)

    def stop_spark(self) -> None:
        """Stop Spark and its JVM, if they run."""
        if "spark" in self.__dict__:
            from medallion.session import stop_spark

            stop_spark(self.spark)
            del self.__dict__["spark"]

    def close(self) -> None:
        """Stop Spark, which would go on to write there, and remove the home."""
        self.stop_spark()
        shutil.rmtree(self.home, ignore_errors=True)
