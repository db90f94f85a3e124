"""What to tell a user about an error: one line where they can mend it, three where another program failed.

Of the programs that ours stands on, Java, MLflow, a broker, it is said which, and the one line that says why. A stack
trace of Java or the end of a server's log is hundreds of lines, of which one tells. The types are known by their names,
so that nobody needs the libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from conf.errors import SlipstreamError
from conf.plain_text import hide_passwords

LONGEST: Final = 500
"""Characters of a cause."""
_SPARKS: Final = frozenset(
    {
        "Py4JError",
        "Py4JJavaError",
        "Py4JNetworkError",
        "QueryExecutionException",
        "SparkRuntimeException",
        "StreamingQueryException",
        "UnknownException",
    }
)
"""What PySpark raises when the JVM fails. What it raises of a wrong query or of our Python code is a fault of ours."""
_FRAME: Final = re.compile(r'\s*(at [\w.$/<>]+\(|\.\.\. \d+ more|File "|Traceback |Picked up |SQLSTATE)|\s*[~^]+\s*$')
_CAUSED: Final = re.compile(r"^\s*Caused by: (.+)$", re.MULTILINE)
_RAISED: Final = re.compile(r"^((?:[a-z_][\w]*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)): ?(.*)$", re.MULTILINE)
_TELLING: Final = re.compile(
    r"\b(error|exception|fatal|invalid|unrecognized|insufficient|refused|denied|no space|cannot|could not|can't|failed)"
    r"|(Error|Exception)\b",
    re.IGNORECASE,
)
_EMPTY_WORDS: Final = re.compile(
    r"Could not create the Java Virtual Machine|A fatal exception has occurred|Exiting Kafka|shutting down|"
    r"Finished server process|Application startup failed|terminated with exception",
    re.IGNORECASE,
)
_PACKAGES: Final = re.compile(r"\b(?:[a-z_][\w]*\.){2,}(?=[A-Z]\w*(?:Error|Exception)\b)")
_DAMAGED: Final = re.compile(r"checksum error|parquet|no such file|FileNotFound|file does not exist", re.IGNORECASE)


_EXTRA_OF: Final = {
    "deltalake": "query",
    "pyarrow": "query",
    "pyspark": "spark",
    "delta": "spark",
    "great_expectations": "report",
    "pandas": "spark",
    "mlflow": "ml",
    "sklearn": "ml",
    "onnxruntime": "ml",
    "onnx": "ml",
    "matplotlib": "ml",
    "jinja2": "report",
    "numba": "ghost",
    "torch": "torch",
    "google": "push",
    "requests": "push",
}


@dataclass(frozen=True)
class ForeignFailure:
    """A failure of a program that is not ours.

    Attributes:
        program: Its name.
        cause: Why, in one line.
    """

    program: str
    cause: str


def user_message(error: BaseException) -> str | None:
    """What to tell the user about an error; ``None`` if it is not theirs to mend."""
    message = _message_to_mend(error)
    return None if message is None else hide_passwords(message)


def _message_to_mend(error: BaseException) -> str | None:
    if isinstance(error, SlipstreamError):
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = _EXTRA_OF.get(package)
        return f"{package} is not installed: pip install 'slipstream-lake[{extra}]'" if extra else None
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return _file_message(error)
    if type(error).__name__ == "KafkaException":
        return f"Kafka: {error.args[0].str() if error.args and hasattr(error.args[0], 'str') else error}"
    return _raised_in_batch(error)


def _file_message(error: OSError) -> str | None:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    if ".parquet" in str(error):  # as pyarrow raises it: the file is named in the words only
        return f"a file of the lake cannot be read: {' '.join(str(error).split())}; `slipstream doctor` names all such"
    return None


def find_foreign_failure(error: BaseException) -> ForeignFailure | None:
    """Which program failed, and why; ``None`` where the error is no such failure."""
    name, package = type(error).__name__, type(error).__module__.partition(".")[0]
    if package == "mlflow":
        return ForeignFailure("MLflow", find_cause(str(error)))
    if package == "pyarrow" and "arquet" in str(error):
        return ForeignFailure("Parquet", _with_remedy(find_cause(str(error))))
    if package not in ("py4j", "pyspark") or name not in _SPARKS:
        return None
    text = str(error)
    raised = _raised_in_python(text)
    if raised is not None and raised[0].rpartition(".")[2] not in _SPARKS:
        return None  # our own code in a batch, which the JVM has only handed on
    program = "Kafka" if "org.apache.kafka" in "".join(_CAUSED.findall(text)[-1:]) else "Spark"
    return ForeignFailure(program, _with_remedy(find_cause(text)))


def _raised_in_batch(error: BaseException) -> str | None:
    """What the user can mend of an error that code of ours raised in a batch, and that the JVM has handed on."""
    if type(error).__module__.partition(".")[0] != "pyspark":
        return None
    raised = _raised_in_python(str(error))
    if raised is None:
        return None
    module, _, name = raised[0].rpartition(".")
    try:
        kind = getattr(import_module(module), name, None) if module else None
    except ImportError:
        return None
    return raised[1] if isinstance(kind, type) and issubclass(kind, SlipstreamError) else None


def summarize_error(error: BaseException) -> str:
    """An error in one line, for ``ops.job_runs``: its cause where another program or a batch has handed it on."""
    if failure := find_foreign_failure(error):
        return failure.cause
    text = hide_passwords(str(error))
    if type(error).__module__.partition(".")[0] in ("py4j", "pyspark") and (raised := _raised_in_python(text)):
        return ": ".join(filter(None, (raised[0].rpartition(".")[2], raised[1])))[:LONGEST]
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:LONGEST]


def find_cause(text: str) -> str:
    """The line of a stack trace or of a log that says why a program failed."""
    if caused := _CAUSED.findall(text):
        return _shorten(caused[-1])
    lines = [line.strip().lstrip(": ") for line in text.splitlines() if line.strip() and not _FRAME.match(line)]
    telling = [line for line in lines if _TELLING.search(line) and not _EMPTY_WORDS.search(line)]
    return _shorten((telling or lines or ["it said nothing"])[-1])


def _raised_in_python(text: str) -> tuple[str, str] | None:
    """Type and words of the last exception of a Python traceback in a text."""
    if "Traceback (most recent call last)" not in text:
        return None
    found = _RAISED.findall(text[text.index("Traceback (most recent call last)") :])
    return found[-1] if found else None


def _with_remedy(cause: str) -> str:
    return f"{cause} (`slipstream doctor --deep` names damaged files)" if _DAMAGED.search(cause) else cause


def _shorten(line: str) -> str:
    line = _PACKAGES.sub("", " ".join(hide_passwords(line).split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
