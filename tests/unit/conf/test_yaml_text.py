"""YAML read by libyaml says what PyYAML's own reader says."""

from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from conf.contract import contract_names
from conf.yaml_text import parse_yaml


@pytest.mark.parametrize("name", contract_names()[::8])
def test_a_contract_is_read_alike(name: str) -> None:
    text = (files("conf") / "contracts" / f"{name}.yaml").read_text(encoding="utf-8")
    assert parse_yaml(text) == yaml.safe_load(text)


def test_no_object_is_made_from_a_document() -> None:
    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        parse_yaml("!!python/object/apply:os.getcwd []")


def test_contracts_are_read_by_libyaml_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    if not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml.SafeLoader, "get_single_data", lambda _: pytest.fail("read in Python"))
    assert parse_yaml("laps: [1, 2]") == {"laps": [1, 2]}
