"""Earlier spellings of commands and flags: hidden from help, still working, and naming the one to use on stderr."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import typer
from typer.core import TyperCommand

from slipstream.console import say


def add_alias(
    group: typer.Typer, old: str, command: Callable[..., Any], canonical: str, cls: type[TyperCommand] | None = None
) -> None:
    """Add a hidden command that names the canonical one and then does the same.

    Args:
        group: Group that the alias belongs to.
        old: Earlier spelling, as ``karma infer``; its last word is the alias's name in the group.
        command: The canonical command.
        canonical: Its spelling, as ``score karma``.
        cls: Class of the canonical command, where it has one of its own.
    """

    @wraps(command)
    def alias(*args: Any, **kwargs: Any) -> Any:
        _tell(old, canonical)
        return command(*args, **kwargs)

    group.command(old.rpartition(" ")[2], hidden=True, cls=cls)(alias)


def rename_flags(renamed: Mapping[str, str]) -> type[TyperCommand]:
    """A class of commands that take flags by earlier names too.

    Args:
        renamed: Canonical flag of each earlier one, as ``{"--again": "--rebuild"}``.
    """

    def canonical(argument: str) -> str:
        flag, equals, value = argument.partition("=")
        if flag not in renamed:
            return argument
        _tell(flag, renamed[flag])
        return f"{renamed[flag]}{equals}{value}"

    class CommandWithRenamedFlags(TyperCommand):
        """A command that takes flags by earlier names too."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            """Parse arguments, earlier names of flags among them; what follows ``--`` is no flag."""
            end = args.index("--") if "--" in args else len(args)
            return super().parse_args(ctx, [*map(canonical, args[:end]), *args[end:]])

    return CommandWithRenamedFlags


def _tell(old: str, canonical: str) -> None:
    """Name the canonical spelling of a command or flag."""
    lead = "" if old.startswith("-") else "slipstream "
    say(f"`{lead}{old}` is now `{lead}{canonical}`", err=True)
