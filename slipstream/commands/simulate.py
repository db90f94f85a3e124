"""``produce simulate``: a grid of simulated cars, sent as frames, and the race they drive, sent as events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from producers.simulator.defaults import DEFAULT_LAPS, INCIDENT_LAPS
from slipstream.commands._options import Speed, Topic
from slipstream.console import DryRun, print_summary, say, show_progress

if TYPE_CHECKING:
    from producers.simulator.simulator import VehicleSimulator

SetupChoice = Literal["alike", "varied"]
_OLD_SPELLINGS: Final = {
    "faults": "data-faults",
    "no-faults": "no-data-faults",
    "incidents": "race-incidents",
    "no-incidents": "no-race-incidents",
    "mistake": "driver-error",
    "mishap": "car-fault",
    "hazards": "random-car-faults",
}


def canonical_option(name: str) -> str:
    """The name of an option, also for one of its old spellings, without the dashes."""
    return _OLD_SPELLINGS.get(name, name)


def simulate(
    context: typer.Context,
    *,
    scenario: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Take the options from a YAML file; those given here win.", show_default=False
        ),
    ] = None,
    write_scenario: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the options to such a file and send nothing.", show_default=False),
    ] = None,
    cars: Annotated[int, typer.Option(help="Size of the grid, 1 to 98.")] = 4,
    laps: Annotated[
        int | None, typer.Option(help=f"Laps each car drives; {DEFAULT_LAPS} unless --duration is given.")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds to simulate, in place of --laps.")] = None,
    track: Annotated[
        str, typer.Option(help="A track of conf/tracks, or drawn-1, drawn-2, … for one drawn by its number.")
    ] = "three-oaks",
    vehicle: Annotated[str, typer.Option(help="A vehicle of conf/vehicles.")] = "gr86-cup",
    rate: Annotated[float | None, typer.Option(help="Samples a second, 10 to 50. Default: SIM_RATE_HZ.")] = None,
    profiles: Annotated[
        str, typer.Option(help="Driver profiles and their weights in the grid.")
    ] = "aggressive=1,normal=1,safe=1,eco=1",
    seed: Annotated[int, typer.Option(help="Fixes everything random: the same options send the same bytes.")] = 0,
    session: Annotated[
        str | None, typer.Option(help="Session id. Default: made from the other options, the same for the same ones.")
    ] = None,
    data_faults: Annotated[
        bool,
        typer.Option(
            "--data-faults/--no-data-faults", help="Noise, drop-outs, repeats, late frames, clocks that are off."
        ),
    ] = True,
    race: Annotated[
        bool | None,
        typer.Option(
            "--race/--no-race",
            help="Timing, results, field and weather, to timing.raw, race.raw and environment.raw. Default: with laps, "
            "not with --duration.",
        ),
    ] = None,
    race_incidents: Annotated[
        bool | None,
        typer.Option(
            "--race-incidents/--no-race-incidents",
            help="Yellow flag, pit stops, retirements; the race ends for all once the winner is home. "
            f"Default: from {INCIDENT_LAPS} laps on.",
        ),
    ] = None,
    driver_error: Annotated[
        list[str] | None,
        typer.Option(
            "--driver-error",
            metavar="KIND:AT:BY[:CAR[:LAP]]",
            show_default=False,
            help="Let a driver do worse on purpose, metres from the line and how many: brake_early:890:30 brakes 30 m "
            "early for the corner at 890 m, lift:1700:60 lifts there for 60 m. CAR is a place in the grid, the first "
            "if left out; LAP every lap. May be given several times.",
        ),
    ] = None,
    car_fault: Annotated[
        list[str] | None,
        typer.Option(
            "--car-fault",
            metavar="KIND:AT:SIZE[:CAR[:LAP]]",
            show_default=False,
            help="Let something go wrong with a car on purpose, AT metres from the line: dragging_brake:0:2 leaves "
            "2 bar on the front brakes to the end of the lap, missed_downshift:600:2 takes two gears too low, "
            "kerb_strike:900:40 runs over a kerb of 40 mm, over_rev:0:1200 misses the next upshift and revs 1200 1/min "
            "over the limiter. CAR and LAP as for --driver-error. May be given several times.",
        ),
    ] = None,
    random_car_faults: Annotated[
        bool,
        typer.Option(
            "--random-car-faults",
            help="Besides, what goes wrong in a season by chance: kerbs on most laps, now and then an over-rev, a "
            "missed downshift, a dragging brake. Needs --laps.",
        ),
    ] = False,
    setups: Annotated[
        SetupChoice, typer.Option(help="Whether all cars are set up alike, or each its own way within conf/wear.yaml.")
    ] = "alike",
    truth: Annotated[
        bool,
        typer.Option(
            "--truth/--no-truth",
            help="Say what each lap did to each component of each car, to truth.raw: labels, which no feature reads.",
        ),
    ] = False,
    speed: Speed = None,
    topic: Topic = None,
    dry_run: DryRun = False,
) -> None:
    """Simulate a grid of cars and send their frames, and what the timing of their race says.

    `slipstream produce simulate --cars 8 --laps 5 --track harbour-mile`

    `slipstream produce simulate --profiles aggressive=3,eco=1 --speed 1`

    `slipstream produce simulate --cars 20 --laps 10 --no-race-incidents`

    `slipstream produce simulate --driver-error brake_early:890:30:1:2 --driver-error lift:1700:60:1:2`

    `slipstream produce simulate --setups varied --car-fault kerb_strike:900:40:1:2 --truth`

    `slipstream produce simulate --track drawn-3 --cars 10 --laps 6 --random-car-faults --truth`

    `slipstream produce simulate --cars 1 --duration 60 --no-data-faults --dry-run`

    `slipstream produce simulate --scenario race.yaml --seed 2`
    """
    from conf.settings import get_settings
    from conf.topics import TELEMETRY_RAW
    from producers.simulator import scenario as scenarios
    from producers.simulator.scenario import OptionConflictError
    from producers.simulator.simulator import VehicleSimulator

    given = {
        "cars": cars,
        "laps": laps,
        "duration": duration,
        "track": track,
        "vehicle": vehicle,
        "rate": rate,
        "profiles": parse_profiles(profiles),
        "seed": seed,
        "session": session,
        "data_faults": data_faults,
        "race": race,
        "race_incidents": race_incidents,
        "driver_error": [parse_driver_error(text) for text in driver_error or ()],
        "car_fault": [parse_car_fault(text) for text in car_fault or ()],
        "random_car_faults": random_car_faults,
        "setups": setups,
        "truth": truth,
    }
    read = scenarios.Scenario() if scenario is None else scenarios.read_scenario(scenario)
    asked = read.with_options(_of_command_line(context, given))
    try:
        config, sends_race = asked.config(get_settings().sim_rate_hz), asked.sends_race
    except OptionConflictError as error:
        raise typer.BadParameter(str(error)) from None
    if write_scenario is not None:
        scenarios.write_scenario(asked, write_scenario)
        print_summary(f"wrote {write_scenario}, nothing sent")
        return
    simulator = VehicleSimulator(config)
    if dry_run:
        _count(simulator, sends_race, asked.truth)
    else:
        send_simulation(simulator, topic or TELEMETRY_RAW.name, speed, race=sends_race, truth=asked.truth)


def _of_command_line(context: typer.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Options that were given, by the names that a scenario has for them."""
    plural = {"driver_error": "driver_errors", "car_fault": "car_faults"}
    names = [name for name in options if _was_given(context, name)]
    return {plural.get(name, name): options[name] for name in names}


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def parse_profiles(text: str) -> dict[str, float]:
    """Weights of driver profiles, e.g. ``aggressive=2,eco=1``; a name alone weighs 1.

    Raises:
        typer.BadParameter: If a weight is no number.
    """
    weights = {}
    for part in text.split(","):
        name, equals, weight = part.strip().partition("=")
        try:
            weights[name.strip()] = float(weight) if equals else 1.0
        except ValueError:
            message = f"'{part.strip()}' is not of the form profile=weight"
            raise typer.BadParameter(message, param_hint="--profiles") from None
    return weights


