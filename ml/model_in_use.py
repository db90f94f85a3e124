"""Whether a model is in use, asked of the tracking server without its client, whose import takes seconds."""

from __future__ import annotations

import urllib.parse
from typing import Final

from infra.tracking_server import NOT_ANSWERED, ask_server

PRODUCTION: Final = "production"
"""Alias of the version in use."""
_ALIAS = "/api/2.0/mlflow/registered-models/alias"


def is_model_in_use(tracking_uri: str, name: str) -> bool:
    """Whether a registered model has a version in use; not so where no server answers.

    Args:
        tracking_uri: The server, or a ``sqlite:///`` store.
        name: Of the registered model.
    """
    if not tracking_uri.startswith("http"):
        from ml.tracking import Tracker

        return Tracker(tracking_uri).version_in_use(name) is not None
    query = urllib.parse.urlencode({"name": name, "alias": PRODUCTION})
    try:
        with ask_server(tracking_uri, f"{_ALIAS}?{query}"):
            return True
    except NOT_ANSWERED:
        return False
