"""Compile a contract's rules to Spark SQL.

Each expectation that contracts use is one pure function from (value, kwargs) to the SQL of "this value breaks the
rule", where a value is itself SQL. Text, because a gate has hundreds of expressions: built call by call they cost
seconds a batch, parsed as text milliseconds. Nulls break nothing except ``not_be_null``; NaN breaks a range (it passes
SQL's ``>=``, which is how it usually slips by).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from conf.contract import ContractError, ContractRule
from medallion.schema import sql_literal

REASON = "struct<rule:string,column_name:string,observed:string>"
Breaks = Callable[[str, dict[str, Any]], str]
_END: Final = re.compile(r"((?:^|[^\\])(?:\\\\)*)\$$")


def _between(value: str, kwargs: dict[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    number = f"cast({value} as double)"
    broken = [f"isnan({number})"]
    if low is not None:
        broken.append(f"{number} < {float(low)!r}D")
    if high is not None:
        broken.append(f"{number} > {float(high)!r}D")
    return " OR ".join(broken)


def _not_null(value: str, _: dict[str, Any]) -> str:
    return f"{value} IS NULL"


def _in_set(value: str, kwargs: dict[str, Any]) -> str:
    return f"{value} NOT IN ({', '.join(map(sql_literal, kwargs['value_set']))})"


def _match_regex(value: str, kwargs: dict[str, Any]) -> str:
    return f"NOT ({value} RLIKE {sql_literal(whole_text_regex(kwargs['regex']))})"


def whole_text_regex(regex: str) -> str:
    """A contract's pattern as Java has it: there ``$`` stands before a line end at the end of the text, too."""
    return _END.sub(r"\1\\z", regex)


EXPECTATIONS: dict[str, Breaks] = {
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_match_regex": _match_regex,
}


def breaks_rule(rule: ContractRule, value: str) -> str:
    """SQL of a boolean, never null: whether ``value`` breaks ``rule``.

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
    return f"coalesce({compiled(value, rule.implementation.kwargs)}, false)"


def reason_entry(rule_name: str, column_name: str, observed: str) -> str:
    """SQL of one entry of ``silver.quarantine.reasons``; ``observed`` is cut to 200 characters."""
    return (
        f"named_struct('rule', {sql_literal(rule_name)}, 'column_name', {sql_literal(column_name)}, "
        f"'observed', substring(cast({observed} as string), 1, 200))"
    )


def broken_rules_sql(rules: Iterable[tuple[str, ContractRule]], value: str | None = None) -> str:
    """SQL of the array of reasons for every rule that a row breaks, null where it breaks none.

    Args:
        rules: (column, rule) pairs.
        value: What holds the value; the column itself if left out.
    """
    pairs = list(rules)
    return collect_where(
        [breaks_rule(rule, value or c) for c, rule in pairs],
        [reason_entry(rule.name, c, value or c) for c, rule in pairs],
        f"array<{REASON}>",
    )


def broken_rule_names(rules: Iterable[tuple[str, ContractRule]]) -> str:
    """SQL of the array of the names of the soft rules that a row breaks; null where it breaks none."""
    pairs = list(rules)
    found = [breaks_rule(rule, c) for c, rule in pairs]
    return collect_where(found, [sql_literal(rule.name) for _, rule in pairs], "array<string>")


def case_by_channel(branches: Iterable[tuple[str, str]]) -> str:
    """SQL of one flat CASE over ``channel``, so that a row evaluates its own channel's branch only."""
    return f"CASE {' '.join(f'WHEN channel = {sql_literal(name)} THEN {sql}' for name, sql in branches)} END"


def collect_where(conditions: Sequence[str], entries: Sequence[str], ddl: str) -> str:
    """SQL of the array of the entries whose condition holds, null where none does.

    The array is built only where a condition holds: nearly all rows are good, and arrays cost more than comparisons.
    """
    if not conditions:
        return f"cast(null as {ddl})"
    pairs = zip(conditions, entries, strict=True)
    chosen = ", ".join(f"CASE WHEN {condition} THEN {entry} END" for condition, entry in pairs)
    return f"CASE WHEN {' OR '.join(conditions)} THEN array_compact(array({chosen})) END"
