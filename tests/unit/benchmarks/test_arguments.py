from __future__ import annotations

import pytest

from benchmarks.__main__ import MODULES, arguments
from benchmarks.lap_figure import figure


def test_the_sizes_of_the_lake_are_taken_in_ascending_order_only() -> None:
    assert arguments().parse_args(["--rows", "11", "--millions", "1,10"]).millions == (1, 10)
    assert arguments().parse_args([]).millions == ()
    for wrong in ("10,1", "1,1", "0,1"):
        with pytest.raises(SystemExit):
            arguments().parse_args(["--millions", wrong])


def test_all_rows_are_run_unless_some_are_named() -> None:
    assert arguments().parse_args([]).rows == list(MODULES)
    assert arguments().parse_args(["--rows", "11,2"]).rows == [11, 2]


def test_the_figure_of_a_lap_stacks_the_jobs_up_to_the_whole() -> None:
    def result(samples: int, seconds: float) -> dict[str, object]:
        costs = {"bronze_s": [1.0], "silver_s": [seconds - 3.0], "gold_s": [2.0], "cpu_s": [9.0]}
        return {
            "facts": {"samples": samples},
            "ours": {"seconds": [seconds], "costs": costs},
            "peer": {"seconds": [4.0], "costs": {"cpu_s": [4.0]}},
        }

    left, right = figure([result(1_000_000, 8.0), result(10_000_000, 12.0)]).axes
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in left.collections]
    assert tops == pytest.approx([1.0, 10.0, 12.0])
    assert left.get_ylim()[1] > 12.0
    assert [line.get_label() for line in right.lines if not line.get_label().startswith("_")] == ["ours", "peer"]
