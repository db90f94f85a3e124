"""Nothing that makes features or figures reads the truth: by name, by import and by what tables declare."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from conf import families, tables, topics
from conf.contract import load_contract, table_names
from conf.families import EVENT_FAMILIES, FAMILIES, PROMOTED, TRUTH
from medallion.gold.refresh import changed_rows, processor

REPO = Path(__file__).resolve().parents[2]
PACKAGES = ("physics", "infra", "analysis", "medallion", "ml", "serving", "jobs", "streaming", "slipstream")
CONSTANTS = frozenset({"BRONZE_TRUTH_EVENTS", "TRUTH_RAW", "TRUTH"})
NAMES = (TRUTH.bronze, TRUTH.topic, TRUTH.bronze.partition(".")[2], "event.truth", "slipstream.truth")
# Jobs that train on labels are to be named here, one by one; what they read of them is the label.
TRAINED_ON = frozenset({"jobs/train_karma.py"})
SAYS_SO = frozenset({"slipstream/commands/karma.py", "ml/karma/packaging.py"})  # in --dry-run, on a model's card
NO_TRUTH = frozenset({"COMPONENTS", "Component"})  # names of what wears, and nothing of how
SENDS = frozenset({"slipstream/commands/simulate.py"})
# Those that handle all alike: every topic is created; bronze stores every family and is emptied of every one, the
# balance looks at its offsets.
CREATES = frozenset({"infra/kafka/topics.py"})
OF_ALL_FAMILIES = frozenset({"streaming/bronze.py", "streaming/reset.py", "serving/lake/balance.py"})


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((REPO / package).rglob("*.py")):
            yield str(path.relative_to(REPO)), ast.parse(path.read_text(encoding="utf-8"))


def test_no_module_names_the_truth() -> None:
    seen = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and any(n in node.value for n in NAMES)
    }
    assert seen <= SENDS | TRAINED_ON | SAYS_SO


def names_used(tree: ast.Module) -> Iterator[str]:
    """Every name a module imports, reads or takes from another: whatever way a constant gets in, it is among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield from (node.name, node.asname or node.name)
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_no_module_uses_a_constant_that_stands_for_the_truth() -> None:
    used = {name: set(names_used(tree)) for name, tree in modules()}
    assert {name for name, names in used.items() if names & CONSTANTS} <= TRAINED_ON
    assert {name for name, names in used.items() if "FAMILIES" in names} == OF_ALL_FAMILIES
    assert {name for name, names in used.items() if "TOPICS" in names} == CREATES


@pytest.mark.parametrize("module", [tables, topics, families])
def test_every_constant_that_stands_for_the_truth_is_watched(module: ModuleType) -> None:
    """Those whose value says so: a new one has to be added to what no module may use."""
    named = {name for name, value in vars(module).items() if name.isupper() and not isinstance(value, tuple)}
    assert {name for name in named if any(n in str(getattr(module, name)) for n in NAMES)} <= CONSTANTS
    whole = {name for name, value in vars(module).items() if name.isupper() and isinstance(value, tuple)}
    assert {name for name in whole if any(n in str(getattr(module, name)) for n in NAMES)} <= {"FAMILIES", "TOPICS"}


def test_no_module_takes_all_names_of_another() -> None:
    stars = {name for name, tree in modules() for n in ast.walk(tree) if isinstance(n, ast.alias) and n.name == "*"}
    assert not stars


def test_no_module_imports_the_simulator_s_truth() -> None:
    of_truth = set()
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("producers.simulator"):
                imported = (node.module or "", *(alias.name for alias in node.names))
                of_truth |= {name} if any("truth" in one or "wear_labels" in one for one in imported) else set()
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("physics.wear", "conf.wear")):
                names = {alias.name for alias in node.names}
                of_truth |= {name} if names - NO_TRUTH and not name.startswith("physics/wear/") else set()
    assert of_truth <= SENDS | TRAINED_ON


def test_no_query_promotes_it() -> None:
    assert TRUTH in FAMILIES
    assert TRUTH not in PROMOTED
    assert TRUTH not in EVENT_FAMILIES
    assert (TRUTH.silver_query, TRUTH.tables) == ("", ())


def test_no_job_declares_it_as_a_source() -> None:
    """What a job reads it declares, and each run notes the versions of those tables and of no others."""
    sources = {*changed_rows.SOURCES, *(family.bronze for family in PROMOTED)}
    assert TRUTH.bronze not in sources
    assert not {name for name in sources if name.startswith("bronze.")} - {f.bronze for f in PROMOTED}
    assert TRUTH.bronze not in {*processor.TABLES, *processor.LAP_TABLES}


@pytest.mark.parametrize("name", [n for n in table_names() if n.startswith("silver.")] + list(processor.TABLES))
def test_no_table_of_samples_or_features_has_a_column_of_it(name: str) -> None:
    keys = {
        "session_id",
        "vehicle_id",
        "lap_number",
        "component",
        "time_us",
        "is_synthetic",
        "is_complete",
        "distance_km",
    }
    labels = set(load_contract("event.truth.v1").column_names) - keys
    assert not labels & set(load_contract(name).column_names)
