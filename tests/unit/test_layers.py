"""The guards that name packages name all of them, and CONTRIBUTING's table is made of the import layers."""

from __future__ import annotations

import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
NOT_PACKAGES = {"benchmarks", "docs", "tests"}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = spec_from_file_location("generate_packages", REPO / "docs" / "generate_packages.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_packages_is_that_of_the_layers(generator: ModuleType) -> None:
    assert generator.TARGET.read_text(encoding="utf-8") == generator.render(), "run `make tables`"


def test_every_package_has_a_layer_and_is_built_and_checked(generator: ModuleType) -> None:
    folders = {path.parent.name for path in REPO.glob("*/__init__.py")} - NOT_PACKAGES
    assert {name for layer in generator.import_layers() for name in layer} == folders
    assert set(PROJECT["importlinter"]["root_packages"]) == folders
    assert set(PROJECT["mypy"]["packages"]) == folders
    assert set(PROJECT["hatch"]["build"]["targets"]["wheel"]["packages"]) == folders


def test_a_page_without_the_marks_is_refused(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.md").write_text("# Contributing\n")
    monkeypatch.setattr(generator, "TARGET", tmp_path / "page.md")
    with pytest.raises(ValueError, match="must have the lines"):
        generator.render()
