"""YAML as data, read by libyaml where PyYAML was built with it: the contracts alone take it a second less."""

from __future__ import annotations

from typing import Any, Final

import yaml

_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def parse_yaml(text: str) -> Any:
    """What a document says, as plain data.

    Raises:
        yaml.YAMLError: If it is not YAML.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
