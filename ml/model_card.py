"""The page that a registered model carries: what it is for, from what it learned, how good it is, where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.statistics.bootstrap import Estimate


@dataclass(frozen=True)
class ModelCard:
    """What a reader must know before using a model.

    Attributes:
        purpose: What it answers.
        data: What it learned from.
        split: What was kept aside, and how.
        figures: By name, on what it learned from and on what was kept aside.
        limits: Where it is not to be trusted.
        promotion: The rule by which a version comes into use.
        answers: What ``predict`` takes and gives.
    """

    purpose: str
    data: str
    split: str
    figures: Mapping[str, tuple[Estimate | None, Estimate]]
    limits: Sequence[str]
    promotion: str
    answers: str

    def to_markdown(self, verdict: str | None = None) -> str:
        """The card as Markdown.

        Args:
            verdict: What came of the version it describes.
        """
        rows = [
            f"| {name} | {_figure_text(learned)} | {_figure_text(aside)} |"
            for name, (learned, aside) in self.figures.items()
        ]
        parts = [
            f"**What for.** {self.purpose}",
            f"**Answers.** {self.answers}",
            f"**Data.** {self.data}",
            f"**Split.** {self.split}",
            "\n".join(
                ["| figure, 95 % interval | on what it learned from | on what was kept aside |", "|---|---|---|", *rows]
            ),
            "**Limits.**\n\n" + "\n".join(f"- {limit}" for limit in self.limits),
            f"**Promotion.** {self.promotion}",
        ]
        if verdict:
            parts.append(f"**Verdict on this version.** {verdict}")
        return "\n\n".join(parts)


def _figure_text(figure: Estimate | None) -> str:
    if figure is None:
        return ""
    return figure.text(".3f") if figure.low == figure.low else f"{figure.value:.3f}"
