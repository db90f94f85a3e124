"""The contracts' rules as a Great Expectations suite, run on what the gate looked at, with Data Docs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from conf.contract import ContractRule


@dataclass(frozen=True)
class ExpectationResult:
    """Outcome of one rule over a DataFrame.

    Attributes:
        evaluated: Values that are not null.
        unexpected: Values among them (or nulls, for a not-null rule) that broke the rule.
    """

    rule: str
    column: str
    severity: str
    success: bool
    evaluated: int
    unexpected: int


@dataclass(frozen=True)
class ValidationReport:
    """Outcome of a suite, and the page that shows it."""

    suite: str
    results: tuple[ExpectationResult, ...]
    data_docs: Path | None


def to_expectation(column: str, rule: ContractRule) -> Any:
    """The Great Expectations object of a rule."""
    _without_spark_connect()
    import great_expectations.expectations as gxe

    name = "".join(part.capitalize() for part in rule.implementation.type.split("_"))
    expectation = getattr(gxe, name)
    return expectation(
        column=column,
        meta={"rule": rule.name, "severity": rule.severity},
        notes=rule.description,
        **rule.implementation.kwargs,
    )


def _without_spark_connect() -> None:
    """Let Great Expectations see that Spark Connect is not installed.

    It looks by importing it. Where the program has no file (``python -c``, a worker of pytest-xdist), pyspark takes
    that for its own doctests and, without grpc, ends the process with exit status 0.
    """
    if importlib.util.find_spec("grpc") is None:
        sys.modules.setdefault("pyspark.sql.connect", None)  # type: ignore[arg-type]


def validate_units(
    df: DataFrame, suite: str, rules: Iterable[tuple[str, ContractRule]], folder: Path
) -> ValidationReport:
    """Run the rules over a DataFrame and update the Data Docs.

    Args:
        df: Units as the gate saw them, one column per rule's column.
        suite: Name of the suite.
        rules: (column, rule) pairs.
        folder: Project folder of Great Expectations; Data Docs are made in it.
    """
    _without_spark_connect()
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction

    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=str(folder))
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_or_update_spark("slipstream")
    batch = source.add_dataframe_asset(suite).add_batch_definition_whole_dataframe("units")
    pairs = list(rules)
    expectations = gx.ExpectationSuite(name=suite, expectations=[to_expectation(c, r) for c, r in pairs])
    context.suites.add_or_update(expectations)
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=suite, data=batch, suite=context.suites.get(suite))
    )
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(
            name=suite,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="data_docs")],
            result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        )
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": df})
    (run,) = outcome.run_results.values()
    found = {r.expectation_config.meta["rule"]: r for r in run.results}
    return ValidationReport(suite, tuple(_result(c, r, found[r.name]) for c, r in pairs), _index_page(folder))


def _result(column: str, rule: ContractRule, outcome: Any) -> ExpectationResult:
    numbers = outcome.result
    total, missing = int(numbers.get("element_count", 0)), int(numbers.get("missing_count", 0) or 0)
    return ExpectationResult(
        rule.name,
        column,
        rule.severity,
        bool(outcome.success),
        total - missing,
        int(numbers.get("unexpected_count", 0)),
    )


def _index_page(folder: Path) -> Path | None:
    return next(folder.rglob("data_docs/**/index.html"), None)
