"""Ghost laps: windows of laps, networks that learn to drive them, and how good they are. Without Spark or MLflow."""

from typing import Final

MODEL: Final = "ghost-gan"
"""Name in the registry."""
