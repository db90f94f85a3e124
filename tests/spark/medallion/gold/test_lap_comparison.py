"""A saved comparison: written whole, the same again, another in its place; and published laps against their results."""

from __future__ import annotations

from dataclasses import replace

import pytest
from deltalake import DeltaTable

from analysis.comparison.aligned_laps import align_laps, compare_laps
from analysis.comparison.corner_report import build_corner_report
from analysis.comparison.rows import ComparedPair, piece_rows, trace_rows
from analysis.laps.distance import place_samples, time_at_distance_s
from analysis.tracks.circuit import circuit_from_track
from conf.tables import GOLD_CORNER_REPORTS, GOLD_LAP_COMPARISON
from conf.track import load_track
from medallion.dataset import open_dataset
from medallion.gold.lap_comparison import write_comparison
from medallion.io import Lake
from medallion.provenance import job_run
from serving.lake.reader import LakeReader
from serving.queries.result_check import check_results
from tests.unit.analysis.made_laps import drive, pace_of

CIRCUIT = circuit_from_track(load_track("three-oaks"))
PAIR = ComparedPair("s/a/3", "s/b/2", "s", "a", 3, "best_lap", "three-oaks", is_synthetic=True)


def made(top_mps: float, pair: ComparedPair = PAIR):
    """Rows of both tables: a lap of so much top speed against one of 50 m/s."""
    laps = [drive(CIRCUIT, pace_of(CIRCUIT, top)) for top in (top_mps, 50.0)]
    lap, reference = (place_samples(one.t_s, one.channels, one.lap_time_s, CIRCUIT) for one in laps)
    found, aligned = compare_laps(lap, reference, CIRCUIT), align_laps(lap, reference, CIRCUIT)
    report = build_corner_report(lap, reference, CIRCUIT)
    points = trace_rows(pair, found, time_at_distance_s(aligned.reference, found.distance_m), CIRCUIT)
    return points, piece_rows(pair, report.pieces, report.lap_delta_s, report.aligned_by)


def written(lake: Lake) -> tuple[int, int]:
    """Rows that the last commit of either table added, changed or took away."""
    counts = []
    for name in (GOLD_LAP_COMPARISON, GOLD_CORNER_REPORTS):
        metrics = DeltaTable(lake.uri(name)).history(1)[0].get("operationMetrics", {})
        changed = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
        counts.append(sum(int(metrics.get(name, 0)) for name in changed))
    return counts[0], counts[1]


def test_a_comparison_is_written_once_and_replaced_whole(lake: Lake, rows) -> None:
    points, pieces = made(48.0)
    assert write_comparison(lake, PAIR, points, pieces, "one") == len(points) + len(pieces)
    stored, reports = rows(lake, GOLD_LAP_COMPARISON), rows(lake, GOLD_CORNER_REPORTS)
    assert (stored.height, reports.height) == (len(points), len(pieces))
    assert reports["time_lost_s"].sum() == pytest.approx(reports["lap_delta_s"][0])
    assert stored.sort("distance_m")["delta_s"][-1] == pytest.approx(reports["lap_delta_s"][0])
    assert stored["delta_s"].null_count() == 0

    write_comparison(lake, PAIR, points, pieces, "two")
    assert rows(lake, GOLD_LAP_COMPARISON).equals(stored)
    assert written(lake) == (0, 0)

    other = replace(PAIR, lap_uid="s/a/4", lap_number=4)
    write_comparison(lake, other, *made(47.0, other), "three")
    assert rows(lake, GOLD_LAP_COMPARISON).filter(lap_uid=PAIR.lap_uid).equals(stored)

    slower, _ = made(46.0)
    write_comparison(lake, PAIR, slower[::2], [], "four")
    mine = rows(lake, GOLD_LAP_COMPARISON).filter(lap_uid=PAIR.lap_uid)
    assert mine.height == len(slower[::2])
    assert rows(lake, GOLD_CORNER_REPORTS)["lap_uid"].unique().to_list() == [other.lap_uid]
    assert rows(lake, GOLD_LAP_COMPARISON).filter(lap_uid=other.lap_uid).height == len(points)


def test_the_run_is_recorded(lake: Lake, rows) -> None:
    points, pieces = made(48.0)
    with job_run(lake, "laps_compare", ("silver.laps",), (GOLD_LAP_COMPARISON, GOLD_CORNER_REPORTS)) as run:
        run.rows_out = write_comparison(lake, PAIR, points, pieces, run.run_id)
    (done,) = rows(lake, "ops.job_runs").to_dicts()
    assert (done["job"], done["status"], done["rows_out"]) == ("laps_compare", "ok", len(points) + len(pieces))
    stored = open_dataset(GOLD_CORNER_REPORTS, lake.settings).to_table(columns=["run_id"])
    assert set(stored["run_id"].to_pylist()) == {run.run_id}


def test_published_laps_against_the_published_results(vir: Lake) -> None:
    found = check_results(LakeReader(vir.settings))
    differ = {(one.session_id[-2:], one.vehicle_number): one.exceptions for one in found if not one.agrees}
    alone = ("the officials count no lap of this car; its laps come from the feed alone",)
    assert {key: why for key, why in differ.items() if key[0] == "R2"} == {("R2", 21): alone, ("R2", 31): alone}
    ((_, why),) = [item for item in differ.items() if item[0][0] == "R1"]
    assert why[0].endswith("lap 2 is unfit for pace here (yellow_flag)")
    assert len(found) == 48
    penalties = [note for one in found for note in one.remarks if note.startswith("the sheets differ: total time")]
    assert len(penalties) == 5
    assert {one.remarks for one in found if one.vehicle_number == 78} == {("not started",)}
