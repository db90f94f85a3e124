"""Write the table of packages in CONTRIBUTING.md from the import layers of pyproject.toml: run ``make tables``."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
TARGET = REPO / "CONTRIBUTING.md"
BEGIN = "<!-- Written by docs/generate_packages.py from pyproject.toml's layers. Do not edit: `make tables`. -->\n"
END = "<!-- end -->\n"


def import_layers() -> list[list[str]]:
    """The packages of each layer, from the one that may import all others down to the one that imports none."""
    contracts = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in layers]


def render_table() -> str:
    """The table: a line for each package, with the first line of its docstring."""
    rows = [
        f"| {number} | `{name}/` | {_meaning(name)} |"
        for number, layer in enumerate(import_layers(), start=1)
        for name in layer
    ]
    return "\n".join(["| layer | package | what it holds |", "|---|---|---|", *rows]) + "\n"


def render() -> str:
    """The page with its table made anew.

    Raises:
        ValueError: If the page lacks one of the two comments that the table stands between.
    """
    page = TARGET.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{TARGET} must have the lines {BEGIN.strip()!r} and {END.strip()!r} around its table")
    return f"{before}{BEGIN}\n{render_table()}\n{END}{after}"


def _meaning(package: str) -> str:
    module = ast.parse((REPO / package / "__init__.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(module) or "").splitlines()[0].replace("``", "`").removesuffix(".")


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
