"""Contracts and channels: valid ODCS, one key each, and JSON schemas that our own messages meet."""

from __future__ import annotations

from importlib.resources import files

import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from conf.channel import load_channels
from conf.contract import ContractError, contract_names, json_schema, load_contract, parse_contract, table_names


def text_of(name: str) -> str:
    return (files("conf") / "contracts" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", contract_names())
def test_contract_is_odcs(name: str) -> None:
    contract = OpenDataContractStandard.from_string(text_of(name))
    assert contract.name == name
    assert contract.kind == "DataContract"


@pytest.mark.parametrize("name", table_names())
def test_table_has_a_key_and_every_number_a_unit_or_a_reason_for_none(name: str) -> None:
    contract = load_contract(name)
    assert contract.key
    assert len(set(contract.column_names)) == len(contract.columns)
    assert all(c.description for c in contract.columns)


def test_rule_names_are_unique_in_a_contract() -> None:
    for name in contract_names():
        rules = [r.name for _, r in load_contract(name).rules()]
        assert len(rules) == len(set(rules)), name


def test_every_channel_is_a_column_of_silver_with_its_unit() -> None:
    table = load_contract("silver.telemetry")
    for channel in load_channels().channels:
        column = table.column(channel.name)
        assert (column.physical_type, column.unit) == (channel.type, channel.unit)


def test_every_frame_array_is_a_channel() -> None:
    sent = load_channels().sources["slipstream"].channels
    arrays = {c.name for c in load_contract("event.frame.v1").columns if c.items} - {"t_us", "lap_number"}
    assert arrays == set(sent)


def test_unknown_key_is_refused() -> None:
    text = text_of("silver.sessions").replace("logicalType: string", "logicalTyp: string", 1)
    with pytest.raises(ContractError, match="logicalTyp"):
        parse_contract(text, "silver.sessions.yaml")


def test_unknown_type_is_refused() -> None:
    text = text_of("silver.sessions").replace("physicalType: BIGINT", "physicalType: LONG", 1)
    with pytest.raises(ContractError, match="LONG"):
        parse_contract(text, "silver.sessions.yaml")


def test_unknown_contract_names_those_that_exist() -> None:
    with pytest.raises(ContractError, match=r"silver\.telemetry"):
        load_contract("silver.nothing")


def test_json_schema_requires_the_key_fields() -> None:
    schema = json_schema(load_contract("event.frame.v1"))
    assert {"session_id", "vehicle_id", "t_us"} <= set(schema["required"])
    assert schema["properties"]["rpm"]["type"] == ["array", "null"]
    assert schema["properties"]["rpm"]["items"] == {"type": ["number", "null"]}
