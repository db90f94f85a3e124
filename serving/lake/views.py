"""``analysis.*``: questions that analysts ask, each a file of SQL over the tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

SCHEMA: Final = "analysis"
_FOLDER: Final = Path(__file__).parent / "views"


@cache
def view_names() -> tuple[str, ...]:
    """Names of the views, as ``analysis.view``, sorted."""
    return tuple(sorted(f"{SCHEMA}.{path.stem}" for path in _FOLDER.glob("*.sql")))


@cache
def view_sql(name: str) -> str:
    """The query of a view."""
    return (_FOLDER / f"{name.removeprefix(f'{SCHEMA}.')}.sql").read_text(encoding="utf-8")


def view_question(name: str) -> str:
    """The question that a view answers, in words."""
    return view_sql(name).splitlines()[0].removeprefix("-- ")
