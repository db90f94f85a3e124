"""Turn a table name into its place, and say how to reach it: the only code that knows the lake's layout."""

from __future__ import annotations

from conf.errors import InputError
from conf.settings import AppConfig, get_settings


def table_uri(name: str, settings: AppConfig | None = None) -> str:
    """URI of a table, e.g. ``silver.telemetry`` -> ``<lake>/silver/telemetry``.

    Args:
        name: ``layer.table``.
        settings: Settings to resolve against; the process-wide ones by default.

    Raises:
        InputError: If ``name`` is not of the form ``layer.table``.
    """
    layer, dot, table = name.partition(".")
    if not (dot and layer and table) or "." in table or "/" in name:
        raise InputError(f"'{name}' is not a table name of the form layer.table, such as silver.telemetry")
    return f"{(settings or get_settings()).lake_root}/{layer}/{table}"


def checkpoint_uri(query: str, settings: AppConfig | None = None) -> str:
    """URI of a streaming query's checkpoint."""
    return f"{(settings or get_settings()).checkpoints_dir}/{query}"


def storage_options(settings: AppConfig) -> dict[str, str] | None:
    """Options of the object store that holds the lake; ``None`` for a local folder.

    Without an account key the store's own credentials are used (managed identity, environment).
    """
    if not settings.azure_storage_account:
        return None
    options = {"azure_storage_account_name": settings.azure_storage_account}
    if settings.azure_storage_key:
        options["azure_storage_account_key"] = settings.azure_storage_key.get_secret_value()
    return options
