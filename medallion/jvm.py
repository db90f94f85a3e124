"""Classes and static methods of Spark's JVM, each looked up once.

Py4J asks the JVM for every part of a dotted name, each time it is written down: ten questions before the one that was
meant.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import Any

from pyspark.sql import SparkSession


def java_name(spark: SparkSession, path: str) -> Any:
    """A class or a static method by its full name, ``java.util.ArrayList`` or ``scala.Option.apply``."""
    return _look_up(spark._jvm, path)


def java_none(spark: SparkSession) -> Any:
    """Scala's ``None``."""
    return _none(spark._jvm)


@lru_cache(maxsize=200)
def _look_up(jvm: Any, path: str) -> Any:
    return reduce(getattr, path.split("."), jvm)


@lru_cache(maxsize=4)
def _none(jvm: Any) -> Any:
    return _look_up(jvm, "scala.Option.empty")()
