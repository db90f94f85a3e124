"""What a simulation is asked to do: frozen, unknown keys are an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from producers.simulator.drivers import PROFILE_NAMES, ProfileName

LOST_LAP = 32768
"""Lap number that a car sends while its counter is lost."""


class FaultConfig(BaseModel):
    """What goes wrong between the car and the logger; zero switches a fault off.

    Attributes:
        noise: Size of the sensor noise, 1 is typical.
        dropout_share: Share of measured values missing, in bursts.
        duplicate_share: Share of frames sent a second time, byte for byte.
        repeat_share: Share of samples that stand twice in their frame, equal.
        conflict_share: Share of samples that stand twice in their frame with another speed.
        late_share: Share of frames delivered late, after their successors, in bursts.
        late_max_s: Longest such delay.
        clock_offset_max_s: A car's clock is off by up to this, either way.
        clock_drift_ppm: A car's clock runs fast or slow by up to this.
        clock_step_probability: Chance that a car's clock jumps once in the run, by up to ``clock_step_max_s``.
        lost_lap_counter_share: Share of laps in which the counter is lost from some point to the line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    noise: float = Field(1.0, ge=0.0, le=10.0)
    dropout_share: float = Field(0.004, ge=0.0, le=0.5)
    duplicate_share: float = Field(0.01, ge=0.0, le=0.5)
    repeat_share: float = Field(0.01, ge=0.0, le=0.5)
    conflict_share: float = Field(0.002, ge=0.0, le=0.5)
    late_share: float = Field(0.03, ge=0.0, le=0.5)
    late_max_s: float = Field(30.0, ge=0.0)
    clock_offset_max_s: float = Field(172_800.0, ge=0.0)
    clock_drift_ppm: float = Field(20.0, ge=0.0, le=1000.0)
    clock_step_probability: float = Field(0.0, ge=0.0, le=1.0)
    clock_step_max_s: float = Field(120.0, ge=0.0)
    lost_lap_counter_share: float = Field(0.08, ge=0.0, le=1.0)

    @classmethod
    def none(cls) -> Self:
        """No fault at all: what the car measures is what arrives, in order, at once."""
        return cls(**dict.fromkeys(cls.model_fields, 0.0))


class SimulatorConfig(BaseModel):
    """One session of simulated cars.

    Attributes:
        session_id: Key of the session in every message.
        track: Name of a file in ``conf/tracks``.
        vehicle: Name of a file in ``conf/vehicles``.
        n_cars: Size of the grid.
        n_laps: Laps each car drives; or ``duration_s`` instead.
        duration_s: Length of the session in seconds.
        rate_hz: Samples per second.
        samples_per_frame: Samples sent together.
        profiles: Weight of each driver profile in the grid.
        seed: Fixes everything random.
        start_time: True time of the first sample of the first car.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    session_id: str = Field("sim-session", min_length=1)
    track: str = "three-oaks"
    vehicle: str = "gr86-cup"
    n_cars: int = Field(4, ge=1, le=98)
    n_laps: int | None = Field(None, ge=1, le=200)
    duration_s: float | None = Field(None, gt=0, le=86_400)
    rate_hz: float = Field(30.0, ge=10.0, le=50.0)
    samples_per_frame: int = Field(30, ge=1, le=3000)
    profiles: dict[ProfileName, float] = Field(default_factory=lambda: dict.fromkeys(PROFILE_NAMES, 1.0))
    seed: int = Field(0, ge=0)
    start_time: AwareDatetime = datetime(2025, 9, 6, 18, 0, tzinfo=UTC)
    ambient_temp_c: float = Field(24.0, ge=-30, le=55)
    track_temp_c: float = Field(33.0, ge=-30, le=80)
    faults: FaultConfig = Field(default_factory=FaultConfig)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.n_laps is None) == (self.duration_s is None):
            raise ValueError("give n_laps or duration_s, one of them")
        if any(weight < 0 for weight in self.profiles.values()) or not sum(self.profiles.values()) > 0:
            raise ValueError("profiles needs a weight above zero and none below")
        return self
