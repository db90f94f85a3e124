"""A car's karma in words: figures at the top, where to look first, each lap and component, how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from analysis.drivers.formatting import format_count, format_day, format_lap_time, format_ranges, join_names
from serving.queries.karma import COMPONENTS, OVERALL, KarmaLap, KarmaReport, KarmaScore
from serving.queries.karma_terms import factor_words, format_share, missing_signals, remaining_words
from serving.reports.driver_text import KeyFigure
from serving.reports.sources import list_versions

if TYPE_CHECKING:
    from rich.table import Table

INDEX: Final = "Karma is an index learned from simulated wear, not a measured probability of failure."

_TREND: Final = 1.0  # points a lap: less is lost in the noise of five laps
_OUTSIDE: Final = 4


def report_facts(found: KarmaReport) -> list[str]:
    """Session, track, day, laps."""
    end_us = max((lap.end_us for lap in found.laps if lap.end_us is not None), default=None)
    day = None if end_us is None else format_day(end_us)
    laps = f"{format_count(len(found.laps), 'lap')}, {len(found.scored)} scored"
    return [part for part in (found.session_id, found.track, day, laps) if part]


def key_figures(found: KarmaReport) -> list[KeyFigure]:
    """Return the key figures at the top; unknown ones are left out."""
    return [tile for tile in (_last(found), _look_first(found), _hardest(found), _soonest(found)) if tile is not None]


def _last(found: KarmaReport) -> KeyFigure | None:
    if not found.scored:
        return None
    lap = found.scored[-1]
    return KeyFigure(
        f"Overall, lap {lap.number}", f"{lap.karma:.0f}", ("100 is gentle", *_between(lap.scores[OVERALL]))
    )


def _look_first(found: KarmaReport) -> KeyFigure | None:
    if (first := find_first_concern(found)) is None:
        return None
    lap, score = first
    if is_worn_soon(found, score):
        return KeyFigure("Look first at", score.component.capitalize(), (f"{remaining_words(score)} laps remain",))
    return KeyFigure(
        "Look first at",
        score.component.capitalize(),
        (f"karma {score.karma:.0f} on lap {lap.number}", "the lowest of all"),
    )


def _hardest(found: KarmaReport) -> KeyFigure | None:
    if len(found.scored) < 2:
        return None
    lap = min(found.scored, key=lambda one: one.karma or 0.0)
    hardest = lap.hardest
    lines = () if hardest is None else (f"overall {lap.karma:.0f}", f"{hardest.component} {hardest.karma:.0f}")
    return KeyFigure("Hardest lap", f"Lap {lap.number}", lines)


def _soonest(found: KarmaReport) -> KeyFigure | None:
    score = _worn_first(found)
    if score is None:
        return None
    lines = [f"{score.component}, if new at the start"]
    if score.remaining_low is not None and score.remaining_high is not None:
        lines.append(f"90 %: {score.remaining_low:,.0f} to {score.remaining_high:,.0f}")
    return KeyFigure("Fewest laps left", f"{score.remaining_laps:,.0f}", tuple(lines))


def find_first_concern(found: KarmaReport) -> tuple[KarmaLap, KarmaScore] | None:
    """Choose the component to inspect first: one that may wear out within such a session, else the lowest score."""
    soon = _worn_first(found)
    if soon is not None and is_worn_soon(found, soon):
        return found.of(soon.component)[-1]
    every = [pair for name in COMPONENTS for pair in found.of(name)]
    return min(every, key=lambda pair: pair[1].karma or 0.0, default=None)


def is_worn_soon(found: KarmaReport, score: KarmaScore) -> bool:
    """Whether a part may be worn within as many laps as this session had."""
    laps = score.remaining_laps if score.remaining_low is None else score.remaining_low
    return laps is not None and laps <= len(found.laps)


def headline(found: KarmaReport) -> str:
    """The report in one sentence: which component to look at first, and why."""
    return summary(found)[0]


def summary(found: KarmaReport) -> list[str]:
    """Summarise the report in a few sentences, the most important first."""
    if not found.scored and not found.components:
        why = sorted({lap.reason for lap in found.laps if lap.reason})
        return [f"No lap has a score: {'; '.join(why)}."]
    return [*_describe_first_concern(found), *_describe_trend(found), *_describe_unscored(found)]


def _describe_first_concern(found: KarmaReport) -> Iterator[str]:
    first = find_first_concern(found)
    if first is None:
        return
    lap, score = first
    name = score.component.capitalize()
    if is_worn_soon(found, score):
        yield (
            f"{name} first: at the rate of the last laps, {remaining_words(score)} laps remain to parts that were new "
            f"when the session began, which is within another session of {format_count(len(found.laps), 'lap')}."
        )
        return
    why = f": {score.factors_text}" if score.factors_text else ""
    yield f"{name} first: karma {_karma(score)} on lap {lap.number} is the lowest of any component on any lap{why}."
    usual = sorted(s.karma or 0.0 for _, s in found.of(score.component))
    if len(usual) > 2:
        middle = usual[len(usual) // 2]
        yield f"On its middle lap the same component scores {middle:.0f}{_is_isolated(usual)}."


def _is_isolated(scores: Sequence[float]) -> str:
    """Whether the lowest stands apart: more below the middle than the middle spreads otherwise."""
    lowest, second, middle = scores[0], scores[1], scores[len(scores) // 2]
    return ", so it was that lap alone" if second - lowest > 2.0 * (middle - second) and second - lowest > 10.0 else ""


def _describe_trend(found: KarmaReport) -> Iterator[str]:
    last = [found.of(name)[-1][1] for name in found.components]
    falling = sorted((s.trend, s.component) for s in last if s.trend is not None and s.trend <= -_TREND)
    if falling:
        names = join_names([f"{component} ({-trend:.1f})" for trend, component in falling])
        yield f"Over the last five scored laps karma falls, by points a lap: {names}."


def _describe_unscored(found: KarmaReport) -> Iterator[str]:
    reasons: dict[str, list[int]] = {}
    for lap in found.laps:
        if lap.reason is not None:
            reasons.setdefault(lap.reason, []).append(lap.number)
    if reasons:
        said = "; ".join(f"{_laps(numbers)}, {reason}" for reason, numbers in reasons.items())
        yield f"Not scored, and not counted in the damage: {said}."
    for name in (name for name in COMPONENTS if name not in found.components):
        own = (lap.scores[name].reason for lap in found.scored if name in lap.scores)
        why = dict.fromkeys(reason for reason in own if reason)
        yield f"{name.capitalize()} has no score on any lap{': ' if why else ''}{'; '.join(why)}."


def karma_component_rows(found: KarmaReport) -> list[dict[str, str]]:
    """A row a component: what the session did to it and what remains."""
    first = find_first_concern(found)
    rows = []
    for name in found.components:
        laps = found.of(name)
        scores = [s.karma or 0.0 for _, s in laps]
        worst_lap, worst = min(laps, key=lambda pair: pair[1].karma or 0.0)
        last = laps[-1][1]
        rows.append(
            {
                "name": name.capitalize(),
                "mean": f"{sum(scores) / len(scores):.0f}",
                "worst": f"{worst.karma:.0f}",
                "worst_lap": str(worst_lap.number),
                "last": _karma(last),
                "trend": "" if last.trend is None else f"{last.trend:+.1f}",
                "damage": "" if last.cumulative_damage is None else format_share(last.cumulative_damage),
                "remaining": remaining_words(last),
                "why": worst.factors_text or "",
                "first": "yes" if first is not None and first[1].component == name else "",
            }
        )
    return rows


def karma_lap_rows(found: KarmaReport) -> list[dict[str, Any]]:
    """A row a lap: time, scores with intervals, what stood out or why there is no score."""
    least = min((lap.karma for lap in found.scored if lap.karma is not None), default=None)
    return [
        {
            "number": str(lap.number),
            "time": "" if lap.time_ms is None else format_lap_time(lap.time_ms / 1000.0),
            "scores": [_cell(lap.scores.get(name)) for name in (OVERALL, *COMPONENTS)],
            "words": _describe_notable(lap),
            "reason": "" if lap.reason is None else lap.reason,
            "hardest": least is not None and lap.karma == least,
        }
        for lap in found.laps
    ]


def _cell(score: KarmaScore | None) -> dict[str, str]:
    if score is None or score.karma is None:
        return {"value": "", "interval": ""}
    known = score.low is not None and score.high is not None
    return {"value": f"{score.karma:.0f}", "interval": f"{score.low:.0f}-{score.high:.0f}" if known else ""}


def _describe_notable(lap: KarmaLap) -> str:
    score = lap.hardest
    if score is None:
        return ""
    return (
        f"{score.component.capitalize()}: {score.factors_text}" if score.factors_text else score.component.capitalize()
    )


def limitations(found: KarmaReport) -> list[str]:
    """List the limitations of the scores: the index, missing signals, unseen conditions."""
    return [INDEX, *_describe_missing_signals(found), *_describe_outside(found)]


def _describe_missing_signals(found: KarmaReport) -> Iterator[str]:
    laps: dict[tuple[str, ...], list[int]] = {}
    for lap in found.scored:
        own = dict.fromkeys(name for score in lap.scores.values() for name in score.missing_inputs)
        laps.setdefault(tuple(own), []).append(lap.number)
    for inputs, numbers in laps.items():
        if not inputs:
            continue
        signals = _join_negated(missing_signals(inputs))
        if len(laps) == 1:
            yield f"This car sends no {signals}; a model that does without answered, so the intervals are wider."
        else:
            yield (
                f"On {_laps(numbers)} the car sent no {signals}; a model that does without answered there, so the "
                "intervals are wider."
            )
    if set(laps) == {()}:
        yield "The car sends everything that the best model looks at."


def _describe_outside(found: KarmaReport) -> Iterator[str]:
    known = {lap.number: _applicability(lap) for lap in found.scored}
    within = {number: value for number, (value, _) in known.items() if value is not None}
    if not within:
        return
    odd = [number for number, value in within.items() if value < 1.0]
    if not odd:
        yield "On every scored lap all inputs lie within the range of the laps that the model was trained on."
        return
    names = list(dict.fromkeys(factor_words(name) for number in odd for name in known[number][1]))
    more = f" and {len(names) - _OUTSIDE} more" if len(names) > _OUTSIDE else ""
    least = min(within.values())
    yield (
        f"On {_laps(odd)} some inputs lie outside the range of the laps that the model was trained on "
        f"(within it: {100.0 * least:.0f} % at least): {', '.join(names[:_OUTSIDE])}{more}. There a score is a guess "
        "beyond what the model knows."
    )


def _applicability(lap: KarmaLap) -> tuple[float | None, tuple[str, ...]]:
    """The least of its components', with that one's inputs outside."""
    known = [s for s in lap.scores.values() if s.applicability is not None]
    if not known:
        return None, ()
    least = min(known, key=lambda s: s.applicability or 0.0)
    return least.applicability, least.outside_inputs


def scoring_model_rows(found: KarmaReport) -> list[dict[str, str]]:
    """What gave the scores: algorithm, version, run."""
    return [
        {
            "algorithm": (model.algorithm or "unknown").replace("_", " "),
            "version": model.version or "unknown",
            "run_id": model.run_id or "unknown",
            "sets": join_names(sorted({s.channel_set for s in _scores(found) if s.model == model and s.channel_set})),
        }
        for model in found.models
    ]


def describe_pair(pair: tuple[KarmaLap, KarmaLap] | None) -> str:
    """What is compared with what."""
    if pair is None:
        return "Fewer than two laps have a score, so there is nothing to compare."
    first, second = (f"lap {lap.number} (overall {lap.karma:.0f}{_timed(lap)})" for lap in pair)
    words = f"{first[0].upper()}{first[1:]} against {second}."
    apart = [
        (name, (b.wear or 0.0) / a.wear)
        for name in COMPONENTS
        if (a := pair[0].scores.get(name)) and (b := pair[1].scores.get(name)) and a.wear and b.wear
    ]
    if apart:
        name, ratio = max(apart, key=lambda one: max(one[1], 1.0 / one[1]))
        way = f"{ratio:.1f} times as fast on lap {pair[1].number}"
        words += f" They differ most in the {name}, which wore {way}."
    return words


def karma_console_lines(found: KarmaReport) -> list[str]:
    """What stands around the table in the terminal."""
    said = [*summary(found), *limitations(found), f"Tables and their versions: {list_versions(found.versions)}"]
    return [f"  {line}" for line in said]


def karma_table(found: KarmaReport) -> Table:
    """Karma of laps and components for the terminal, the trend and the laps that remain beneath."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("lap", "time", *COMPONENTS, OVERALL):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for lap in found.laps:
        cells = [_coloured(lap.scores.get(name)) for name in (*COMPONENTS, OVERALL)]
        time = "" if lap.time_ms is None else format_lap_time(lap.time_ms / 1000.0)
        why = "" if lap.reason is None else f"not scored: {lap.reason}"
        table.add_row(str(lap.number), time, *cells, Text(why, style="dim"), end_section=lap is found.laps[-1])
    last = [found.of(name)[-1][1] if found.of(name) else None for name in (*COMPONENTS, OVERALL)]
    trends = ["" if s is None or s.trend is None else f"{s.trend:+.1f}" for s in last]
    remain = ["" if s is None or s.remaining_laps is None else f"{s.remaining_laps:,.0f}" for s in last]
    table.add_row("", "trend", *trends, Text("points a lap", style="dim"))
    table.add_row("", "laps left", *remain, Text("of a part new at the start", style="dim"))
    return table


