"""A scenario: the options of ``slipstream produce simulate`` as a YAML file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError

from conf.errors import InputError, check_input
from conf.frozen import FrozenModel
from conf.text_file import read_yaml_mapping
from conf.track import load_track
from producers.simulator.cars.driver_styles import PROFILE_NAMES
from producers.simulator.cars.random_car_faults import draw_random_car_faults
from producers.simulator.config import CarFault, DataFaults, DriverError, RaceIncidents, SimulatorConfig
from producers.simulator.defaults import DEFAULT_LAPS, INCIDENT_LAPS

_LATER = ("driver_errors", "car_faults", "setups")


class OptionConflictError(InputError):
    """Two options that do not go together."""


class Scenario(FrozenModel):
    """What to simulate; what is left out is as on the command line.

    Attributes:
        cars: Size of the grid.
        laps: Laps each car drives; or ``duration`` instead.
        duration: Seconds to simulate.
        track: A track of ``conf/tracks``, or ``drawn-<n>``.
        vehicle: A vehicle of ``conf/vehicles``.
        rate: Samples a second; the setting ``SIM_RATE_HZ`` if left out.
        profiles: Weight of each driver profile in the grid.
        seed: Fixes everything random.
        session: Session id; made from the other options if left out.
        data_faults: Whether data gets lost, late or wrong on the way, or how much of which.
        race: Whether timing, results, field and weather are sent; with laps they are.
        race_incidents: Whether the race has incidents, or how many of which.
        driver_errors: Errors that drivers make on purpose.
        car_faults: Faults that cars have on purpose.
        random_car_faults: Whether cars have faults by chance besides.
        setups: Whether cars are set up alike.
        truth: Whether labels of wear are sent.
    """

    cars: int = 4
    laps: int | None = None
    duration: float | None = None
    track: str = "three-oaks"
    vehicle: str = "gr86-cup"
    rate: float | None = None
    profiles: dict[str, float] = Field(default_factory=lambda: {str(name): 1.0 for name in PROFILE_NAMES})
    seed: int = 0
    session: str | None = None
    data_faults: bool | DataFaults = True
    race: bool | None = None
    race_incidents: bool | RaceIncidents | None = None
    driver_errors: tuple[DriverError, ...] = ()
    car_faults: tuple[CarFault, ...] = ()
    random_car_faults: bool = False
    setups: Literal["alike", "varied"] = "alike"
    truth: bool = False

    def with_options(self, options: dict[str, Any]) -> Self:
        """The scenario with other options; a length given in laps or seconds takes the place of the other."""
        own = self.model_dump(exclude_unset=True)
        for one, other in (("laps", "duration"), ("duration", "laps")):
            if options.get(one) is not None:
                own.pop(other, None)
        with check_input():
            return type(self).model_validate(own | options)

    @property
    def n_laps(self) -> int | None:
        """Laps that each car drives; ``None`` where the duration is set."""
        return DEFAULT_LAPS if self.laps is None and self.duration is None else self.laps

    @property
    def sends_race(self) -> bool:
        """Whether timing, results, field and weather are sent.

        Raises:
            OptionConflictError: If they are asked for without laps.
        """
        if self.race and self.n_laps is None:
            raise OptionConflictError("a race needs --laps, not --duration")
        return self.n_laps is not None if self.race is None else self.race

    def config(self, default_rate_hz: float) -> SimulatorConfig:
        """The simulation asked for.

        Args:
            default_rate_hz: Samples a second where the scenario leaves them out.

        Raises:
            InputError: If car faults are to be drawn for no number of laps, or an option is out of its range.
        """
        incidents, faults = self.race_incidents, self.data_faults
        if incidents is None:
            incidents = self.n_laps is not None and self.n_laps >= INCIDENT_LAPS
        if isinstance(incidents, bool):
            incidents = RaceIncidents.with_incidents() if incidents else RaceIncidents()
        if isinstance(faults, bool):
            faults = DataFaults() if faults else DataFaults.none()
        options = {
            "track": self.track,
            "vehicle": self.vehicle,
            "n_cars": self.cars,
            "n_laps": self.n_laps,
            "duration_s": self.duration,
            "rate_hz": default_rate_hz if self.rate is None else self.rate,
            "profiles": self.profiles,
            "seed": self.seed,
            "data_faults": faults,
            "race_incidents": incidents,
            "driver_errors": self.driver_errors,
            "car_faults": (*self.car_faults, *self._random_car_faults()),
            "setups": self.setups,
        }
        return with_session(options, self.session)

    def _random_car_faults(self) -> tuple[CarFault, ...]:
        if not self.random_car_faults:
            return ()
        if self.n_laps is None:
            raise OptionConflictError("car faults are drawn for a number of laps: give --laps with --random-car-faults")
        return draw_random_car_faults(load_track(self.track).length_m, self.cars, self.n_laps, self.seed)


def with_session(options: dict[str, Any], session: str | None) -> SimulatorConfig:
    """The simulation's settings, with a session id made from them if none is given.

    The same options sent again thus repeat their session, and never contradict another.

    Raises:
        InputError: If an option is out of its range.
    """
    with check_input():
        config = SimulatorConfig(**options)
    if session is None:
        # A session that does not use a later option keeps the name it always had.
        unused: dict[str, Any] = {
            name: True for name in _LATER if getattr(config, name) == SimulatorConfig.model_fields[name].default
        }
        if not config.data_faults.full_scale_share:
            unused["data_faults"] = {"full_scale_share"}
        digest = sha256(config.model_dump_json(exclude=unused, by_alias=True).encode()).hexdigest()[:8]
        session = f"sim-{config.track}-{digest}"
    with check_input():
        return SimulatorConfig(**options, session_id=session)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        InputError: If there is no such file, it is no YAML mapping, or a key or value is wrong.
    """
    content = read_yaml_mapping(path, "a scenario file", "a scenario is a mapping of options, such as `cars: 8`")
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_problem(error)}") from None


def write_scenario(scenario: Scenario, path: Path) -> None:
    """Write a scenario file with all options that differ from their defaults."""
    content = scenario.model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _first_problem(error: ValidationError) -> str:
    """The deepest of the problems: of a key that may hold several kinds of values, the kind that was meant."""
    problem = max(error.errors(), key=lambda each: len(each["loc"]))
    kinds = ("bool", DataFaults.__name__, RaceIncidents.__name__)
    key = ".".join(str(part) for part in problem["loc"] if part not in kinds)
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{key}'" + ("" if "." in key else f"; a scenario has {', '.join(Scenario.model_fields)}")
    return f"{key}: {problem['msg']}"
