"""DPTAD: driver performance and telemetry anomaly detection on one lap (B12-B18, BX3-BX9).

``analyse_lap`` scores a lap, finds its incidents and says what they cost; ``calibrate_thresholds`` learns
from laps of a track what is usual there.
"""

from analysis.dptad.analysis import LapAnalysis, analyse_lap
from analysis.dptad.calibrate import calibrate_thresholds
from analysis.dptad.events import DptadEvent
from analysis.dptad.insights import DptadInsight
from analysis.dptad.rules import CATEGORIES, RULES, Category, EventType
from analysis.dptad.scores import CategoryScore
from analysis.dptad.thresholds import Thresholds, threshold_unit

__all__ = [
    "CATEGORIES",
    "RULES",
    "Category",
    "CategoryScore",
    "DptadEvent",
    "DptadInsight",
    "EventType",
    "LapAnalysis",
    "Thresholds",
    "analyse_lap",
    "calibrate_thresholds",
    "threshold_unit",
]
