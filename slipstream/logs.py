"""Commands that keep a log; what that takes is imported when one runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def keep_log(name: str) -> Callable[[Callable[Given, Returned]], Callable[Given, Returned]]:
    """Make a command write ``$SLIPSTREAM_HOME/logs/<name>.log``."""

    def decorate(command: Callable[Given, Returned]) -> Callable[Given, Returned]:
        @wraps(command)
        def logged(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
            from conf.settings import get_settings
            from infra.local.job_log import log_to_file

            log_to_file(get_settings(), name)
            return command(*args, **kwargs)

        return logged

    return decorate
