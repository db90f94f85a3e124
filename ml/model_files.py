"""Models are read from files that anybody who reaches the tracking server may have put there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conf.errors import InputError, SlipstreamError


@contextmanager
def refusing_other_files(refusal: type[InputError], what: str, command: str) -> Iterator[None]:
    """Say of files that are no model of this version which they are and how to make one.

    Args:
        refusal: What is raised.
        what: Which model, for the message.
        command: What makes it anew.

    Raises:
        InputError: In place of whatever a library raises of such files; what is none of its own names them already.
    """
    try:
        yield
    except SlipstreamError:
        raise
    except (
        Exception
    ) as error:  # what a made-up file makes torch, skops, NumPy or ONNX Runtime raise is not to be foreseen
        raise refusal(
            f"{what}: its files are no model that this version reads ({type(error).__name__}): train it anew with "
            f"`{command}`"
        ) from error
