"""What a simulation is asked to do: frozen, unknown keys are an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from conf.frozen import FrozenModel
from conf.identifiers import check_identifier
from conf.wear import CarFaultKind
from producers.simulator.cars.driver_styles import PROFILE_NAMES, ProfileName

LOST_LAP = 32768
"""Lap number that a car sends while its counter is lost."""
FEWEST_RACE_LAPS = 4
"""A race with incidents on the track is at least this long."""


class DataFaults(FrozenModel):
    """Faults between the car and the logger; zero switches a fault off.

    Attributes:
        noise: Size of the sensor noise, 1 is typical.
        dropout_share: Share of measured values missing, in bursts.
        full_scale_share: Share of samples in which a sensor that lost its contact reads full scale, in bursts: speed,
            engine speed or brake pressure that cannot be.
        duplicate_share: Share of frames sent a second time, byte for byte.
        repeat_share: Share of samples that stand twice in their frame, equal.
        conflict_share: Share of samples that stand twice in their frame with another speed.
        late_share: Share of frames delivered late, after their successors, in bursts.
        late_max_s: Longest such delay.
        clock_offset_max_s: A car's clock is off by up to this, either way.
        clock_drift_ppm: A car's clock runs fast or slow by up to this.
        clock_step_probability: Chance that a car's clock jumps once in the run, by up to ``clock_step_max_s``.
        lost_lap_counter_share: Share of laps in which the counter is lost from some point to the line.
        timing_lag_s: The timing feed dates a crossing late by this, give or take half of it.
        timing_delay_s: Its events arrive late by this at the median, with a long tail.
        timing_repeat_share: Share of crossings that it reports again within a second.
        timing_lost_lap_share: Share of crossings that it reports without knowing the lap.
        timing_missing_share: Share of its events that never come.
        loop_missing_share: Share of cars that the official timing misses at a loop away from the line; the times on
            both sides of the loop are then missing.
        number_only_share: Share of cars that the official timing and the results know by number, not by vehicle id.
    """

    noise: float = Field(1.0, ge=0.0, le=10.0)
    dropout_share: float = Field(0.004, ge=0.0, le=0.5)
    full_scale_share: float = Field(0.0, ge=0.0, le=0.5)
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
    timing_lag_s: float = Field(0.2, ge=0.0, le=5.0)
    timing_delay_s: float = Field(1.3, ge=0.0, le=60.0)
    timing_repeat_share: float = Field(0.08, ge=0.0, le=1.0)
    timing_lost_lap_share: float = Field(0.03, ge=0.0, le=1.0)
    timing_missing_share: float = Field(0.01, ge=0.0, le=1.0)
    loop_missing_share: float = Field(0.005, ge=0.0, le=1.0)
    number_only_share: float = Field(1.0, ge=0.0, le=1.0)

    @classmethod
    def none(cls) -> Self:
        """No fault at all: what the car measures is what arrives, in order, at once."""
        return cls(**dict.fromkeys(cls.model_fields, 0.0))


class RaceIncidents(FrozenModel):
    """What happens in a race besides driving; nothing does unless it is asked for.

    Attributes:
        full_course_yellows: Periods in which all cars drive slowly and under the yellow flag.
        pit_stop_share: Share of cars that come in once.
        pit_stand_s: About how long such a car stands.
        retirement_share: Share of cars that stop somewhere and send no more.
        renumbered_share: Share of cars entered under another number than their vehicle id and their messages say.
        track_limits_share: Share of laps deleted for track limits.
        chequered_flag: A car's race ends when it next crosses the line after the winner; without it each car drives
            all laps.
    """

    full_course_yellows: int = Field(0, ge=0, le=3)
    pit_stop_share: float = Field(0.0, ge=0.0, le=1.0)
    pit_stand_s: float = Field(22.0, ge=1.0, le=600.0)
    retirement_share: float = Field(0.0, ge=0.0, le=1.0)
    renumbered_share: float = Field(0.0, ge=0.0, le=1.0)
    track_limits_share: float = Field(0.0, ge=0.0, le=1.0)
    chequered_flag: bool = False

    @classmethod
    def with_incidents(cls) -> Self:
        """An ordinary race: one yellow, a few stops, a retirement among twenty cars, an entry under another number."""
        return cls(
            full_course_yellows=1,
            pit_stop_share=0.15,
            retirement_share=0.05,
            renumbered_share=0.08,
            track_limits_share=0.01,
            chequered_flag=True,
        )

    @property
    def slows_cars(self) -> bool:
        """Whether flags or the pit lane change how cars are driven."""
        return self.full_course_yellows > 0 or self.pit_stop_share > 0


class DriverError(FrozenModel):
    """An error that a driver makes on purpose, to see whether it is found and what it costs.

    Attributes:
        kind: ``brake_early``: braking for a corner begins too early, and its slowest speed is held up to its slowest
            point; ``lift``: the foot leaves the throttle.
        at_m: Where, in metres from the line along the centre line: the corner, or where the foot lifts.
        by_m: How much too early, or for how far.
        car: Place of the driver in the grid, from 1.
        lap: Lap, from 1; every lap if left out.
    """

    kind: Literal["brake_early", "lift"]
    at_m: float = Field(ge=0.0)
    by_m: float = Field(gt=0.0, le=500.0)
    car: int = Field(1, ge=1)
    lap: int | None = Field(None, ge=1)


CAR_FAULT_SIZES: dict[CarFaultKind, tuple[str, float]] = {
    "dragging_brake": ("bar at the front axle", 20.0),
    "missed_downshift": ("gears too low", 3.0),
    "kerb_strike": ("mm of height", 150.0),
    "over_rev": ("1/min over the limiter", 3_000.0),
}
"""What the size of a car fault is, and the most it can be."""


class CarFault(FrozenModel):
    """A fault that a car has on purpose, to see which components wear.

    Attributes:
        kind: ``dragging_brake``: the front pads stay pressed to the end of the lap; ``missed_downshift``: the driver
            takes a gear too low, and the old one half a second later; ``kerb_strike``: the left wheels run over a kerb;
            ``over_rev``: the next upshift is missed and the engine flares.
        at_m: Where, in metres from the line along the centre line.
        size: How much, see :data:`CAR_FAULT_SIZES`.
        car: Place of the car in the grid, from 1.
        lap: Lap, from 1; every lap if left out.
        by_chance: Whether it was drawn, not asked for: where it cannot come about there is none.
    """

    kind: CarFaultKind
    at_m: float = Field(ge=0.0)
    size: float = Field(gt=0.0)
    car: int = Field(1, ge=1)
    lap: int | None = Field(None, ge=1)
    by_chance: bool = Field(False, exclude=True)

    @model_validator(mode="after")
    def _size_can_be(self) -> Self:
        unit, most = CAR_FAULT_SIZES[self.kind]
        if self.size > most:
            raise ValueError(f"{self.kind} of {self.size:g} {unit}: at most {most:g}")
        if self.kind == "missed_downshift" and self.size != int(self.size):
            raise ValueError(f"{self.kind} of {self.size:g} {unit}: a whole number")
        return self

    def __str__(self) -> str:
        return f"{self.kind}:{self.at_m:g}:{self.size:g}"


class SimulatorConfig(FrozenModel):
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
        start_time: True time of the first sample of the first car, the start of the race; the timing's local time
            of day is in its time zone.
        data_faults: What goes wrong between the cars and the logger.
        race_incidents: What happens in the race besides driving; needs ``n_laps``.
        driver_errors: Errors that drivers make on purpose.
        car_faults: Faults that cars have on purpose.
        setups: Whether all cars are set up alike, or each its own way within the bounds of ``conf/wear.yaml``.
    """

    session_id: str = "sim-session"
    track: str = "three-oaks"
    vehicle: str = "gr86-cup"
    n_cars: int = Field(4, ge=1, le=98)
    n_laps: int | None = Field(None, ge=1, le=200)
    duration_s: float | None = Field(None, gt=0, le=604_800)
    rate_hz: float = Field(30.0, ge=10.0, le=50.0)
    samples_per_frame: int = Field(30, ge=1, le=3000)
    profiles: dict[ProfileName, float] = Field(default_factory=lambda: dict.fromkeys(PROFILE_NAMES, 1.0))
    seed: int = Field(0, ge=0)
    start_time: AwareDatetime = datetime(2025, 9, 6, 18, 0, tzinfo=UTC)
    ambient_temp_c: float = Field(24.0, ge=-30, le=55)
    track_temp_c: float = Field(33.0, ge=-30, le=80)
    # The serialization aliases are the names that the default session id has always been made from.
    data_faults: DataFaults = Field(default_factory=DataFaults, serialization_alias="faults")
    race_incidents: RaceIncidents = Field(default_factory=RaceIncidents, serialization_alias="race")
    driver_errors: tuple[DriverError, ...] = Field((), serialization_alias="mistakes")
    car_faults: tuple[CarFault, ...] = Field((), serialization_alias="mishaps")
    setups: Literal["alike", "varied"] = "alike"

    @field_validator("session_id")
    @classmethod
    def _contracts_admit(cls, session_id: str) -> str:
        return check_identifier(session_id, "session")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.n_laps is None) == (self.duration_s is None):
            raise ValueError("give n_laps or duration_s, one of them")
        if any(weight < 0 for weight in self.profiles.values()) or not sum(self.profiles.values()) > 0:
            raise ValueError("profiles needs a weight above zero and none below")
        return self

    @model_validator(mode="after")
    def _race_is_long_enough(self) -> Self:
        if self.race_incidents != RaceIncidents() and self.n_laps is None:
            raise ValueError("race_incidents needs n_laps: a session of a set duration has no finish")
        on_track = self.race_incidents.slows_cars or self.race_incidents.retirement_share > 0
        if on_track and self.n_laps is not None and self.n_laps < FEWEST_RACE_LAPS:
            raise ValueError(
                f"race_incidents with yellows, stops or retirements need n_laps of {FEWEST_RACE_LAPS} at least"
            )
        return self

    @model_validator(mode="after")
    def _planted_is_someones(self) -> Self:
        planned: list[tuple[str, DriverError | CarFault]] = [("driver_errors", each) for each in self.driver_errors]
        planned += [("car_faults", each) for each in self.car_faults]
        for name, planted in planned:
            if planted.car > self.n_cars:
                raise ValueError(f"{name}: car {planted.car} of a grid of {self.n_cars}")
            if planted.lap is not None and self.n_laps is not None and planted.lap > self.n_laps:
                raise ValueError(f"{name}: lap {planted.lap} of {self.n_laps}")
        return self
