"""The one base of every error that a user can mend: these become one clear line; all others keep their traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class SlipstreamError(Exception):
    """Something that the user can mend: the message names the file, row, field or setting, and the remedy.

    The command line shows it as one line. Whatever does not inherit from it is a fault of the program and is shown
    with its traceback: a function that is called with arrays that do not fit raises a plain :class:`ValueError`.

    Attributes:
        exit_code: What a command or job ends with.
    """

    exit_code: ClassVar[int] = 1


class InputError(SlipstreamError, ValueError):
    """A value, file, option or table content that cannot be used as it was given."""


class AlertError(SlipstreamError):
    """All was done, but something came out that somebody should look at.

    Args:
        message: What came out.
        done: What was done.
    """

    exit_code = 3

    def __init__(self, message: str, done: str = "") -> None:
        super().__init__(message)
        self.done = done


class TrainingDataError(InputError):
    """The lake does not hold what training needs; the message says what is missing and where it comes from."""


class NewerContractError(InputError):
    """A table was written by a newer contract than this version knows."""


@contextmanager
def check_input(source: str | None = None) -> Iterator[None]:
    """Name each wrong field of what a user gave, where pydantic refuses it in the body.

    What was given is not repeated, for it may be a secret.

    Args:
        source: File or group of options that the fields are of; the model's name where it is left out.

    Raises:
        InputError: If a model refuses a field.
    """
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        wrong = [
            f"{place}: {item['msg']}" if (place := ".".join(map(str, item["loc"]))) else item["msg"]
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise InputError(f"{source or error.title}: " + "; ".join(wrong).replace("Value error, ", "")) from None
