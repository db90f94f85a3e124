"""Which jars a local session loads: those that ``infra`` resolved, found by folder so that no import goes sideways."""

from __future__ import annotations

from pathlib import Path

from conf.settings import AppConfig


class JarsMissingError(RuntimeError):
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
