"""Where the figures come from: processor, memory, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from infra.local.java import find_java

PACKAGES = (
    "confluent-kafka",
    "delta-spark",
    "deltalake",
    "duckdb",
    "numpy",
    "onnxruntime",
    "orjson",
    "polars",
    "pyarrow",
    "pyspark",
    "scikit-learn",
)
REPO = Path(__file__).resolve().parents[1]


def describe() -> dict[str, object]:
    """The machine and the versions, as they go into a result file."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "java": find_java().version,
        "versions": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def cpu_model() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Commit of the checkout, marked where files differ from it; ``None`` outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=REPO, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None
