"""Find the Java that runs Spark and Kafka."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from conf.errors import InputError, SlipstreamError

MINIMUM_VERSION = 17
"""Spark 4 and Kafka 4 need 17; 17 and 21 are the long-term releases Spark is tested on."""

REMEDY = (
    "Install Java 17 or 21 and make sure it is found: 'apt-get install openjdk-17-jre-headless' (Debian, Ubuntu), "
    "'brew install openjdk@17' (macOS), or set JAVA_HOME to the folder of an installed one."
)


class JavaMissingError(SlipstreamError):
    """No usable Java was found; the message names the remedy."""


@dataclass(frozen=True)
class Java:
    """A Java that can be run.

    Attributes:
        executable: Path of the ``java`` command.
        version: Feature release, such as 17.
        full_version: As Java prints it, such as ``17.0.15``.
    """

    executable: Path
    version: int
    full_version: str


def parse_version(output: str) -> tuple[int, str]:
    """Read the feature release and full version from what ``java -version`` prints.

    Args:
        output: Such as ``openjdk version "17.0.15" 2025-04-15`` (releases before 9 call themselves ``1.8.0_392``).

    Raises:
        InputError: If no version is in it.
    """
    match = re.search(r'version "((\d+)(?:\.(\d+))?[^"]*)"', output)
    if match is None:
        raise InputError(f"no Java version in {output.strip()!r}")
    major = int(match[2])
    return (int(match[3]) if major == 1 and match[3] else major), match[1]


def find_java(java_home: str | None = None, path: str | None = None) -> Java:
    """Find Java in ``JAVA_HOME``, else on ``PATH``, and check its version.

    Args:
        java_home: Used in place of ``JAVA_HOME``. That variable belongs to Java and not to this project's settings:
            Spark's own launcher reads it too, so it is read here rather than renamed.
        path: Used in place of ``PATH``.

    Raises:
        JavaMissingError: If there is none, it does not run, or it is older than 17.
    """
    executable = _locate(os.environ.get("JAVA_HOME") if java_home is None else java_home, path)
    try:
        # Java prints its version on stderr.
        result = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30, check=True)
        version, full_version = parse_version(result.stderr + result.stdout)
    except (OSError, subprocess.SubprocessError, InputError) as error:
        raise JavaMissingError(f"{executable} is there but does not work ({error}). {REMEDY}") from error
    if version < MINIMUM_VERSION:
        raise JavaMissingError(f"{executable} is Java {full_version}; 17 or 21 is needed. {REMEDY}")
    return Java(executable, version, full_version)


def _locate(java_home: str | None, path: str | None) -> Path:
    if java_home:
        executable = Path(java_home) / "bin" / "java"
        if not executable.is_file():
            raise JavaMissingError(f"JAVA_HOME is {java_home}, but there is no bin/java in it. {REMEDY}")
        return executable
    found = shutil.which("java", path=path)
    if found is None:
        raise JavaMissingError(f"Java was not found on PATH and JAVA_HOME is not set. {REMEDY}")
    return Path(found)
