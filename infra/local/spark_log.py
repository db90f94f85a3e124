"""The log of Spark's JVM: where it is, and how the JVM is told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from conf.settings import AppConfig

LAYOUT: Final = Path(__file__).with_name("spark_log4j2.properties")
"""Log4j's configuration: levels, form and size of the log."""


def spark_log(settings: AppConfig) -> Path:
    """The log of the JVMs that commands and jobs of a home start."""
    return settings.logs_dir / "spark.log"


def log_options(log: Path) -> str:
    """The JVM's options that make it write to ``log``; three full logs are kept beside it as ``.1`` to ``.3``."""
    return f'"-Dlog4j2.configurationFile={LAYOUT.as_uri()}" "-Dslipstream.spark.log={log}"'
