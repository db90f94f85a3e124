"""Contracts: one file per table and event, in the Open Data Contract Standard's form, loaded once and frozen.

From a contract come the producers' JSON schema, the Spark schema, the gate's row rules, the Great Expectations
suite, and the Delta properties and comments. Keys this loader does not know are an error, so that a typo cannot vanish.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

import yaml
from pydantic import ConfigDict, Field

from conf.errors import InputError, NewerContractError
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml

Severity = Literal["quarantine", "warn"]
VERSION_PROPERTY: Final = "slipstream.contract.version"
"""Table property that says under which version of its contract a table was written."""
ROWS_PROPERTY: Final = "slipstream.rows.version"
"""Table property that says of which version of its contract all rows of a table are, at least."""
CHECKPOINT_INTERVAL: Final = {"delta.checkpointInterval": "50"}
"""Commits from one checkpoint of a table's log to the next: Delta's 10 are most of what small commits cost."""


class ContractError(InputError):
    """A contract file is missing or does not say what it must."""


class _ContractPart(FrozenModel):
    model_config = ConfigDict(populate_by_name=True)


class CustomProperty(_ContractPart):
    """A named extra, e.g. the unit of a column."""

    property: str
    value: str


class Implementation(_ContractPart):
    """A Great Expectations expectation: its type and keyword arguments (without the column)."""

    type: str
    kwargs: dict[str, Any] = Field(default_factory=dict)


class ContractRule(_ContractPart):
    """A row rule of one column.

    Attributes:
        name: Identifier; the reason that a refused row carries.
        severity: ``quarantine`` refuses the row, ``warn`` keeps it and notes the rule in ``dq_warnings``.
        implementation: The expectation; it compiles to a Spark column as well.
    """

    name: str
    type: Literal["custom"]
    engine: Literal["greatExpectations"]
    dimension: str
    severity: Severity
    description: str
    implementation: Implementation

    @property
    def asks_for_presence(self) -> bool:
        """Whether a missing value breaks it."""
        return self.implementation.type == "expect_column_values_to_not_be_null"


class Items(_ContractPart):
    """Element of an array column."""

    logical_type: str = Field(alias="logicalType")
    physical_type: str = Field(alias="physicalType")


class Column(_ContractPart):
    """One column (or event field)."""

    name: str
    logical_type: str = Field(alias="logicalType")
    physical_type: str = Field(alias="physicalType")
    required: bool = False
    primary_key: bool = Field(False, alias="primaryKey")
    primary_key_position: int | None = Field(None, alias="primaryKeyPosition")
    partitioned: bool = False
    partition_key_position: int | None = Field(None, alias="partitionKeyPosition")
    description: str
    items: Items | None = None
    custom_properties: tuple[CustomProperty, ...] = Field((), alias="customProperties")
    quality: tuple[ContractRule, ...] = ()

    @property
    def unit(self) -> str | None:
        """Unit of the values, ``None`` where they have none."""
        return next((p.value for p in self.custom_properties if p.property == "unit"), None)

    @property
    def comment(self) -> str:
        """The comment a table shows: description and unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


