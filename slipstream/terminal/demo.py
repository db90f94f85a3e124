"""The demo's closing output: one table and one picture, read from the lake without a JVM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from conf.arrays import FloatArray
from conf.settings import AppConfig
from conf.tables import GOLD_STYLE_PREDICTIONS, SILVER_TELEMETRY
from serving.charts.style import save_figure
from serving.lake.reader import LakeReader

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jobs.score_style import StyleScoringResult
    from jobs.train_style import StyleTrainingResult

PROFILES = {"aggressive": "#d62728", "normal": "#1f77b4", "safe": "#2ca02c", "eco": "#9467bd"}
Columns = dict[str, list[Any]]
_GAP_S = 5.0


def demo_summary_table(settings: AppConfig, trained: StyleTrainingResult, scored: StyleScoringResult) -> Table:
    """What is in the lake, and how well the model did."""
    lake = LakeReader(settings)
    table = Table("what", "figure", title="Slipstream", title_justify="left")
    for what, sql in (
        ("messages in bronze", "select count(*) from bronze.telemetry_events"),
        ("samples in silver", "select count(*) from silver.telemetry"),
        ("samples that contradict one already there", "select count(*) from silver.conflicts"),
        ("units in quarantine", "select count(*) from silver.quarantine"),
        ("laps with features", "select count(*) from gold.lap_features"),
        ("ten-second windows", "select count(*) from gold.telemetry_windows"),
    ):
        table.add_row(what, f"{lake.query(sql)[0][0].as_py():,}")
    evaluation = trained.evaluation
    balanced = evaluation.balanced_accuracy
    interval = f" [{balanced.low:.2f}, {balanced.high:.2f}]" if np.isfinite(balanced.low) else ""
    what = f"balanced accuracy on {evaluation.n_vehicles} vehicles never seen"
    table.add_row(what, f"{balanced.value:.3f}{interval} (chance 0.5)")
    table.add_row("F1 of aggressive driving", f"{evaluation.classes['AGGRESSIVE'].f1:.3f}")
    table.add_row(f"{trained.model} version {trained.version}", trained.verdict)
    table.add_row("windows scored", f"{scored.scored:,} with version {scored.model.version}")
    return table


def draw_session(settings: AppConfig, session_prefix: str, path: Path) -> Path:
    """One lap of a driver of each profile, and what the model says of each along the session."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lake = LakeReader(settings).snapshot()
    chosen = _drivers(lake, session_prefix)
    figure = Figure(figsize=(13, 8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 3)
    track, speed = figure.add_subplot(grid[:2, 0]), figure.add_subplot(grid[0, 1:])
    throttle, style = figure.add_subplot(grid[1, 1:]), figure.add_subplot(grid[2, :])
    for profile, (session, vehicle, lap) in chosen.items():
        _draw_lap(lake, (session, vehicle, lap), (speed, throttle), PROFILES[profile], profile)
        _draw_style(lake, session, vehicle, style, PROFILES[profile])
    if chosen:
        session, vehicle, lap = chosen.get("aggressive", next(iter(chosen.values())))
        _draw_track(lake, session, vehicle, lap, track)
    speed.set(ylabel="speed, km/h", title="One lap by a driver of each profile")
    speed.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    low, high = speed.get_ylim()
    speed.set_ylim(low, high + 0.25 * (high - low))
    throttle.set(ylabel="throttle, %", xlabel="distance from the line, m")
    style.axhline(settings.style_threshold, color="0.5", lw=0.8, ls="--")
    style.set(
        ylabel="P(aggressive)",
        xlabel="time in the session, s",
        ylim=(-0.03, 1.03),
        title="What the model says of the same drivers, every second",
    )
    for axes in (speed, throttle, style):
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.01)
    return save_figure(figure, path)


