"""What the registry holds: every version of every model, with what its run says of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from mlflow.exceptions import MlflowException

from analysis.statistics.bootstrap import Estimate, estimates_from_metrics
from conf.frozen import FrozenModel
from conf.plain_text import hide_passwords
from ml.model_in_use import PRODUCTION
from ml.tracking.run import FROZEN, HEADLINE, KIND, SHA256_OF, VERDICT
from ml.tracking.tracker import GIT_COMMIT, Tracker, TrackingError


class ReadTable(FrozenModel):
    """Rows of a table that a training read.

    Attributes:
        context: What they were for.
        table: Table of the lake.
        version: Its Delta version.
        query: SQL that gives the rows.
        rows: How many there were.
    """

    context: str
    table: str
    version: int | None
    query: str | None
    rows: int | None


class ModelVersion(FrozenModel):
    """A version of a registered model.

    Attributes:
        kind: Code that answers for it, ``None`` where an earlier training registered it.
        is_in_use: Whether ``production`` names it.
        registered_ts: When it was registered.
        page: Page of the run that trained it.
        commit: Commit of the code that trained it.
        headline: Metric that tells versions apart.
        verdict: Whether it came into use, and why.
        card: Its model card, Markdown.
        has_frozen: Whether its run keeps the rows that versions are compared on.
    """

    name: str
    version: str
    kind: str | None
    is_in_use: bool
    registered_ts: datetime
    run_id: str
    page: str
    commit: str | None
    headline: str | None
    verdict: str | None
    card: str
    has_frozen: bool
    params: dict[str, str]
    metrics: dict[str, float]
    datasets: tuple[ReadTable, ...]

    @property
    def figures(self) -> dict[str, Estimate]:
        """The metrics, each with its interval where there is one, the headline first."""
        found = estimates_from_metrics(self.metrics)
        return {name: found[name] for name in sorted(found, key=lambda name: (name != self.headline, name))}


def registered_names(tracker: Tracker) -> list[str]:
    """Names of all registered models."""
    return sorted(str(model.name) for model in tracker.client.search_registered_models(max_results=1000))


def list_versions(tracker: Tracker, name: str) -> list[ModelVersion]:
    """Versions of a model, the newest first.

    Raises:
        TrackingError: If there is no such model.
    """
    try:
        tracker.client.get_registered_model(name)
    except MlflowException as error:
        known = ", ".join(registered_names(tracker)) or "none yet: train one, see `slipstream train --help`"
        raise TrackingError(f"no model '{name}' at {hide_passwords(tracker.uri)}; there are: {known}") from error
    found = tracker.client.search_model_versions(f"name = '{name}'", max_results=1000)
    in_use = tracker.version_in_use(name)
    return [_describe(tracker, one, in_use) for one in sorted(found, key=lambda one: -int(one.version))]


def find_version(tracker: Tracker, name: str, version: str | None = None) -> ModelVersion:
    """A version of a model by its number, or by the alias that names it; without either the one in use.

    Raises:
        TrackingError: If there is none.
    """
    versions = list_versions(tracker, name)
    if version is None or version == PRODUCTION:
        found = [one for one in versions if one.is_in_use]
        what = "is in use"
    else:
        found = [one for one in versions if one.version == version]
        what = f"has the number {version}"
    if not found:
        known = ", ".join(one.version for one in versions) or "none"
        raise TrackingError(f"no version of '{name}' {what}; there are: {known}")
    return found[0]


def _describe(tracker: Tracker, version: Any, in_use: str | None) -> ModelVersion:
    run = tracker.client.get_run(version.run_id)
    return ModelVersion(
        name=version.name,
        version=str(version.version),
        kind=version.tags.get(KIND),
        is_in_use=str(version.version) == in_use,
        registered_ts=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        run_id=version.run_id,
        page=tracker.page_of(run.info.experiment_id, run.info.run_id),
        commit=run.data.tags.get(GIT_COMMIT),
        headline=version.tags.get(HEADLINE),
        verdict=version.tags.get(VERDICT),
        card=version.description or "",
        has_frozen=f"{SHA256_OF}{FROZEN}" in run.data.tags,
        params=dict(run.data.params),
        metrics={name: value for name, value in run.data.metrics.items() if not name.startswith("system/")},
        datasets=tuple(_read_table(one) for one in run.inputs.dataset_inputs),
    )


def _read_table(logged: Any) -> ReadTable:
    source, profile = (json.loads(text or "{}") for text in (logged.dataset.source, logged.dataset.profile))
    context = next((tag.value for tag in logged.tags if tag.key == "mlflow.data.context"), "")
    return ReadTable(
        context=context,
        table=logged.dataset.name,
        version=source.get("delta_table_version"),
        query=source.get("query"),
        rows=profile.get("rows"),
    )
