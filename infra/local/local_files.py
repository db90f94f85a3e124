"""The jar of Hadoop's local file system without a process for each file, compiled here from its source.

Hadoop starts ``chmod`` for each file that it makes and ``readlink`` twice for each that it renames: five processes a
file, twenty a commit of a Delta table (docs/adr/0027). And it looks at each file of a table's log to list them, which
Delta has done twice a commit: 60 ms after a thousand commits, where the names alone are 8 (docs/adr/0028).
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from conf.settings import AppConfig
from infra.local.jars import JarError, pyspark_jars_dir
from infra.local.java import find_java

SOURCE: Final = Path(__file__).with_name("java_sources") / "LocalFiles.java"
_COMPILE: Final = SOURCE.with_name("Compile.java")
OPTIONS: Final = {
    "spark.hadoop.fs.file.impl": "slipstream.LocalFiles$Checked",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "slipstream.LocalFiles$Context",
}
"""Spark's options by which its JVM, with the jar on its class path, uses these classes for local files."""


def ensure_local_files(settings: AppConfig) -> Path:
    """Return the jar, compiling it first where it is not in place yet, in a second.

    Args:
        settings: ``jars_dir`` is where it lives; another source, or another Hadoop, has a jar of its own.

    Raises:
        JarError: If it does not compile.
        infra.local.java.JavaMissingError: If there is no Java.
    """
    spark_jars = pyspark_jars_dir()
    hadoop = sorted(path.name for path in spark_jars.glob("hadoop-client-*.jar"))
    told = hashlib.sha256("\n".join((SOURCE.read_text(), *hadoop)).encode()).hexdigest()[:12]
    jar = settings.jars_dir / f"local-files-{told}.jar"
    if jar.exists():
        return jar
    settings.jars_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compiling-", dir=settings.jars_dir) as folder:
        classes = Path(folder) / "classes"
        classes.mkdir()
        _compile(spark_jars, classes)
        made = Path(folder) / jar.name
        with zipfile.ZipFile(made, "w") as archive:
            for path in sorted(classes.rglob("*.class")):
                archive.write(path, path.relative_to(classes))
        made.replace(jar)
    return jar


def _compile(spark_jars: Path, classes: Path) -> None:
    java, main = str(find_java().executable), "org.codehaus.janino.SimpleCompiler"
    command = [java, "-cp", f"{spark_jars}/*", main, str(_COMPILE), "Compile", str(SOURCE), str(classes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not any(classes.rglob("*.class")):
        causes = [line for line in done.stderr.splitlines() if line.startswith("Caused by")] or done.stderr.splitlines()
        raise JarError(
            f"{SOURCE.name} does not compile: {' '.join(causes[-1:])}. "
            "Install pyspark anew: pip install --force-reinstall pyspark."
        )
