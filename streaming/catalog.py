"""All jobs, streaming and batch: what ``docs/cluster.md`` lists, and what tests hold to one form."""

from __future__ import annotations

from typing import Final

from jobs.catalog import BATCH_JOBS
from jobs.job import Job
from streaming import all_layers, bronze, gold, karma, silver

STREAMING_JOBS: Final[tuple[Job, ...]] = (bronze.JOB, silver.JOB, gold.JOB, all_layers.JOB, karma.JOB)
ALL_JOBS: Final[tuple[Job, ...]] = (*STREAMING_JOBS, *BATCH_JOBS)
