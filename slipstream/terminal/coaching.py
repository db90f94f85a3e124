"""Coaching as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.queries.coaching import CoachedLap, format_values

if TYPE_CHECKING:
    from rich.table import Table


_STYLES: Final = {"high": "bold red", "medium": "yellow", "low": ""}


def coaching_table(found: CoachedLap) -> Table:
    """Insights, the costliest first; what the lap loses or gains elsewhere; and the sum, the difference of the laps."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, right in (
        ("", True),
        ("where", False),
        ("verdict", False),
        ("lost, s", True),
        ("what", False),
        ("lap", True),
        ("target", True),
        ("throttle, %", True),
        ("target", True),
        ("brake, bar", True),
        ("target", True),
    ):
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    for one in found.insights:
        human, target = format_values(one)
        style = _STYLES[found.rules.coaching.severity(one.time_loss_s)]
        table.add_row(
            str(one.rank),
            one.place.label,
            one.text,
            Text(f"{one.time_loss_s:.3f}", style=style),
            one.metric,
            human,
            target,
            f"{one.throttle_applied_pct:.0f}",
            f"{one.throttle_target_pct:.0f}",
            f"{one.brake_applied_bar:.0f}",
            f"{one.brake_target_bar:.0f}",
        )
    table.add_section()
    table.add_row("", "all other places", "", f"{found.elsewhere_s:+.3f}", *[""] * 7)
    table.add_row("", "sum", "", f"{found.lap_delta_s:+.3f}", *[""] * 7, style="bold")
    return table
