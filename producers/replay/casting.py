"""The cells of readings as values.

What a reading needs, its name, value, time and vehicle, makes its line malformed where it cannot be parsed. What it may
lack becomes null there, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import polars as pl

from conf.text_table import MalformedLine
from producers.replay.cell_parsers import (
    BLANK,
    EPOCH_UNITS_PER_S,
    MISSING,
    YEAR_2000_S,
    YEAR_2100_S,
    CellError,
    parse_instant_us,
)
from producers.replay.formats import LONG_COLUMNS, NEEDED_COLUMNS
from producers.replay.lines import NullCells

INTEGERS = ("lap", "outing", "vehicle_number")
TIMES = ("meta_time", "timestamp")
VALUE = "telemetry_value"
PARSED = (*INTEGERS, *TIMES, VALUE)


def _kind_of(column: str) -> str:
    """What a cell of a column of readings should be."""
    return "an integer" if column in INTEGERS else "a time" if column in TIMES else "a number"


def cast_readings(text: pl.DataFrame, nulls: NullCells) -> tuple[pl.DataFrame, list[MalformedLine]]:
    """Give each column its type.

    Args:
        text: Rows with ``line`` and columns of ``LONG_COLUMNS`` as they stand.
        nulls: Counts the cells that became null.

    Returns:
        The rows with all of ``LONG_COLUMNS``, the times as ``meta_time_us`` and ``timestamp_us``, less those that lack
        what a reading needs; and these.
    """
    have = [name for name in LONG_COLUMNS if name in text.columns]
    typed = {name: _cast_column(text[name]) for name in have}
    absent = [pl.lit(None, dtype=_dtype(name)).alias(name) for name in LONG_COLUMNS if name not in typed]
    frame = text.select("line", **typed).with_columns(absent).rename({name: f"{name}_us" for name in TIMES})
    faults = {name: _find_faults(text["line"], text[name], typed[name]) for name in have if name in PARSED}
    bad = _find_malformed({name: found for name, found in faults.items() if name in NEEDED_COLUMNS})
    for name, found in faults.items():
        kept = found if bad is None else found.join(bad, on="line", how="anti", maintain_order="left")
        if name not in NEEDED_COLUMNS and kept.height:
            line, cell = kept.row(0)
            nulls.add(name, _kind_of(name), line, cell, kept.height)
    if bad is None:
        return frame, []
    malformed = [MalformedLine(line, reason) for line, reason in bad.iter_rows()]
    return frame.join(bad, on="line", how="anti", maintain_order="left"), malformed


def _find_faults(lines: pl.Series, cells: pl.Series, values: pl.Series) -> pl.DataFrame:
    """Line and cell of a column's cells that hold what could not be parsed.

    A word for a missing value is none where a reading needs the cell: it is null as an empty one is, and the gate's.
    """
    failed = cells.is_not_null() & values.is_null()
    if failed.any():
        failed &= ~_is_any(cells, MISSING if cells.name in NEEDED_COLUMNS else BLANK)
    return pl.DataFrame({"line": lines.filter(failed), "cell": cells.filter(failed).cast(pl.String)})


def _find_malformed(faults: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    """Line and reason of rows that lack what a reading needs, None where there are none."""
    found = [
        cells.select(
            "line", reason=pl.format(f"{name} '{{}}' is not {_kind_of(name)}", pl.col("cell").str.slice(0, 80))
        )
        for name, cells in faults.items()
        if cells.height
    ]
    if not found:
        return None
    return pl.concat(found).group_by("line").agg(pl.col("reason").str.join("; ")).sort("line")


def _is_any(column: pl.Series, words: Collection[str]) -> pl.Series:
    return column.cast(pl.String).str.strip_chars().str.to_lowercase().is_in(list(words))


def _dtype(name: str) -> type[pl.DataType]:
    if name in INTEGERS:
        return pl.Int32
    if name in TIMES:
        return pl.Int64
    return pl.Float64 if name == VALUE else pl.Categorical


def _cast_column(column: pl.Series) -> pl.Series:
    if column.name in INTEGERS:
        return _cast(column, _whole)
    if column.name in TIMES:
        return _cast_time(column)
    if column.name == VALUE:
        return _cast(column, lambda cells: cells.cast(pl.Float64, strict=False))
    return clean_text(column)


def clean_text(column: pl.Series) -> pl.Series:
    """Names without spaces around them, as categories; null where a word says that there is none."""
    text = column.cast(pl.String)
    distinct = text.unique().drop_nulls()  # names repeat: each is looked at once
    if (distinct != distinct.str.strip_chars()).any():
        text = text.str.strip_chars()
    missing = distinct.filter(_is_any(distinct, MISSING)).str.strip_chars()
    if not missing.is_empty():
        text = text.to_frame().select(pl.when(~pl.nth(0).is_in(missing.implode())).then(pl.nth(0))).to_series()
    return text.cast(pl.Categorical)


def _cast(column: pl.Series, parse: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Parse a column; where that fails, without spaces around a cell and with a decimal comma as a point."""
    values = parse(column)
    if column.dtype.is_numeric() or values.null_count() == column.null_count():
        return values
    plain = column.cast(pl.String).str.strip_chars().str.replace(",", ".", literal=True)
    return values.fill_null(parse(plain))


def _whole(cells: pl.Series) -> pl.Series:
    whole = cells.cast(pl.Float64, strict=False)
    return (
        whole.to_frame("whole")
        .select(pl.when(pl.col("whole") == pl.col("whole").floor()).then("whole").cast(pl.Int32, strict=False))
        .to_series()
    )


def _cast_time(column: pl.Series) -> pl.Series:
    """Microseconds since the epoch of dates and times, or of seconds since it or thousandths of them."""
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us")
    if column.dtype.is_numeric():
        return _cast_epoch(column)
    text = column.cast(pl.String)
    times = _cast_moment(text)
    if times.null_count() == text.null_count():
        return times
    times = times.fill_null(_cast_epoch(text.str.strip_chars().str.replace(",", ".", literal=True)))
    others = {cell: _parse_instant(cell.strip()) for cell in text.filter(times.is_null()).drop_nulls().unique()}
    return times.fill_null(text.replace_strict(others, default=None, return_dtype=pl.Int64)) if others else times


def _parse_instant(cell: str) -> int | None:
    try:
        return parse_instant_us(cell)
    except CellError:
        return None


def _cast_moment(text: pl.Series) -> pl.Series:
    times = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    if times.null_count() > text.null_count():  # no zone: UTC
        times = times.fill_null((text + "Z").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False))
    return times.dt.epoch("us")


def _cast_epoch(column: pl.Series) -> pl.Series:
    """As :func:`producers.replay.cell_parsers.parse_instant_us` does of numbers."""
    whole = column.cast(pl.Int64, strict=False)
    number = column.cast(pl.Float64, strict=False)
    frame = pl.DataFrame({"whole": whole, "number": number})
    choices = []
    for per_s in EPOCH_UNITS_PER_S:
        within = pl.col("number").is_between(YEAR_2000_S * per_s, YEAR_2100_S * per_s, closed="left")
        exact = pl.col("whole") // (per_s // 10**6) if per_s > 10**6 else pl.col("whole") * (10**6 // per_s)
        rounded = (pl.col("number") * (10**6 / per_s)).round().cast(pl.Int64, strict=False)
        is_whole = pl.col("whole") == pl.col("number")
        choices.append(pl.when(within).then(pl.when(is_whole).then(exact).otherwise(rounded)))
    return frame.select(pl.coalesce(choices)).to_series()
