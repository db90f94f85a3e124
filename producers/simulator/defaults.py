"""Defaults that the command line states in its help; without imports, so that the help comes at once."""

from __future__ import annotations

from typing import Final

DEFAULT_LAPS: Final = 3
INCIDENT_LAPS: Final = 6
"""From so many laps on a race has incidents unless told otherwise."""
