"""How pages are made: every value of a template is text, whatever HTML, script or control code is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf.plain_text import show_controls

if TYPE_CHECKING:
    from jinja2 import Environment


def page_environment() -> Environment:
    """The environment of all templates."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("serving.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_show_text,
    )


def _show_text(value: Any) -> Any:
    """A value of a template; what is markup already, such as a figure, is of our own making."""
    return show_controls(value) if type(value) is str else value
