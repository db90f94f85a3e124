"""``produce``: telemetry into Kafka, without a JVM."""

from __future__ import annotations

import typer

from slipstream.commands.replay import replay
from slipstream.commands.simulate import canonical_option, simulate
from slipstream.commands.wear_laps import produce_wear_laps

produce = typer.Typer(no_args_is_help=True)
produce.command(context_settings={"token_normalize_func": canonical_option})(simulate)
produce.command()(replay)
produce.command("wear-laps")(produce_wear_laps)

app = typer.Typer()
app.add_typer(
    produce, name="produce", rich_help_panel="Produce", help="Send telemetry to Kafka: simulated or replayed."
)
