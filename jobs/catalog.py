"""The batch jobs: what ``docs/cluster.md`` lists, and what tests hold to one form."""

from __future__ import annotations

from typing import Final

from jobs import (
    assign_track,
    build_track,
    calibrate_track,
    coach_lap,
    compare_laps,
    maintenance,
    score_karma,
    score_style,
    segment_tracks,
    synthesize_ghost,
    train_ghost,
    train_karma,
    train_obd,
    train_style,
)
from jobs.job import Job

BATCH_JOBS: Final[tuple[Job, ...]] = (
    build_track.JOB,
    assign_track.JOB,
    calibrate_track.JOB,
    compare_laps.JOB,
    coach_lap.JOB,
    train_style.JOB,
    train_obd.JOB,
    score_style.JOB,
    train_karma.JOB,
    score_karma.JOB,
    segment_tracks.JOB,
    train_ghost.JOB,
    synthesize_ghost.JOB,
    maintenance.JOB,
)