def _coloured(score: KarmaScore | None) -> Any:
    from rich.text import Text

    if score is None or score.karma is None:
        return Text("-", style="dim")
    return Text(f"{score.karma:.0f}", style="red" if score.karma < 25.0 else "yellow" if score.karma < 50.0 else "")


def _worn_first(found: KarmaReport) -> KarmaScore | None:
    last = [found.of(name)[-1][1] for name in found.components]
    known = [score for score in last if score.remaining_laps is not None]
    return min(known, key=lambda s: s.remaining_laps or 0.0, default=None)


def _karma(score: KarmaScore) -> str:
    """A score with its interval, e.g. ``48 (41 to 55)``."""
    if score.low is None or score.high is None:
        return f"{score.karma:.0f}"
    return f"{score.karma:.0f} ({score.low:.0f} to {score.high:.0f})"


def _between(score: KarmaScore) -> tuple[str, ...]:
    known = score.low is not None and score.high is not None
    return (f"90 %: {score.low:.0f} to {score.high:.0f}",) if known else ()


def _timed(lap: KarmaLap) -> str:
    return "" if lap.time_ms is None else f", {format_lap_time(lap.time_ms / 1000.0)}"


def _laps(numbers: Sequence[int]) -> str:
    return f"{'lap' if len(numbers) == 1 else 'laps'} {format_ranges(sorted(numbers))}"


def _join_negated(names: Sequence[str]) -> str:
    """``a``, or ``a and no b``: after a ``no``."""
    return " and no ".join(names)


def _scores(found: KarmaReport) -> Iterator[KarmaScore]:
    return (score for lap in found.laps for score in lap.scores.values())