def parse_driver_error(text: str) -> dict[str, Any]:
    """An error made on purpose, e.g. ``brake_early:890:30`` or, of the second car in lap 3, ``lift:1700:60:2:3``.

    Raises:
        typer.BadParameter: If it is not of that form.
    """
    return _planted(text, "by_m", "--driver-error", "KIND:AT:BY[:CAR[:LAP]], such as brake_early:890:30:1:2")


def parse_car_fault(text: str) -> dict[str, Any]:
    """A car fault on purpose, e.g. ``kerb_strike:900:40`` or, of the second car in lap 3, ``over_rev:0:1200:2:3``.

    Raises:
        typer.BadParameter: If it is not of that form.
    """
    return _planted(text, "size", "--car-fault", "KIND:AT:SIZE[:CAR[:LAP]], such as kerb_strike:900:40:1:2")


def _planted(text: str, how_much: str, option: str, form: str) -> dict[str, Any]:
    kind, *numbers = text.split(":")
    try:
        at_m, size, *whose = numbers
        car_and_lap = dict(zip(("car", "lap"), map(int, whose[:2]), strict=False))
        if len(whose) > 2:
            raise ValueError(text)
        return {"kind": kind, "at_m": float(at_m), how_much: float(size)} | car_and_lap
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not of the form {form}", param_hint=option) from None


