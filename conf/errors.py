"""The one base of every error that a user can mend: these become one clear line; all others keep their traceback."""

from __future__ import annotations


class SlipstreamError(Exception):
    """Something that the user can mend: the message names the file, row, field or setting, and the remedy.

    The command line shows it as one line. Whatever does not inherit from it is a fault of the program and is shown
    with its traceback.
    """


class InputError(SlipstreamError, ValueError):
    """A value, file or option that cannot be used as it was given."""
