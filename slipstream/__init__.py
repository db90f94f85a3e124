"""The command line: commands, and answers in the terminal; and ``slipstream.open()`` for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.notebook.lake import open_lake as open  # noqa: A004 - as `slipstream.open` it shadows nothing

__all__ = ["open"]


def __getattr__(name: str) -> Any:
    """``open``, imported once it is asked for: commands need no Arrow to say what they are."""
    if name == "open":
        from serving.notebook.lake import open_lake

        return open_lake
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
