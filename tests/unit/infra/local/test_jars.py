import hashlib
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from conf.settings import AppConfig
from infra.local import jars
from infra.local.jars import IVY_DIR, LOCK_FILE, JarError, ensure_jars, pyspark_jars_dir, read_lock, verify_jars

Report = Callable[[str], None]


def requested() -> list[tuple[str, str]]:
    """Set and file name of every dependency in ivy.xml."""
    dependencies = ET.parse(IVY_DIR / "ivy.xml").getroot().iter("dependency")
    return [(d.attrib["conf"].split("->")[0], f"{d.attrib['name']}-{d.attrib['rev']}.jar") for d in dependencies]


def test_every_requested_jar_is_pinned() -> None:
    lock = read_lock()
    assert [name for jar_set, name in requested() if name not in lock[jar_set]] == []


def test_the_spark_set_is_pinned_and_nothing_else_is_loaded() -> None:
    assert set(read_lock()["spark"]) == {name for jar_set, name in requested() if jar_set == "spark"}


def test_versions_match_the_python_packages() -> None:
    names = {name for _, name in requested()}
    assert "delta-spark_4.2_2.13-4.4.0.jar" in names
    assert "spark-sql-kafka-0-10_2.13-4.2.0.jar" in names


def test_a_damaged_lock_names_the_line(tmp_path: Path) -> None:
    damaged = tmp_path / "jars.lock"
    damaged.write_text(LOCK_FILE.read_text() + "abc  spark/x.jar\n")
    number = len(LOCK_FILE.read_text().splitlines()) + 1
    with pytest.raises(ValueError, match=f"line {number}: expected"):
        read_lock(damaged)


def test_without_pyspark_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "pyspark", raising=False)
    with pytest.raises(JarError, match=r"pip install 'slipstream-lake\[spark\]'"):
        pyspark_jars_dir()


def test_pyspark_is_found_without_being_imported() -> None:
    assert list(pyspark_jars_dir().glob("ivy-*.jar"))
    assert list(pyspark_jars_dir().glob("spark-core_*.jar"))


@pytest.fixture
def installed(tmp_path: Path, jars_dir: Path) -> AppConfig:
    """A copy of the resolved jars."""
    if not (jars_dir / "spark").is_dir():
        pytest.skip(f"no jars in {jars_dir}; 'slipstream up' resolves them")
    for name in jars.SETS:
        shutil.copytree(jars_dir / name, tmp_path / "jars" / name)
    return AppConfig(slipstream_home=tmp_path / "home", slipstream_jars=tmp_path / "jars", _env_file=None)


def test_installed_jars_are_the_pinned_ones(installed: AppConfig) -> None:
    assert verify_jars(installed.jars_dir) == []
    sets = ensure_jars(installed)
    assert {path.name for path in sets.spark} == read_lock()["spark"].keys()
    assert {path.name for path in sets.kafka} == read_lock()["kafka"].keys()
    assert all(path.is_file() for path in (*sets.spark, *sets.kafka))


def test_a_corrupted_jar_is_found(installed: AppConfig) -> None:
    jar = next((installed.jars_dir / "spark").glob("delta-storage-*.jar"))
    content = bytearray(jar.read_bytes())
    content[1000] ^= 1
    jar.write_bytes(content)
    assert verify_jars(installed.jars_dir) == [f"spark/{jar.name} is not the pinned file"]


def test_a_missing_jar_is_found(installed: AppConfig) -> None:
    jar = next((installed.jars_dir / "kafka").glob("kafka_2.13-*.jar"))
    jar.unlink()
    assert verify_jars(installed.jars_dir) == [f"kafka/{jar.name} is missing"]


def resolver(source: Path, damage: str = "") -> Callable[..., None]:
    """The resolver's outcome without the network: files copied from a resolved folder, one of them changed."""

    def resolve(sets: list[str], folder: Path, report: Report, *_: int) -> None:
        for name in sets:
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns(".*"))
        for jar in folder.glob(f"*/{damage}*.jar") if damage else ():
            jar.write_bytes(b"x" + jar.read_bytes())
        report("[SUCCESSFUL ] a#b;1!c.jar (1ms)")

    return resolve


def test_a_download_that_is_not_the_pinned_file_installs_nothing(
    installed: AppConfig, jars_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(installed.jars_dir / "spark")
    monkeypatch.setattr(jars, "resolve_jars", resolver(jars_dir, "commons-pool2"))
    with pytest.raises(JarError, match=r"'spark' was refused.*commons-pool2.*checksums differ"):
        ensure_jars(installed)
    assert sorted(path.name for path in installed.jars_dir.iterdir()) == [".lock", "kafka"]


def test_a_truncated_set_is_replaced_whole_and_remains_of_a_killed_run_go(
    installed: AppConfig, jars_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = next((installed.jars_dir / "spark").glob("delta-spark*.jar"))
    jar.write_bytes(jar.read_bytes()[:1000])
    (installed.jars_dir / ".partial-killed").mkdir()
    monkeypatch.setattr(jars, "resolve_jars", resolver(jars_dir))
    ensure_jars(installed)
    assert verify_jars(installed.jars_dir) == []
    assert sorted(path.name for path in installed.jars_dir.iterdir()) == [".lock", "kafka", "spark"]


def test_checksum_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"slipstream")
    assert jars.sha256_of(tmp_path / "x") == hashlib.sha256(b"slipstream").hexdigest()
