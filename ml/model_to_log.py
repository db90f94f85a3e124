"""What is handed to the tracker to become a registered model, and what it learned from; without MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a model takes or gives.

    Attributes:
        name: Of the column, with the unit in it.
        type: ``doubles`` is a list of numbers in each row.
        is_required: Whether it must be there, without nulls.
    """

    name: str
    type: Literal["double", "long", "string", "doubles"] = "double"
    is_required: bool = True


@dataclass(frozen=True)
class ModelToLog:
    """A model as data files, the code that reads them, and what goes in and comes out.

    Attributes:
        code: Module of ``ml/served`` that answers; the only code that is kept with the model.
        files: ONNX, skops, npz, JSON or tensors, by path: nothing that runs when it is read.
        inputs: Columns that it takes.
        outputs: Columns that it gives, a row for each row taken.
        example: A few rows to try it on.
        params: What a caller may set, with the values that hold otherwise.
        packages: What the code needs, beside this package itself.
    """

    code: str
    files: Mapping[str, bytes]
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    example: pd.DataFrame
    params: Mapping[str, float | int | str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrackedDataset:
    """Rows of a table that a run read: enough to read the same again.

    Attributes:
        table: Table of the lake.
        version: Its Delta version.
        uri: Where it lies.
        where: Condition that its rows meet, in SQL.
        digest: Of the content.
        context: What the rows are for, such as ``training`` or ``testing``.
        rows: How many there are.
        columns: Their columns, as far as a model learns from them.
    """

    table: str
    version: int | None
    uri: str
    where: str
    digest: str
    context: str
    rows: int
    columns: tuple[Column, ...] = ()

    @property
    def query(self) -> str:
        """SQL that gives the rows."""
        return f"select * from {self.table} where {self.where}"  # noqa: S608 - a note on what was read, not run here
