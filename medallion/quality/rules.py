"""Compile a contract's rules to Spark columns.

Each expectation that contracts use is one pure function from (column, kwargs) to "this value breaks the rule". Nulls
break nothing except ``not_be_null``; NaN breaks a range (it passes SQL's ``>=``, which is how it usually slips by).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.contract import ContractError, Rule

REASON = "struct<rule:string,column_name:string,observed:string>"
Breaks = Callable[[Column, dict[str, Any]], Column]


def _between(value: Column, kwargs: dict[str, Any]) -> Column:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    number = value.cast("double")
    broken = F.isnan(number)
    if low is not None:
        broken = broken | (number < F.lit(float(low)))
    if high is not None:
        broken = broken | (number > F.lit(float(high)))
    return broken


def _not_null(value: Column, _: dict[str, Any]) -> Column:
    return value.isNull()


def _in_set(value: Column, kwargs: dict[str, Any]) -> Column:
    return ~value.isin(*kwargs["value_set"])


def _match_regex(value: Column, kwargs: dict[str, Any]) -> Column:
    return ~value.rlike(kwargs["regex"])


EXPECTATIONS: dict[str, Breaks] = {
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_match_regex": _match_regex,
}


def breaks(rule: Rule, value: Column) -> Column:
    """Boolean column, never null: whether ``value`` breaks ``rule``.

    Raises:
        ContractError: If the expectation is not one the gate can compile.
    """
    try:
        compiled = EXPECTATIONS[rule.implementation.type]
    except KeyError:
        raise ContractError(
            f"rule {rule.name}: the gate cannot compile '{rule.implementation.type}'; "
            f"it knows {', '.join(EXPECTATIONS)}"
        ) from None
    return F.coalesce(compiled(value, rule.implementation.kwargs), F.lit(False))


def reason(rule_name: str, column_name: str, observed: Column) -> Column:
    """One entry of ``silver.quarantine.reasons``; ``observed`` is cut to 200 characters."""
    return F.struct(
        F.lit(rule_name).alias("rule"),
        F.lit(column_name).alias("column_name"),
        F.substring(observed.cast("string"), 1, 200).alias("observed"),
    )


def broken_rules(rules: Iterable[tuple[str, Rule]], value_of: Callable[[str], Column]) -> Column:
    """Array of reasons for every rule that a row breaks, null where it breaks none.

    Args:
        rules: (column, rule) pairs.
        value_of: The expression that holds a column's value.
    """
    pairs = list(rules)
    return collected(
        [breaks(rule, value_of(c)) for c, rule in pairs],
        [reason(rule.name, c, value_of(c)) for c, rule in pairs],
        f"array<{REASON}>",
    )


def warnings(rules: Iterable[tuple[str, Rule]], value_of: Callable[[str], Column]) -> Column:
    """Array of the names of the soft rules that a row breaks; null where it breaks none."""
    pairs = list(rules)
    found = [breaks(rule, value_of(c)) for c, rule in pairs]
    return collected(found, [F.lit(rule.name) for _, rule in pairs], "array<string>")


def collected(conditions: Sequence[Column], entries: Sequence[Column], ddl: str) -> Column:
    """Array of the entries whose condition holds, null where none does.

    The array is built only where a condition holds: nearly all rows are good, and arrays cost more than comparisons.
    """
    if not conditions:
        return F.lit(None).cast(ddl)
    anything = reduce(Column.__or__, conditions)
    chosen = [F.when(condition, entry) for condition, entry in zip(conditions, entries, strict=True)]
    return F.when(anything, F.array_compact(F.array(*chosen)))
