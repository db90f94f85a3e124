"""Spark's JVM makes local files by Java itself, not by a process for each; what it makes is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf.settings import AppConfig
from infra.local import local_files
from infra.local.jars import JarError


@pytest.fixture
def hadoop(spark) -> Any:
    return spark._jvm.org.apache.hadoop.fs


def test_files_are_made_renamed_and_told_from_links(spark, hadoop, tmp_path: Path) -> None:
    conf, path = spark._jsc.hadoopConfiguration(), hadoop.Path
    files = path(tmp_path.as_uri()).getFileSystem(conf)
    assert files.getClass().getName() == "slipstream.LocalFiles$Checked"
    context = hadoop.FileContext.getFileContext(files.getUri(), conf)
    assert context.getDefaultFileSystem().getClass().getName() == "slipstream.LocalFiles$Context"
    over = spark.sparkContext._gateway.new_array(hadoop.Options.Rename, 1)
    over[0] = hadoop.Options.Rename.OVERWRITE
    for text in ("one", "two"):
        stream = files.create(path(f"{tmp_path}/.part"), True)
        stream.write(text.encode())
        stream.close()
        context.rename(path(f"{tmp_path}/.part"), path(f"{tmp_path}/whole"), over)
        assert (tmp_path / "whole").read_text() == text
    by_python = tmp_path / "by python"
    by_python.touch()
    assert (tmp_path / "whole").stat().st_mode == by_python.stat().st_mode
    files.setPermission(path(f"{tmp_path}/whole"), hadoop.permission.FsPermission("640"))
    assert (tmp_path / "whole").stat().st_mode & 0o777 == 0o640
    (tmp_path / "link").symlink_to(tmp_path / "whole")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    links = [context.getFileLinkStatus(path(f"{tmp_path}/{name}")).isSymlink() for name in ("whole", "link", "nowhere")]
    assert links == [False, True, True]


def test_the_log_of_a_table_is_listed_as_hadoop_lists_it(spark, hadoop, tmp_path: Path) -> None:
    conf, log = spark._jsc.hadoopConfiguration(), tmp_path / "a b" / "_delta_log"
    (log / "_sidecars").mkdir(parents=True)
    files, other = (hadoop.Path(tmp_path.as_uri()).getFileSystem(conf), hadoop.LocalFileSystem())
    other.initialize(hadoop.Path("file:///").toUri(), conf)
    for n in range(3):
        stream = files.create(hadoop.Path(f"{log}/{n:020}.json"), True)
        stream.write(b"{}" * n)
        stream.close()
    assert len([*log.glob(".*.crc")]) == 3

    def listed(by: Any) -> list[tuple[Any, ...]]:
        found = by.listStatus(hadoop.Path(str(log)))
        asked = ("getLen", "isFile", "isDirectory", "getModificationTime", "isSymlink")
        return sorted((str(one.getPath()), *(getattr(one, name)() for name in asked)) for one in found)

    assert listed(files) == listed(other)
    assert len(listed(files)) == 4
    assert listed(files)[2][1] == 4
    one = files.listStatus(hadoop.Path(str(log)))[0]
    again = spark._jvm.org.apache.commons.lang3.SerializationUtils.clone(one)
    assert (again.getPath(), again.getLen()) == (one.getPath(), one.getLen())
    with pytest.raises(Exception, match="FileNotFoundException"):
        files.listStatus(hadoop.Path(f"{tmp_path}/nowhere/_delta_log"))


def test_a_source_that_does_not_compile_is_named(tmp_path: Path, monkeypatch) -> None:
    source = tmp_path / "LocalFiles.java"
    source.write_text("class LocalFiles { int x = y; }")
    monkeypatch.setattr(local_files, "SOURCE", source)
    settings = AppConfig(slipstream_jars=tmp_path / "jars", _env_file=None)
    with pytest.raises(JarError, match=r"LocalFiles.java does not compile: .*y"):
        local_files.ensure_local_files(settings)
    assert not [*(tmp_path / "jars").iterdir()]
