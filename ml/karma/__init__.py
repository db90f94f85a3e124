"""Wear from lap features: models without Spark and without MLflow."""

from typing import Final

MODEL: Final = "mechanical-karma"
"""Name in the registry."""
