"""Errors have one base; whatever does not inherit from it is a fault of ours and listed here."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel, PositiveInt

from conf.errors import InputError, SlipstreamError, check_input

ROOT = Path(__file__).parents[3]

FAULTS_OF_OURS = {
    "ReconciliationError": "silver lost or doubled a unit of a batch: nothing that a user gives can do that",
    "LeakError": "our own split put one vehicle on both sides",
}


def _error_classes() -> list[tuple[str, str, list[str]]]:
    """Place, name and bases of every class of the packages that is called an error."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = []
    for package in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Exception")):
                    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
                    found.append((f"{path.relative_to(ROOT)}:{node.lineno}", node.name, bases))
    return found


ERRORS = _error_classes()
BASES = {name: bases for _, name, bases in ERRORS}


def _is_mendable(name: str) -> bool:
    return name == SlipstreamError.__name__ or any(_is_mendable(base) for base in BASES.get(name, ()))


@pytest.mark.parametrize(("place", "name"), [error[:2] for error in ERRORS], ids=lambda text: text)
def test_an_error_is_the_users_to_mend_or_listed_as_a_fault_of_ours(place: str, name: str) -> None:
    assert _is_mendable(name) != (name in FAULTS_OF_OURS), (
        f"{place}: {name} inherits from SlipstreamError (conf/errors.py) if the user can mend it, else it is listed "
        "in FAULTS_OF_OURS with the reason, and not both"
    )


def test_no_name_stands_for_two_errors() -> None:
    assert [name for name, n in Counter(name for _, name, _ in ERRORS).items() if n > 1] == []


def test_listed_faults_exist() -> None:
    assert BASES.keys() >= FAULTS_OF_OURS.keys()


class Car(BaseModel):
    n_gears: PositiveInt
    name: str = "gr86-cup"


def test_wrong_fields_are_named_without_what_was_given() -> None:
    with pytest.raises(InputError) as error, check_input("conf/vehicles/car.yaml"):
        Car.model_validate({"n_gears": "secret", "name": 3})
    assert str(error.value) == (
        "conf/vehicles/car.yaml: n_gears: Input should be a valid integer, unable to parse string as an integer; "
        "name: Input should be a valid string"
    )


def test_the_models_name_stands_for_the_file() -> None:
    with pytest.raises(InputError, match=r"^Car: n_gears: Input should be greater than 0$"), check_input():
        Car(n_gears=0)


def test_only_wrong_fields_are_the_users() -> None:
    with pytest.raises(KeyError), check_input():
        {}["gone"]
