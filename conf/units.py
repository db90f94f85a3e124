"""Physical constants and factors between units."""

from __future__ import annotations

from typing import Final

GRAVITY_MPS2: Final = 9.80665
"""Standard gravity (3rd CGPM, 1901)."""
KMH_PER_MPS: Final = 3.6
"""Kilometres per hour in one metre per second."""
