"""Arguments that several jobs have, with the bounds that the command line sets too."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers within bounds.

    Args:
        least: Smallest number.
        most: Largest number; there is none if left out.
    """

    def parse(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            raise ArgumentTypeError(f"{value} is not {least} or more" + ("" if most is None else f", up to {most}"))
        return value

    parse.__name__ = "whole number"  # argparse names it where a text is no number
    return parse


def add_nothing(parser: ArgumentParser) -> None:
    """Add nothing: for a job without arguments of its own."""
    del parser


def add_sessions(parser: ArgumentParser, help_text: str, *, required: bool = False) -> None:
    """Add ``--session``, which may be repeated, as ``sessions``."""
    parser.add_argument(
        "--session", dest="sessions", action="append", metavar="SESSION", required=required, help=help_text
    )


def add_seed(parser: ArgumentParser, help_text: str = "seed of everything random") -> None:
    """Add ``--seed``, 0 by default."""
    parser.add_argument("--seed", type=int, default=0, help=help_text)
