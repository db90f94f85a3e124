"""Wear beside the layers: scored once a model is in use; until then laps wait, and nothing of models is loaded."""

from __future__ import annotations

from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from infra.local.stack import find_endpoints
from medallion.changes import TableChanges
from medallion.io import Lake
from medallion.provenance import JobRun
from ml.karma import MODEL
from ml.model_in_use import is_model_in_use
from streaming.follow import Step, TableFollower
from streaming.query import Trigger

NAME = "karma"
OUTPUTS = (GOLD_KARMA_SCORES, GOLD_KARMA_LATEST)
TABLES = (GOLD_LAP_FEATURES, *OUTPUTS)


def follow_features(lake: Lake, step: Step, trigger: Trigger) -> TableFollower:
    """A follower of ``gold.lap_features``, not started."""
    return TableFollower(lake, NAME, (GOLD_LAP_FEATURES,), step, trigger, instead_of=(NAME,))


def start_karma_beside(lake: Lake, run: JobRun, trigger: Trigger) -> TableFollower:
    """Start to follow ``gold.lap_features``, with or without a model.

    Args:
        lake: Where the tables are.
        run: Run of the job that it is part of.
        trigger: When to run.
    """
    lake.ensure_all(TABLES)
    scoring: list[Step] = []

    def score(changes: TableChanges) -> bool | None:
        if not is_model_in_use(find_endpoints(lake.settings).tracking_uri, MODEL):
            return False
        if not scoring:
            from streaming.karma import WearScoring

            scoring.append(WearScoring(lake, JobRun(NAME, run.run_id)))
        return scoring[0](changes)

    return follow_features(lake, score, trigger).start()
