from __future__ import annotations

import json
import subprocess
import sys

from deltalake import write_deltalake
from polars import DataFrame

from benchmarks.costs import NewEvents, count_commits, spent, total_cpu_s


def test_only_whole_new_lines_of_the_log_are_read(tmp_path) -> None:
    log, events = tmp_path / "application", NewEvents(tmp_path)
    log.write_text('{"Event": "a"}\n{"Event": "b"}\n{"Eve')
    assert [e["Event"] for e in events] == ["a", "b"]
    assert list(events) == []
    with log.open("a") as more:
        more.write('nt": "c"}\n')
    assert list(events) == [{"Event": "c"}]


def test_what_came_before_the_work_does_not_count(tmp_path) -> None:
    logs, tables = tmp_path / "logs", tmp_path / "tables"
    logs.mkdir()
    log = logs / "application"
    job = json.dumps({"Event": "SparkListenerJobStart"}) + "\n"
    log.write_text(3 * job)
    write_deltalake(tables / "gold" / "a", DataFrame({"x": [1]}))

    def work() -> None:
        with log.open("a") as more:
            more.write(2 * job)
        write_deltalake(tables / "gold" / "a", DataFrame({"x": [2]}), mode="append")

    seconds, costs = spent(work, tables, NewEvents(logs))
    assert (costs["jobs"], costs["commits"], costs["read_mb"]) == (2, 1, 0.0)
    assert 0.0 < seconds < 60.0
    assert count_commits(tables) == 2


def test_the_time_of_a_child_that_has_ended_counts() -> None:
    before = total_cpu_s()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    assert total_cpu_s() - before > 0.25
