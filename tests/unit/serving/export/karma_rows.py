"""Rows of ``gold.karma_scores`` to read and to push."""

from __future__ import annotations

from typing import Any

START_US = 1_757_160_000_000_000  # 2025-09-06 12:00:00 UTC
COMPONENTS = ("brakes", "engine", "overall")


def score(session: str, vehicle: str, lap: int, component: str, **columns: Any) -> dict[str, Any]:
    """A row; columns left out are null, as a scan has them."""
    row: dict[str, Any] = dict.fromkeys(
        ("karma_low", "karma_high", "trend", "remaining_laps_low", "remaining_laps_high", "not_scored_reason")
    )
    return (
        row
        | {
            "session_id": session,
            "vehicle_id": vehicle,
            "lap_number": lap,
            "component": component,
            "karma_score": 60.0 + lap,
            "lap_damage": 1e-4,
            "cumulative_damage": lap * 1e-4,
            "remaining_laps": 900.0,
            "top_factors": [{"feature": "energy_kj", "contribution": 12.5}, {"feature": "jerk", "contribution": -3.0}],
            "factors_text": "harder braking +12 %",
            "missing_inputs": [],
            "applicability": 1.0,
            "outside_inputs": ["rpm"],
            "lap_end_ts": START_US + lap * 100_000_000,
            "is_synthetic": False,
            "model_version": "3",
            "algorithm": "random_forest",
        }
        | columns
    )


def race(session: str = "r1", vehicles: tuple[str, ...] = ("A-1", "B-2"), laps: int = 4, **columns: Any) -> list[Any]:
    """Scores of a race."""
    return [
        score(session, vehicle, lap, component, **columns)
        for vehicle in vehicles
        for lap in range(1, laps + 1)
        for component in COMPONENTS
    ]
