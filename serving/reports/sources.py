"""The tables that a report shows, with their versions."""

from __future__ import annotations

from collections.abc import Mapping


def list_versions(versions: Mapping[str, int]) -> str:
    """Tables with their Delta versions by name, e.g. ``gold.siwtl 3, silver.laps 12``."""
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
