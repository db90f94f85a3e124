"""The Spark jobs: ``stream``, ``run``, ``train``, ``score`` and ``demo``."""

from __future__ import annotations

import typer

app = typer.Typer()
