"""Great Expectations' Data Docs, made from the contracts' rules and the counts of the gate in ``ops.dq_results``."""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from conf.contract import ContractRule, rules_by_name
from conf.frozen import FrozenModel
from conf.tables import OPS_DQ_RESULTS
from serving.lake.reader import LakeReader
from serving.lake.rows import Row

RUNS: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class QualityDocs(FrozenModel):
    """Pages that were made.

    Attributes:
        page: The first page.
        runs: Job runs that they show.
        rules: Rules that those runs held units to.
        broken: Rules that some value broke.
    """

    page: Path
    runs: int
    rules: int
    broken: int


def write_quality_docs(lake: LakeReader, folder: Path, runs: int = RUNS) -> QualityDocs | None:
    """Write the Data Docs of the newest job runs; ``None`` where no unit has been judged yet.

    Args:
        lake: The lake.
        folder: Project folder of Great Expectations; the pages are made in it.
        runs: How many job runs to show.
    """
    by_run: defaultdict[str, list[Row]] = defaultdict(list)
    for row in lake.rows(OPS_DQ_RESULTS, order_by=("run_ts",), missing_ok=True):
        by_run[row["run_id"]].append(row)
    if not by_run:
        return None
    shown = list(by_run.values())[-runs:]
    context = _open_project(folder)
    for results in shown:
        _add_run(context, sum_batches(results))
    context.build_data_docs()
    page = next(folder.rglob("data_docs/**/index.html"))
    broken = {row["expectation"] for results in shown for row in results if row["unexpected"]}
    rules = {row["expectation"] for results in shown for row in results}
    return QualityDocs(page=page, runs=len(shown), rules=len(rules), broken=len(broken))


def sum_batches(results: Sequence[Row]) -> list[Row]:
    """Results of one job run, its batches added up: one row a suite and rule, in the order of the first batch."""
    total: dict[tuple[str, str], Row] = {}
    for row in results:
        key = (row["suite"], row["expectation"])
        if key not in total:
            total[key] = dict(row)
            continue
        for name in ("evaluated", "unexpected"):
            total[key][name] += row[name]
        total[key]["run_ts"] = max(total[key]["run_ts"], row["run_ts"])
    return list(total.values())


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


def _open_project(folder: Path) -> Any:
    """A project of Great Expectations without the results of earlier pages."""
    _without_spark_connect()
    import great_expectations as gx

    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=str(folder))
    context.variables.progress_bars = {"globally": False}
    for key in context.validation_results_store.list_keys():
        context.validation_results_store.remove_key(key)
    return context


def _add_run(context: Any, results: Sequence[Row]) -> None:
    """Store a job run's results, by suite, as Great Expectations would have if it had counted itself."""
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    rules = rules_by_name()
    for suite in dict.fromkeys(row["suite"] for row in results):
        own = [row for row in results if row["suite"] == suite and row["expectation"] in rules]
        expectations = [to_expectation(row["column_name"], rules[row["expectation"]]) for row in own]
        context.suites.add_or_update(gx.ExpectationSuite(name=suite, expectations=expectations))
        found = [_validation_result(row, each) for row, each in zip(own, expectations, strict=True)]
        ended = _EPOCH + timedelta(microseconds=max(row["run_ts"] for row in own))
        good = sum(bool(result.success) for result in found)
        run_id = RunIdentifier(run_name=own[0]["run_id"], run_time=ended)
        units = {"data_asset_name": f"units for {own[0]['table_name']}"}
        outcome = ExpectationSuiteValidationResult(
            success=good == len(found),
            results=found,
            suite_name=suite,
            statistics={
                "evaluated_expectations": len(found),
                "successful_expectations": good,
                "unsuccessful_expectations": len(found) - good,
                "success_percent": 100.0 * good / len(found),
            },
            meta={"run_id": run_id, "active_batch_definition": units, "batch_spec": units},
        )
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), run_id, own[0]["run_id"])
        context.validation_results_store.add(key, outcome)


def _validation_result(row: Row, expectation: Any) -> Any:
    from great_expectations.core import ExpectationValidationResult

    evaluated, unexpected = row["evaluated"], row["unexpected"]
    share = 100.0 * unexpected / evaluated if evaluated else 0.0
    return ExpectationValidationResult(
        success=unexpected == 0,
        expectation_config=expectation.configuration,
        result={
            "element_count": evaluated,
            "unexpected_count": unexpected,
            "unexpected_percent": share,
            "unexpected_percent_nonmissing": share,
            "missing_count": 0,
            "missing_percent": 0.0,
        },
    )


def _without_spark_connect() -> None:
    """Let Great Expectations see that Spark Connect is not installed.

    It looks by importing it. Where the program has no file (``python -c``, a worker of pytest-xdist), pyspark takes
    that for its own doctests and, without grpc, ends the process with exit status 0.
    """
    if importlib.util.find_spec("grpc") is None:
        sys.modules.setdefault("pyspark.sql.connect", None)  # type: ignore[arg-type]
