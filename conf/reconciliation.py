"""The identity that ``ops.reconciliation`` keeps, for every batch and for the lake as a whole.

A unit is one reading, one sample of a frame, one event, or one message that could not be decoded. Exactly one thing
becomes of each: it is written, it repeats what is there already, it contradicts what is there, or it is refused.
"""

from __future__ import annotations

from typing import Final, Protocol

OUTCOMES: Final = ("written", "repeats", "conflicts", "quarantined")
"""What becomes of units: the columns that add up to ``units``."""


class UnitCounts(Protocol):
    """How many units there were, and what became of how many."""

    @property
    def units(self) -> int:
        """Units read."""

    @property
    def written(self) -> int:
        """Those that reached silver."""

    @property
    def repeats(self) -> int:
        """Those identical to one already there."""

    @property
    def conflicts(self) -> int:
        """Those that contradict one already there."""

    @property
    def quarantined(self) -> int:
        """Those refused."""


def unaccounted_units(counts: UnitCounts) -> int:
    """Units less all that became of them: zero where they add up, negative where some are counted twice."""
    return counts.units - sum(int(getattr(counts, outcome)) for outcome in OUTCOMES)
