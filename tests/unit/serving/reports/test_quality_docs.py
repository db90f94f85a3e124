"""Great Expectations looks for Spark Connect on import; what pyspark does then must not end the process."""

import subprocess
import sys


def test_it_loads_where_the_program_has_no_file() -> None:
    """As with ``python -c`` and in the workers of pytest-xdist, where pyspark would exit with status 0."""
    code = "\n".join(
        (
            "from conf.contract import load_contract",
            "from medallion.quality.expectations import to_expectation",
            "column = load_contract('event.reading.v1').columns[0]",
            "print(type(to_expectation(column.name, column.quality[0])).__name__)",
        )
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Expect")
