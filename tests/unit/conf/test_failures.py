"""Another program's failure is its name and the one line that tells; a fault of ours in a batch stays ours."""

from __future__ import annotations

import pyarrow as pa
import pytest
from mlflow.exceptions import MlflowException
from pyspark.errors import AnalysisException, StreamingQueryException

from conf.failures import find_cause, find_foreign_failure, summarize_error, user_message

JAVA_TRACE = """An error occurred while calling o504.collectToPython.
: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:/lake/a.parquet.
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.cannotReadFilesError(QueryExecutionErrors.scala:940)
Caused by: org.apache.hadoop.fs.ChecksumException: Checksum error: file:/lake/a.parquet at 512 exp: -1 got: 7
\tat org.apache.hadoop.fs.FSInputChecker.verifySums(FSInputChecker.java:347)
\t... 22 more
"""
STREAM = """[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: [FOREACH_BATCH_USER_FUNCTION_ERROR] \
An error occurred in the user provided function in foreach batch sink. Reason: An exception was raised by the Python \
Proxy. Return Message: Traceback (most recent call last):
  File "/venv/py4j/clientserver.py", line 644, in _call_proxy
    return_value = getattr(self.pool[obj_id], method)(*params)
  File "/src/streaming/query.py", line 79, in run
    batch(df, batch_id, query_id())
{}
 SQLSTATE: 39000
=== Streaming Query ===
Current State: ACTIVE
"""


def stream_failed(raised: str) -> StreamingQueryException:
    return StreamingQueryException(message=STREAM.format(raised))


def test_java_s_failure_in_a_batch_is_its_cause() -> None:
    error = stream_failed(f"py4j.protocol.Py4JJavaError: {JAVA_TRACE}")
    failure = find_foreign_failure(error)
    assert failure is not None
    assert failure.program == "Spark"
    assert failure.cause == (
        "ChecksumException: Checksum error: file:/lake/a.parquet at 512 exp: -1 got: 7 "
        "(`slipstream doctor --deep` names damaged files)"
    )
    assert summarize_error(error) == failure.cause
    assert user_message(error) is None


def test_a_broker_s_failure_is_kafka_s() -> None:
    caused = "Caused by: org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment."
    error = StreamingQueryException(message=f"[STREAM_FAILED] Query terminated\n{caused}")
    failure = find_foreign_failure(error)
    assert failure is not None
    assert (failure.program, failure.cause) == ("Kafka", "TimeoutException: Timed out waiting for a node assignment.")


def test_a_fault_of_ours_in_a_batch_is_no_one_else_s() -> None:
    error = stream_failed("ValueError: zip() argument 2 is shorter than argument 1")
    assert find_foreign_failure(error) is None
    assert user_message(error) is None
    assert summarize_error(error) == "ValueError: zip() argument 2 is shorter than argument 1"
    assert find_foreign_failure(AnalysisException(message="no such column")) is None


def test_what_the_user_can_mend_in_a_batch_is_one_line() -> None:
    error = stream_failed("conf.errors.NewerContractError: silver.laps was written by contract 9")
    assert user_message(error) == "silver.laps was written by contract 9"
    assert find_foreign_failure(error) is None


def test_other_programs() -> None:
    failure = find_foreign_failure(MlflowException("API request failed with exception HTTPConnectionPool: refused"))
    assert failure is not None
    assert failure.program == "MLflow"
    torn = find_foreign_failure(pa.ArrowInvalid("Parquet magic bytes not found in footer of /lake/a.parquet"))
    assert torn is not None
    assert "slipstream doctor" in torn.cause
    missing = FileNotFoundError("[Errno 2] Failed to open local file '/lake/a.parquet'. Detail: no such file")
    assert "/lake/a.parquet" in str(user_message(missing))
    assert find_foreign_failure(ValueError("ours")) is None


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            (
                "Picked up JAVA_TOOL_OPTIONS: -Xcheck\nInvalid maximum heap size: -Xmx4x\n"
                "Error: Could not create the Java Virtual Machine.\n"
                "Error: A fatal exception has occurred. Program will exit.\n"
            ),
            "Invalid maximum heap size: -Xmx4x",
        ),
        (
            (
                'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    connect()\n'
                "sqlite3.OperationalError: unable to open database file\n"
            ),
            "sqlite3.OperationalError: unable to open database file",
        ),
        (
            (
                "[x] ERROR Exiting Kafka due to fatal exception\norg.apache.kafka.common.KafkaException: Failed\n"
                "\tat kafka.Kafka$.main(Kafka.scala:97)\nCaused by: java.nio.file.AccessDeniedException: /data/lock\n"
                "\t... 22 more\n"
            ),
            "AccessDeniedException: /data/lock",
        ),
        ("", "it said nothing"),
        ("starting\nlistening", "listening"),
    ],
)
def test_the_line_that_tells(log: str, cause: str) -> None:
    assert find_cause(log) == cause