def _drivers(lake: LakeReader, prefix: str) -> dict[str, tuple[str, str, int]]:
    """For each profile a driver the model was not trained on, and a lap of theirs: (session, vehicle, lap).

    The first lap starts from the grid, so a later one is taken; where all drivers of a profile were trained on, one of
    those is shown, and the title says so.
    """
    laps = lake.query(
        "select l.session_id, l.vehicle_id, max(l.lap_number) as lap, l.driver_profile as profile, "
        "max(case when d.split = 'train' then 1 else 0 end) as trained_on from gold.lap_features l "
        "join (select distinct session_id, vehicle_id, split from gold.style_dataset) d "
        "on l.session_id = d.session_id and l.vehicle_id = d.vehicle_id "
        "where l.coverage > 0.9 and l.driver_profile is not null "
        "group by l.session_id, l.vehicle_id, l.driver_profile order by trained_on, l.vehicle_id"
    ).to_pylist()
    found: dict[str, tuple[str, str, int]] = {}
    for row in laps:
        if row["session_id"].startswith(prefix):
            found.setdefault(row["profile"], (row["session_id"], row["vehicle_id"], row["lap"]))
    return {p: found[p] for p in PROFILES if p in found}


def _draw_lap(lake: LakeReader, lap: tuple[str, str, int], axes: tuple[Axes, Axes], color: str, label: str) -> None:
    rows = _lap_columns(lake, *lap)
    for one, channel in zip(axes, ("speed_kmh", "throttle_pct"), strict=True):
        distance_m, values = (np.array(rows[name], dtype=float) for name in ("lap_distance_m", channel))
        one.plot(*break_at_line(distance_m, values), color=color, lw=1.3, label=label)


def break_at_line(distance_m: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A curve over distance, broken where the distance starts anew: the first samples of a lap may be before the line.

    Args:
        distance_m: Distance from the line in the order of time, shape (n,).
        values: Values there, shape (n,).

    Returns:
        Both with NaN at each break, shape (m,).
    """
    line = np.flatnonzero(np.diff(distance_m) < -0.5 * np.max(distance_m, initial=0.0)) + 1
    return np.insert(distance_m, line, np.nan), np.insert(values, line, np.nan)


def _draw_style(lake: LakeReader, session: str, vehicle: str, axes: Axes, color: str) -> None:
    columns = ("window_end_ts", "probability_aggressive")
    where: dict[str, str | int] = {"session_id": session, "vehicle_id": vehicle}
    ends_us, share = lake.frame(GOLD_STYLE_PREDICTIONS, where, columns=columns, order_by=("window_end_ts",))
    seconds = ((ends_us - ends_us[0]) / 1e6).to_numpy()
    gaps = np.flatnonzero(np.diff(seconds) > _GAP_S) + 1  # no line over a time without windows
    axes.plot(np.insert(seconds, gaps, np.nan), np.insert(share.to_numpy(), gaps, np.nan), color=color, lw=1.3)


def _draw_track(lake: LakeReader, session: str, vehicle: str, lap: int, axes: Axes) -> None:
    rows = _lap_columns(lake, session, vehicle, lap)
    x, y, v = (np.array(rows[c], dtype=float) for c in ("x_m", "y_m", "speed_kmh"))
    points = axes.scatter(x, y, c=v, s=6, cmap="viridis")
    axes.figure.colorbar(points, ax=axes, label="speed, km/h", shrink=0.8, location="bottom")
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(f"{session}\n{vehicle}, lap {lap}, aggressive")


def _lap_columns(lake: LakeReader, session: str, vehicle: str, lap: int) -> Columns:
    """Samples of a lap that have a place on it."""
    where: dict[str, str | int] = {"session_id": session, "vehicle_id": vehicle, "lap_number": lap}
    columns = ("lap_distance_m", "speed_kmh", "throttle_pct", "x_m", "y_m")
    found = lake.frame(SILVER_TELEMETRY, where, columns=columns, order_by=("event_ts",))
    return found.drop_nulls("lap_distance_m").to_dict(as_series=False)
