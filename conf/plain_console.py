"""The console that everything is printed on: text is shown, neither its markup nor its control codes are obeyed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from conf.plain_text import show_controls


class PlainConsole(Console):
    """A console of rich's for texts that are data. Style is given by :class:`rich.text.Text` and by ``style=``.

    Args:
        given: As rich's own takes them.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **given})

    def render_str(self, text: str, **given: Any) -> Text:
        """A text, as it may be shown."""
        return super().render_str(show_controls(text), **given)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed; a styled text, too, as it may be shown."""
        if isinstance(renderable, Text) and (shown := show_controls(renderable.plain)) != renderable.plain:
            plain = Text(shown, renderable.style, justify=renderable.justify, overflow=renderable.overflow)
            plain.no_wrap, plain.end = renderable.no_wrap, renderable.end
            renderable = plain
        return super().render(renderable, options)

    def print_wide(self, renderable: RenderableType) -> None:
        """Print, without folding where there is no terminal whose edge would matter."""
        if not self.is_terminal:
            self.width = max(self.width, 240, self.measure(renderable, options=self.options.update(width=4000)).maximum)
        self.print(renderable)

    def status(self, status: RenderableType, **given: Any) -> Status:
        """A line that says what goes on."""
        return super().status(plain_text(status) if isinstance(status, str) else status, **given)


def plain_text(text: str, style: str = "") -> Text:
    """A text for where rich would obey a string's markup, as it may be shown."""
    return Text(show_controls(text), style)
