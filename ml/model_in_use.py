"""Whether a model is in use, asked of the tracking server without its client, whose import takes seconds."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from typing import Final

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
        with urllib.request.urlopen(f"{tracking_uri.rstrip('/')}{_ALIAS}?{query}", timeout=5):  # noqa: S310 - the user's
            return True
    except (urllib.error.URLError, OSError):
        return False
