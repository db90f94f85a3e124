"""Errors that a user can act on become one clear line; anything else keeps its traceback, for it is a fault of ours."""

from __future__ import annotations

import logging
import sys
from typing import Any

import typer
from typer.core import TyperGroup

OWN_PACKAGES = frozenset(
    {
        "analysis",
        "conf",
        "infra",
        "jobs",
        "medallion",
        "ml",
        "physics",
        "producers",
        "serving",
        "slipstream",
        "streaming",
    }
)
_OF_TYPER = frozenset({"typer", "click"})

_EXTRA_OF = {
    "deltalake": "query",
    "pyarrow": "query",
    "pyspark": "spark",
    "delta": "spark",
    "great_expectations": "spark",
    "pandas": "spark",
    "mlflow": "ml",
    "sklearn": "ml",
    "onnxruntime": "ml",
    "onnx": "ml",
    "matplotlib": "ml",
    "jinja2": "report",
    "numba": "ghost",
    "joblib": "torch",
    "torch": "torch",
    "google": "push",
    "requests": "push",
}


class FriendlyGroup(TyperGroup):
    """A command group that ends with exit code 1 and one red line on stderr where the user can help."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("interrupted")
            raise typer.Exit(130) from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] in _OF_TYPER:
                raise  # an exit, or a wrong option, which typer says itself
            message = user_message(error)
            if message is None:
                logging.getLogger("slipstream").exception("a fault of ours")
                raise
            logging.getLogger("slipstream").error("%s", message)
            _say(message)
            raise typer.Exit(1) from None


def user_message(error: BaseException) -> str | None:
    """What to tell the user about an error; ``None`` if it is not theirs to mend."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = _EXTRA_OF.get(package)
        return f"{package} is not installed: pip install 'slipstream-lake[{extra}]'" if extra else None
    if type(error).__name__ == "ValidationError" and type(error).__module__.startswith("pydantic"):
        return _validation_message(error)
    kind = type(error).__module__.partition(".")[0]
    if kind in OWN_PACKAGES or (isinstance(error, ValueError) and _raised_by_us(error)):
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    if type(error).__name__ == "KafkaException":
        return f"Kafka: {error.args[0].str() if error.args and hasattr(error.args[0], 'str') else error}"
    if isinstance(error, OSError) and error.filename and not isinstance(error, BrokenPipeError):
        return f"{error.filename}: {error.strerror}"
    return None


def _validation_message(error: Any) -> str:
    """Each wrong setting or option by name, with what was given; never the input of a secret."""
    lines = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"])
        lines.append(f"{place}: {item['msg']}" if place else item["msg"].removeprefix("Value error, "))
    return f"{error.title}: " + "; ".join(lines)


def _raised_by_us(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return str(name).partition(".")[0] in OWN_PACKAGES


def _say(message: str) -> None:
    colour = "\x1b[31m{}\x1b[0m" if sys.stderr.isatty() else "{}"
    print(colour.format(message), file=sys.stderr)  # noqa: T201 - the one place that speaks to stderr by hand
