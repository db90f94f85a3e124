"""Aggressive or even driving from labelled OBD trips, judged on whole trips held out.

What the data hold, found by looking and checked on every run (`TripFacts`):

- The files are not in time order; `order.py` restores it without looking at a label.
- In that order the label is all but a threshold on V22's `rpm_std`: the standard deviation of engine speed over the
  last 20 rows alone, above about 400 rpm, reaches AUC 0.995 or more on each trip. A recipe with the right window
  recovers how the trips were labelled. That is no proof that it would agree with a passenger's judgement.
- `NO_ENGINE_SPEED` says what load, manifold pressure, speed and acceleration know without engine speed.

Road surface and traffic are an observer's notes, not something a car sends, and are never features.
"""

from ml.style.obd.evaluate import evaluate_recipes, random_split, trip_facts
from ml.style.obd.figures import along_trip_figure, label_rule_figure, random_vs_held_out_figure, roc_pr_figure
from ml.style.obd.model import (
    BASELINE,
    BETTER,
    CHOSEN_WINDOW,
    LADDER,
    NO_ENGINE_SPEED,
    TIME_ORDER,
    FittedObd,
    Recipe,
    fit_obd,
    score_trip,
)
from ml.style.obd.order import TripOrder, order_agreement, restore_order
from ml.style.obd.reader import ObdTrip, TripFormatError, read_trip, read_trips
from ml.style.obd.report import HeldOutScore, ObdReport, RandomSplit, RecipeGain, TripFacts

__all__ = [
    "BASELINE",
    "BETTER",
    "CHOSEN_WINDOW",
    "LADDER",
    "NO_ENGINE_SPEED",
    "TIME_ORDER",
    "FittedObd",
    "HeldOutScore",
    "ObdReport",
    "ObdTrip",
    "RandomSplit",
    "Recipe",
    "RecipeGain",
    "TripFacts",
    "TripFormatError",
    "TripOrder",
    "along_trip_figure",
    "evaluate_recipes",
    "fit_obd",
    "label_rule_figure",
    "order_agreement",
    "random_split",
    "random_vs_held_out_figure",
    "read_trip",
    "read_trips",
    "restore_order",
    "roc_pr_figure",
    "score_trip",
    "trip_facts",
]
