from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.stages import busy_s, read_log, read_mb, stage_totals


def job(stages: list[int], description: str) -> dict[str, object]:
    properties = {"spark.job.description": description}
    return {"Event": "SparkListenerJobStart", "Stage IDs": stages, "Properties": properties}


def stage(number: int, name: str, ms: int, run_ms: int) -> dict[str, Any]:
    info = {
        "Stage ID": number,
        "Stage Name": name,
        "Number of Tasks": 2,
        "Submission Time": 1_000,
        "Completion Time": 1_000 + ms,
        "Accumulables": [
            {"Name": "internal.metrics.executorRunTime", "Value": run_ms},
            {"Name": "internal.metrics.input.recordsRead", "Value": 10},
            {"Name": "internal.metrics.input.bytesRead", "Value": 2_500_000},
        ],
    }
    return {"Event": "SparkListenerStageCompleted", "Stage Info": info}


def test_stages_of_one_name_are_summed_longest_first() -> None:
    events = [
        job([1, 2, 3], "silver\nid = 7\nbatch = 0"),
        stage(1, "count", 100, 150),
        stage(2, "save", 2_000, 3_000),
        stage(3, "save", 1_000, 1_500),
    ]
    longest, other = stage_totals(events)
    assert longest.name == "silver | save"
    assert (longest.stages, longest.tasks, longest.wall_s, longest.run_s, longest.read_rows) == (2, 4, 3.0, 4.5, 20)
    assert other.name == "silver | count"


def test_a_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "local-1").write_text(json.dumps(stage(1, "save", 10, 10)) + '\n{"Event": "SparkList')
    assert [t.name for t in stage_totals(read_log(tmp_path))] == ["save"]


def test_busy_time_counts_stages_side_by_side_once() -> None:
    first, second, third = stage(1, "a", 1_000, 0), stage(2, "b", 500, 0), stage(3, "c", 3_000, 0)
    third["Stage Info"]["Submission Time"] = 3_000  # 1 s after the first two are done
    assert busy_s([first, second, third]) == (2.0, 3.0)
    assert busy_s([]) == (0.0, 0.0)


def test_what_was_read_from_files_is_summed() -> None:
    assert read_mb([job([1, 2], "silver"), stage(1, "a", 1, 1), stage(2, "b", 1, 1)]) == 5.0