def _count(simulator: VehicleSimulator, race: bool, truth: bool) -> None:
    from producers.simulator.frames import Frame
    from producers.simulator.timing.events import session_messages, truth_topic

    frames = samples = events = truths = size = 0
    for message in session_messages(simulator, race=race, truth=truth):
        if isinstance(message, Frame):
            frames += 1
            samples += len(message.columns["t_us"])
            size += len(message.payload())
        else:
            truths += message.topic == truth_topic()
            events += message.topic != truth_topic()
    config = simulator.settings
    grid = ", ".join(f"{car.vehicle_id} {car.profile}" for car in simulator.cars)
    say(f"session {config.session_id} on {config.track}: {grid}")
    besides = f" and {events:,} events of the race" if race else ""
    besides += f" and {truths:,} labels of wear" if truth else ""
    print_summary(
        f"would send {frames:,} frames with {samples:,} samples ({size / 2**20:.1f} MiB){besides}, nothing sent"
    )


def send_simulation(simulator: VehicleSimulator, topic: str, speed: float | None, *, race: bool, truth: bool) -> None:
    """Send a session and say what was sent."""
    from conf.settings import get_settings
    from infra.kafka.client_options import librdkafka_options
    from infra.local.stack import find_endpoints
    from producers.simulator.sending import send_session
    from producers.simulator.timing.events import race_topics, truth_topic

    settings, config = get_settings(), simulator.settings
    bootstrap = find_endpoints(settings).bootstrap
    with show_progress("simulated seconds") as update:
        sent = send_session(
            simulator,
            bootstrap,
            topic=topic,
            race=race,
            truth=truth,
            speed=speed,
            client_options=librdkafka_options(settings),
            on_progress=lambda done_s, total_s: update(config.session_id, done_s, total_s),
        )
    besides = f" and {sent.events:,} events to {', '.join(race_topics())}" if race else ""
    besides += f" and {sent.truths:,} labels of wear to {truth_topic()}" if truth else ""
    print_summary(
        f"session {config.session_id}: {sent.frames:,} frames with {sent.samples:,} samples of {config.n_cars} cars "
        f"sent to {topic}{besides} at {bootstrap} in {sent.elapsed_s:.1f} s, {sent.acknowledged:,} acknowledged"
    )
