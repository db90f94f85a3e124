"""Batch jobs, one module each: all run from ``slipstream``, ``python -m`` and ``spark-submit``."""
