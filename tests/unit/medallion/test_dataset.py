"""Arrow reads a table's files itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from deltalake.exceptions import TableNotFoundError

from conf.lake import table_uri
from conf.settings import AppConfig
from medallion.dataset import open_dataset

READ = """
import sys
from pathlib import Path
from pathlib import Path
from conf.settings import AppConfig
from medallion.dataset import open_dataset
print(open_dataset("gold.mine", AppConfig(slipstream_home=Path(sys.argv[1]), _env_file=None)).to_table().num_rows)
"""


def test_a_version_is_read_whole(home: AppConfig) -> None:
    for part in ([1, 2], [3]):
        write_deltalake(table_uri("gold.mine", home), pl.DataFrame({"x": part}), mode="append")
    assert sorted(open_dataset("gold.mine", home).to_table()["x"].to_pylist()) == [1, 2, 3]
    assert open_dataset("gold.mine", home, version=0).to_table()["x"].to_pylist() == [1, 2]


@pytest.mark.parametrize("session_id", ["a:b", "50% of a/b", "é ü", "a+b&c=d"])
def test_a_partition_by_any_name_is_found(home: AppConfig, session_id: str) -> None:
    rows = pl.DataFrame({"session_id": [session_id], "x": [1]})
    write_deltalake(table_uri("gold.mine", home), rows, partition_by=["session_id"])
    assert open_dataset("gold.mine", home).to_table().to_pylist() == [{"session_id": session_id, "x": 1}]


def test_a_process_that_has_read_a_table_ends_well(home: AppConfig) -> None:
    """With threads that run Python on behalf of Arrow, most of such processes abort as they end."""
    write_deltalake(table_uri("gold.mine", home), pl.DataFrame({"x": [1, 2], "y": ["a", "b"]}))
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", READ, str(home.home)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_a_table_that_stays_open_has_every_commit(home: AppConfig) -> None:
    uri = table_uri("gold.mine", home)
    for n in range(1, 4):
        write_deltalake(uri, pl.DataFrame({"x": [n]}), mode="append")
        assert open_dataset("gold.mine", home).count_rows() == n
        assert open_dataset("gold.mine", home) is open_dataset("gold.mine", home)
    assert open_dataset("gold.mine", home, version=1).count_rows() == 2


def test_a_table_made_anew_in_the_same_place_is_opened_anew(home: AppConfig) -> None:
    uri = table_uri("gold.mine", home)
    write_deltalake(uri, pl.DataFrame({"x": [1]}))
    before = open_dataset("gold.mine", home)
    shutil.rmtree(uri)
    with pytest.raises(TableNotFoundError):
        open_dataset("gold.mine", home)
    write_deltalake(uri, pl.DataFrame({"y": [2, 3]}))
    assert before.schema.names == ["x"]
    assert open_dataset("gold.mine", home).to_table().to_pydict() == {"y": [2, 3]}


def test_a_table_taken_back_to_an_earlier_state_is_opened_anew(home: AppConfig, tmp_path: Path) -> None:
    """A copy of the folder that is put back has fewer commits, and others under the same numbers."""
    uri = Path(table_uri("gold.mine", home))
    write_deltalake(uri, pl.DataFrame({"x": [1]}))
    shutil.copytree(uri, tmp_path / "copy")
    write_deltalake(uri, pl.DataFrame({"x": [2]}), mode="append")
    assert open_dataset("gold.mine", home).count_rows() == 2
    shutil.rmtree(uri)
    shutil.copytree(tmp_path / "copy", uri)
    assert open_dataset("gold.mine", home).to_table()["x"].to_pylist() == [1]
    write_deltalake(uri, pl.DataFrame({"x": [3]}), mode="append")
    assert sorted(open_dataset("gold.mine", home).to_table()["x"].to_pylist()) == [1, 3]
