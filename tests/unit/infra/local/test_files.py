"""Folders and files of a home that are nobody else's to read."""

from __future__ import annotations

from pathlib import Path

from infra.local.files import make_private_folder
from infra.local.process import spawn_process, wait_until


def test_a_private_folder_is_its_owners_alone_also_where_it_was_everybodys(tmp_path: Path) -> None:
    made = make_private_folder(tmp_path / "a" / "new")
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    make_private_folder(there)
    assert [folder.stat().st_mode & 0o777 for folder in (made, there)] == [0o700, 0o700]


def test_files_of_a_process_are_its_owners_alone_where_that_is_asked(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    for name, umask in (("private", 0o077), ("shared", 0o022)):
        spawn_process(["touch", name], log, tmp_path, umask=umask)
        assert wait_until((tmp_path / name).exists, 30)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("private", "shared")] == [0o600, 0o644]
    assert log.parent.stat().st_mode & 0o777 == 0o700
