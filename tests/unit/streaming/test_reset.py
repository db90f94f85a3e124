"""What a reset removes, what it leaves, and what becomes of one that was killed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from conf.errors import InputError
from conf.lake import checkpoint_uri, table_uri
from conf.settings import AppConfig
from streaming.reset import Layer, check_bronze_holds_all, plan_reset, reset_layers

TABLES = {
    "bronze.telemetry_events": ("bronze",),
    "silver.telemetry": ("bronze", "silver"),
    "silver.laps": ("bronze", "silver"),
    "silver.sessions": (),
    "silver.tracks": (),
    "ops.reconciliation": ("bronze", "silver"),
    "ops.retention": ("bronze",),
    "ops.job_runs": (),
    "gold.lap_features": ("bronze", "silver", "gold"),
    "gold.karma_scores": ("bronze", "silver", "gold"),
    "gold.dptad_thresholds": (),
    "gold.ghost_laps": (),
}
CHECKPOINTS = {
    "bronze": ("bronze",),
    "silver": ("bronze", "silver"),
    "silver_closing": ("bronze", "silver"),
    "gold": ("bronze", "silver", "gold"),
}


@pytest.fixture
def lake(home: AppConfig) -> AppConfig:
    for name in TABLES:
        (Path(table_uri(name, home)) / "_delta_log").mkdir(parents=True)
    for name in CHECKPOINTS:
        Path(checkpoint_uri(name, home)).mkdir(parents=True)
    return home


def left(home: AppConfig) -> tuple[set[str], set[str]]:
    root = Path(home.lake_root)
    tables = {f"{log.parents[1].name}.{log.parent.name}" for log in root.glob("*/*/_delta_log")}
    return tables, {path.name for path in (root / "_checkpoints").iterdir() if path.is_dir()}


@pytest.mark.parametrize("layer", ["bronze", "silver", "gold"])
def test_what_a_layers_streams_fill_goes_and_all_else_stays(lake: AppConfig, layer: Layer) -> None:
    stays = {name for name, layers in TABLES.items() if layer not in layers}
    reset_layers(lake, plan_reset(lake, layer))
    assert left(lake) == (stays, {name for name, layers in CHECKPOINTS.items() if layer not in layers})
    assert not plan_reset(lake, layer).tables


def test_killed_anywhere_it_is_done_by_the_next(lake: AppConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, made = Path.rename, 0

    def killed(path: Path, target: Path) -> Path:
        nonlocal made
        made += 1
        if made % 2 == 0:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            reset_layers(lake, plan_reset(lake, "silver"))
    tables, checkpoints = left(lake)
    assert len(checkpoints) == 3, "checkpoints go first"
    assert {name for name in tables if name in TABLES} == set(TABLES)
    reset_layers(lake, plan_reset(lake, "silver"))
    assert left(lake) == ({name for name, layers in TABLES.items() if "silver" not in layers}, {"bronze"})


def test_silver_is_not_emptied_where_bronze_cannot_fill_it(home: AppConfig) -> None:
    check_bronze_holds_all(home)
    rows = {"topic": ["telemetry.raw"], "kafka_partition": [2], "kept_from": [12_000]}
    write_deltalake(table_uri("ops.retention", home), pl.DataFrame(rows))
    with pytest.raises(InputError, match=r"telemetry.raw-2 before offset 12,000; BRONZE_RETENTION_DAYS"):
        check_bronze_holds_all(home)
