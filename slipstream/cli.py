"""The command line: nothing but wiring. What a command needs is imported when it runs, so that help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from slipstream.commands import (
    coach,
    demo,
    ghost,
    karma,
    laps,
    maintain,
    models,
    pipeline,
    produce,
    quality,
    query,
    rebuild,
    report,
    stack,
    track,
    train_score,
)
from slipstream.console import say
from slipstream.errors import FriendlyGroup

app = typer.Typer(
    name="slipstream",
    cls=FriendlyGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A streaming lakehouse for motorsport and vehicle telemetry: Kafka, Spark, Delta and MLflow.",
    epilog=(
        "A first round: `slipstream up`, `slipstream produce simulate --cars 4 --laps 3`, `slipstream run`, "
        '`slipstream sql "select * from gold.lap_features"`.'
    ),
)
for family in (
    stack,
    produce,
    pipeline,
    track,
    ghost,
    coach,
    karma,
    train_score,
    models,
    demo,
    laps,
    report,
    query,
    quality,
    maintain,
    rebuild,
):
    app.add_typer(family.app)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        say(f"slipstream {version('slipstream-lake')}")
    except PackageNotFoundError:
        say("slipstream (a checkout, not installed)")
    raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log to stderr, the Kafka client included.")] = False,
) -> None:
    """A streaming lakehouse for motorsport and vehicle telemetry: Kafka, Spark, Delta and MLflow."""
    import logging

    if verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    else:
        # What libraries report is for the log of a command that keeps one: the command itself says what came of it.
        logging.getLogger().addHandler(logging.NullHandler())


if __name__ == "__main__":
    app()