class Contract(_ContractPart):
    """A table or event: its columns, keys, rules and properties."""

    name: str
    version: str
    kind: Literal["table", "message"]
    description: str
    columns: tuple[Column, ...]
    properties: dict[str, str] = Field(default_factory=dict)

    @property
    def layer(self) -> str:
        """``bronze``, ``silver``, ``gold``, ``ops`` or ``event``."""
        return self.name.partition(".")[0]

    @property
    def key(self) -> tuple[str, ...]:
        """Primary key columns in order."""
        keys = [c for c in self.columns if c.primary_key]
        return tuple(c.name for c in sorted(keys, key=lambda c: c.primary_key_position or 0))

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """Partition columns in order."""
        parts = [c for c in self.columns if c.partitioned]
        return tuple(c.name for c in sorted(parts, key=lambda c: c.partition_key_position or 0))

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    @property
    def filled_by(self) -> str | None:
        """The command that fills a table, e.g. ``slipstream stream silver``; ``None`` for an event."""
        return self.properties.get("filledBy")

    @property
    def same_rows_since(self) -> str | None:
        """The version since which rows are made as they are now; ``None`` where they always were."""
        return self.properties.get("sameRowsSince")

    def has_stale_rows(self, rows_of: str | None) -> bool:
        """Whether a table may have rows that would be made otherwise now.

        Args:
            rows_of: Its ``ROWS_PROPERTY``; ``None`` where it has none, as tables of the first releases.

        Raises:
            ContractError: If it is not a version.
        """
        since = self.same_rows_since
        if since is None or rows_of is None:
            return since is not None
        return _minor_version(rows_of, f"table {self.name}: property {ROWS_PROPERTY}") < _minor_version(since)

    @property
    def table_properties(self) -> dict[str, str]:
        """Delta table properties, with the contract's name and version among them."""
        delta = {k: v for k, v in self.properties.items() if k.startswith("delta.")}
        return CHECKPOINT_INTERVAL | delta | {"slipstream.contract": self.name, VERSION_PROPERTY: self.version}

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            ContractError: If there is none.
        """
        for col in self.columns:
            if col.name == name:
                return col
        raise ContractError(f"contract {self.name} has no column '{name}'; it has {', '.join(self.column_names)}")

    def rules(self, severity: Severity | None = None) -> tuple[tuple[str, ContractRule], ...]:
        """(column, rule) pairs, of one severity or all."""
        pairs = ((c.name, r) for c in self.columns for r in c.quality)
        return tuple((c, r) for c, r in pairs if severity is None or r.severity == severity)


_DDL = re.compile(r"^(STRING|DOUBLE|INT|BIGINT|BOOLEAN|TIMESTAMP|DATE|BINARY|(ARRAY|MAP|STRUCT)<.+>)$")


def parse_contract(text: str, origin: str) -> Contract:
    """Parse the text of a contract file.

    Args:
        text: ODCS v3 YAML with exactly one schema object.
        origin: File name, for error messages.

    Raises:
        ContractError: If a required key is missing, a key is unknown, or a type is not one of ours.
    """
    try:
        doc = parse_yaml(text)
        (schema,) = doc["schema"]
        extras = schema.get("customProperties", [])
        contract = Contract(
            name=doc["name"],
            version=str(doc["version"]),
            kind=schema["physicalType"],
            description=schema["description"],
            columns=tuple(Column.model_validate(p) for p in schema["properties"]),
            properties={p["property"]: str(p["value"]) for p in extras},
        )
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ContractError(f"{origin}: not a contract this version understands: {error}") from error
    for col in contract.columns:
        if not _DDL.match(col.physical_type):
            raise ContractError(f"{origin}: column {col.name} has unknown physicalType '{col.physical_type}'")
    return contract


@lru_cache
def load_contract(name: str) -> Contract:
    """Load a contract by name, e.g. ``silver.telemetry`` or ``event.frame.v1``.

    Raises:
        ContractError: If there is no such contract.
    """
    path = files("conf") / "contracts" / f"{name}.yaml"
    if not path.is_file():
        raise ContractError(f"no contract '{name}'; known: {', '.join(contract_names())}")
    return parse_contract(path.read_text(encoding="utf-8"), path.name)


@lru_cache
def contract_names() -> tuple[str, ...]:
    """Names of all contracts, tables and events."""
    entries = (files("conf") / "contracts").iterdir()
    return tuple(sorted(e.name.removesuffix(".yaml") for e in entries if e.name.endswith(".yaml")))


def table_names() -> tuple[str, ...]:
    """Names of all tables."""
    return tuple(n for n in contract_names() if not n.startswith("event."))


def rules_by_name() -> dict[str, ContractRule]:
    """Rules of all contracts, by their names."""
    return {rule.name: rule for name in contract_names() for _, rule in load_contract(name).rules()}


def _minor_version(text: str, where: str = "a contract's version") -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", text)
    if not match:
        raise ContractError(f"{where} is '{text}', not a version such as 1.0.0")
    return int(match[1]), int(match[2])


def check_contract_version(contract: Contract, written: str | None, uri: str) -> None:
    """Refuse a table that was written under a newer contract: of another major or a later minor version.

    Args:
        contract: The table's contract as this version knows it.
        written: Version that the table says it was written under; ``None`` where it does not say.
        uri: Where the table is, for the message.

    Raises:
        NewerContractError: If the table's contract is newer.
        ContractError: If what the table says is not a version.
    """
    if written is None:
        return
    if _minor_version(written, f"table {contract.name} at {uri}: property {VERSION_PROPERTY}") > _minor_version(
        contract.version
    ):
        raise NewerContractError(
            f"table {contract.name} at {uri} was written by contract {written}, this version knows {contract.version}: "
            "upgrade slipstream-lake to the release that wrote it (pip install --upgrade slipstream-lake), or point "
            "SLIPSTREAM_HOME at another lake"
        )


_JSON_TYPES = {"STRING": "string", "DOUBLE": "number", "INT": "integer", "BIGINT": "integer", "BOOLEAN": "boolean"}


def _json_type(physical: str, required: bool) -> Any:
    kind = _JSON_TYPES[physical]
    return kind if required else [kind, "null"]


def json_schema(contract: Contract) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of an event's value, for producers in any language."""
    properties: dict[str, Any] = {}
    for col in contract.columns:
        if col.items is not None:
            element = {"type": _json_type(col.items.physical_type, required=col.required)}
            field: dict[str, Any] = {"type": "array" if col.required else ["array", "null"], "items": element}
        else:
            field = {"type": _json_type(col.physical_type, col.required)}
        properties[col.name] = field | {"description": col.comment}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{contract.name} {contract.version}",
        "description": contract.description,
        "type": "object",
        "properties": properties,
        "required": [c.name for c in contract.columns if c.required],
    }
