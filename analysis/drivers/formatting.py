"""Format figures for sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from analysis.statistics.bootstrap import Estimate

_MOST_CHOICES: Final = 20
_LEVEL_S: Final = 0.0005


def format_lap_time(time_s: float | None) -> str:
    """A lap time, e.g. ``2:08.432``; nothing where there is none."""
    if time_s is None:
        return ""
    minutes, rest = divmod(round(time_s * 1000), 60_000)
    return f"{minutes}:{rest // 1000:02d}.{rest % 1000:03d}"


def format_interval(figure: Estimate, unit: str, digits: int = 3) -> str:
    """The interval of a figure, e.g. ``95 % interval 0.101 to 0.204 s``; its size where all of it is negative."""
    low, high = (-figure.high, -figure.low) if figure.sign < 0 else (figure.low, figure.high)
    return f"95 % interval {low:.{digits}f} to {high:.{digits}f} {unit}"


def describe_gap(gap_s: float, than: str) -> str:
    """A difference of two times, e.g. ``0.213 s slower than lap 4``; ``level with lap 4`` where clocks show none.

    Args:
        gap_s: The one time less the other.
        than: What is compared with.
    """
    if is_level(gap_s):
        return f"level with {than}"
    return f"{abs(gap_s):.3f} s {'slower' if gap_s > 0 else 'faster'} than {than}"


def is_level(gap_s: float) -> bool:
    """Whether two times differ by less than a thousandth shows."""
    return abs(gap_s) < _LEVEL_S


def join_names(names: Sequence[str]) -> str:
    """``a``, ``a and b``, or ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def format_ranges(numbers: Sequence[int]) -> str:
    """``2-4 and 7`` for 2, 3, 4, 7 (ascending)."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return join_names([f"{a}-{b}" if a < b else f"{a}" for a, b in zip(starts, ends, strict=True)])


def format_car(vehicle_id: str, number: str | None) -> str:
    """A vehicle with the number it raced under, e.g. ``GR86-022-13 (13)``; its id alone where it has none."""
    return vehicle_id if number is None else f"{vehicle_id} ({number})"


def describe_choices(what: str, names: Iterable[str], if_none: str = "") -> str:
    """What there is to choose from, each once, e.g. ``sessions are a, b``; the first of them where there are many.

    Args:
        what: Plural of the thing.
        names: Those there are.
        if_none: What to do where there are none.
    """
    found = list(dict.fromkeys(names))
    if not found:
        return f"there are no {what}{if_none}"
    more = f" and {len(found) - _MOST_CHOICES} more" if len(found) > _MOST_CHOICES else ""
    return f"{what} are {', '.join(found[:_MOST_CHOICES])}{more}"


def format_count(n: int, thing: str, things: str | None = None) -> str:
    """``1 lap``, ``2,000 laps``; a plural that does not end in an s is given."""
    return f"{n} {thing}" if n == 1 else f"{n:,} {things or thing + 's'}"


def format_tenths(value: float) -> str:
    """A lap time to the tenth, e.g. ``1:19.5``."""
    minutes, rest = divmod(round(value * 10), 600)
    return f"{minutes}:{rest // 10:02d}.{rest % 10}"


def format_rank(place: int) -> str:
    """A place as an ordinal number, e.g. ``1st``, ``22nd``, ``113th``."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def format_day(instant_us: float) -> str:
    """A day as ``6 September 2025``.

    Args:
        instant_us: Microseconds since the epoch, UTC.
    """
    instant = datetime.fromtimestamp(instant_us / 1e6, UTC)
    return f"{instant.day} {instant:%B %Y}"
