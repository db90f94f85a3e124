import stat
from pathlib import Path

import pytest

from infra.local.java import JavaMissingError, find_java, parse_version


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', (17, "17.0.15")),
        ('java version "1.8.0_392"', (8, "1.8.0_392")),
        ('openjdk version "21" 2023-09-19', (21, "21")),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21.0.1-ea" 2023', (21, "21.0.1-ea")),
        ('openjdk version "11.0.22" 2024-01-16 LTS', (11, "11.0.22")),
    ],
)
def test_versions_of_all_kinds_are_read(output: str, expected: tuple[int, str]) -> None:
    assert parse_version(output) == expected


def test_output_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no Java version in 'command not found'"):
        parse_version("command not found")


def fake_java(home: Path, output: str, status: int = 0) -> Path:
    """A program in the place of Java: what an old or broken installation answers cannot be had otherwise."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho '{output}' >&2\nexit {status}\n")
    executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    return executable


def test_java_home_goes_before_path(tmp_path: Path) -> None:
    executable = fake_java(tmp_path / "jdk", 'openjdk version "21.0.2" 2024-01-16')
    found = find_java(java_home=str(tmp_path / "jdk"))
    assert (found.executable, found.version, found.full_version) == (executable, 21, "21.0.2")


def test_missing_java_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        JavaMissingError, match=r"not found on PATH.*apt-get install openjdk-17-jre-headless.*JAVA_HOME"
    ):
        find_java(java_home="", path=str(tmp_path))


def test_java_home_without_java_is_named(tmp_path: Path) -> None:
    with pytest.raises(JavaMissingError, match=f"JAVA_HOME is {tmp_path}, but there is no bin/java"):
        find_java(java_home=str(tmp_path))


def test_old_java_is_refused(tmp_path: Path) -> None:
    fake_java(tmp_path, 'openjdk version "11.0.22" 2024-01-16')
    with pytest.raises(JavaMissingError, match=r"is Java 11\.0\.22; 17 or 21 is needed"):
        find_java(java_home=str(tmp_path))


def test_broken_java_is_refused(tmp_path: Path) -> None:
    fake_java(tmp_path, "error while loading shared libraries", status=127)
    with pytest.raises(JavaMissingError, match="is there but does not work"):
        find_java(java_home=str(tmp_path))
