"""Text as editors write it: with marks, in UTF-16, in the encoding of Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import InputError
from conf.settings import AppConfig
from conf.text_file import read_text_file
from conf.track_parameters import load_track_parameters
from producers.simulator.scenario import read_scenario

TRACK = '[TRACK_PARS]\ntrack_pars={"Spa": {"s12": 1, "s23": 2, "drs1_act": 0, "drs1_deact": 0, "drs2_act": 0, '
TRACK += '"drs2_deact": 0, "mu_mean": 0.9}}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"])
def test_one_text_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "text"
    text = "Nürburgring\n1,2\n"
    data = ("\ufeff" + text).encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    file.write_bytes(data)
    assert read_text_file(file) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_users_may_begin_with_a_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "track_pars.ini").write_text(TRACK, encoding=encoding)
    (tmp_path / "scenario.yaml").write_text("cars: 3\n", encoding=encoding)
    assert load_track_parameters(tmp_path / "track_pars.ini", "Spa").grip_factor == 0.9  # type: ignore[union-attr]
    assert read_scenario(tmp_path / "scenario.yaml").cars == 3


def test_settings_may_begin_with_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_PARTITIONS", raising=False)
    (tmp_path / ".env").write_text("KAFKA_PARTITIONS=7\n", encoding="utf-8-sig")
    assert AppConfig(_env_file=tmp_path / ".env").kafka_partitions == 7


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04\x00\x81")
    for place in (tmp_path, tmp_path / "a.zip"):
        with pytest.raises(InputError, match="is no "):
            read_text_file(place)
