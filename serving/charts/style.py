"""Style of all figures: colour-blind safe colours, units on every axis, no frames.

Figures are drawn without pyplot, so that nothing is kept open. As SVG they carry text as text: an HTML page shows it in
its own font.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf.errors import InputError
from conf.plain_text import show_controls

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# The palette of Okabe and Ito (2008).
LAP: Final = "#0072B2"
REFERENCE: Final = "#3C4650"
LOST: Final = "#D55E00"
GAINED: Final = "#009E73"
FIFTH: Final = "#CC79A7"
SIXTH: Final = "#E69F00"
SKY: Final = "#56B4E9"
INK: Final = "#20262E"
MUTED: Final = "#6B7480"
FAINT: Final = "#E9ECF0"
CAUTION: Final = "#F5E6A8"

_STYLE: Final[dict[str, Any]] = {
    "font.size": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "slipstream",
}
_DPI: Final = 150


@contextmanager
def figure_style() -> Iterator[None]:
    """Apply the common style to all figures drawn and saved in this context."""
    from matplotlib import rc_context

    with rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, which a notebook shows as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _figure_class()(figsize=(width_in, height_in), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@cache
def _figure_class() -> type[Figure]:
    """Matplotlib's figure with a picture of itself: else a notebook shows none before pyplot has drawn one."""
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        """A figure that needs no pyplot to be seen."""

        def _repr_png_(self) -> bytes:
            out = BytesIO()
            _show_as_written(self)
            with figure_style():
                self.savefig(out, format="png")
            return out.getvalue()

    return ShownFigure


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure; the suffix says in which form (png, svg, pdf).

    Raises:
        InputError: If the suffix is none of those that matplotlib writes.
    """
    known = figure.canvas.get_supported_filetypes()
    form = path.suffix.removeprefix(".").lower()
    if form not in known:
        raise InputError(f"{path}: '{path.suffix}' is no form of picture: end the name in .png, .svg or .pdf")
    path.parent.mkdir(parents=True, exist_ok=True)
    _show_as_written(figure)
    with figure_style():
        figure.savefig(path)
    return path


def figure_to_svg(figure: Figure) -> str:
    """A figure as an ``<svg>`` element that can stand beside others in one page."""
    out = StringIO()
    _show_as_written(figure)
    with figure_style():
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    # Names such as axes_1 come again in every figure, and nothing refers to them.
    return re.sub(r' id="[\w.]+_\d+"', "", text[text.index("<svg") :])


def _show_as_written(figure: Figure) -> None:
    """Names in a figure are no formulas, whatever dollar signs they have, and hold nothing that XML cannot."""
    from matplotlib.text import Text

    powers = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        if axis.get_scale() == "log"
        for label in axis.get_ticklabels(which="both")
    }
    for text in figure.findobj(Text):
        if text not in powers:
            text.set_parse_math(False)
            text.set_text(show_controls(text.get_text()))


def time_delta_colormap() -> Colormap:
    """Colours from time gained over none to time lost."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("lost_to_gained", [GAINED, "#D9DDE1", LOST])


def draw_light_grid(axes: Axes) -> None:
    """Thin lines to read values by."""
    axes.grid(visible=True, axis="y", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
