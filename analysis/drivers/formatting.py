"""Format figures for sentences."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.statistics.bootstrap import Estimate


def format_lap_time(time_s: float) -> str:
    """A lap time, e.g. ``2:08.432``."""
    minutes, rest = divmod(round(time_s * 1000), 60_000)
    return f"{minutes}:{rest // 1000:02d}.{rest % 1000:03d}"


def format_interval(figure: Estimate, unit: str, digits: int = 3) -> str:
    """The interval of a figure, e.g. ``95 % interval 0.101 to 0.204 s``; its size where all of it is negative."""
    low, high = (-figure.high, -figure.low) if figure.sign < 0 else (figure.low, figure.high)
    return f"95 % interval {low:.{digits}f} to {high:.{digits}f} {unit}"


def join_names(names: Sequence[str]) -> str:
    """``a``, ``a and b``, or ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def format_ranges(numbers: Sequence[int]) -> str:
    """``2-4 and 7`` for 2, 3, 4, 7 (ascending)."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return join_names([f"{a}-{b}" if a < b else f"{a}" for a, b in zip(starts, ends, strict=True)])


def format_count(n: int, thing: str) -> str:
    """``1 lap``, ``2 laps``."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def format_tenths(value: float) -> str:
    """A lap time to the tenth, e.g. ``1:19.5``."""
    minutes, rest = divmod(round(value * 10), 600)
    return f"{minutes}:{rest // 10:02d}.{rest % 10}"
