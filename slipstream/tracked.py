"""What every job that learns or draws needs: a lake on Spark, and the server that tracks runs and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.io import Lake
    from ml.tracking import Tracker


def open_tracked(job: str) -> tuple[Lake, Tracker]:
    """The lake, and the tracker; a server that does not answer is said before Spark starts.

    Args:
        job: Name of the job, as Spark shows it.
    """
    from conf.settings import get_settings
    from infra.local.stack import endpoints
    from medallion.session import open_lake
    from ml.tracking import Tracker

    settings = get_settings()
    tracker = Tracker(endpoints(settings).tracking_uri)
    return open_lake(settings, f"slipstream-{job}"), tracker
