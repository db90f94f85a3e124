"""``produce simulate``: a grid of simulated cars, sent as frames, and the race they drive, sent as events."""

from __future__ import annotations

from contextlib import ExitStack
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipstream.commands._options import Speed, Topic
from slipstream.console import DryRun, progress, summary

if TYPE_CHECKING:
    from producers.kafka import KafkaStreamer
    from producers.simulator.config import SimulatorConfig
    from producers.simulator.simulator import VehicleSimulator

REPORT_EVERY = 100
DEFAULT_LAPS = 3
INCIDENT_LAPS = 6


def simulate(
    *,
    cars: Annotated[int, typer.Option(help="Size of the grid, 1 to 98.")] = 4,
    laps: Annotated[
        int | None, typer.Option(help=f"Laps each car drives; {DEFAULT_LAPS} unless --duration is given.")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds to simulate, in place of --laps.")] = None,
    track: Annotated[str, typer.Option(help="A track of conf/tracks.")] = "three-oaks",
    vehicle: Annotated[str, typer.Option(help="A vehicle of conf/vehicles.")] = "gr86-cup",
    rate: Annotated[float | None, typer.Option(help="Samples a second, 10 to 50. Default: SIM_RATE_HZ.")] = None,
    profiles: Annotated[
        str, typer.Option(help="Driver profiles and their weights in the grid.")
    ] = "aggressive=1,normal=1,safe=1,eco=1",
    seed: Annotated[int, typer.Option(help="Fixes everything random: the same options send the same bytes.")] = 0,
    session: Annotated[
        str | None, typer.Option(help="Session id. Default: made from the other options, the same for the same ones.")
    ] = None,
    faults: Annotated[
        bool, typer.Option("--faults/--no-faults", help="Noise, drop-outs, repeats, late frames, clocks that are off.")
    ] = True,
    race: Annotated[
        bool | None,
        typer.Option(
            "--race/--no-race",
            help="Timing, results, field and weather, to timing.raw, race.raw and environment.raw. Default: with laps, "
            "not with --duration.",
        ),
    ] = None,
    incidents: Annotated[
        bool | None,
        typer.Option(
            "--incidents/--no-incidents",
            help="Yellow flag, pit stops, retirements; the race ends for all once the winner is home. "
            f"Default: from {INCIDENT_LAPS} laps on.",
        ),
    ] = None,
    speed: Speed = None,
    topic: Topic = "telemetry.raw",
    dry_run: DryRun = False,
) -> None:
    """Simulate a grid of cars and send their frames, and what the timing of their race says.

    `slipstream produce simulate --cars 8 --laps 5 --track harbour-mile`

    `slipstream produce simulate --profiles aggressive=3,eco=1 --speed 1`

    `slipstream produce simulate --cars 20 --laps 10 --no-incidents`

    `slipstream produce simulate --cars 1 --duration 60 --no-faults --dry-run`
    """
    from conf.settings import get_settings
    from producers.simulator.config import FaultConfig, RaceConfig
    from producers.simulator.simulator import VehicleSimulator

    n_laps = DEFAULT_LAPS if laps is None and duration is None else laps
    if race and n_laps is None:
        raise typer.BadParameter("a race needs --laps, not --duration", param_hint="--race")
    if incidents is None:
        incidents = n_laps is not None and n_laps >= INCIDENT_LAPS
    options: dict[str, Any] = {
        "track": track,
        "vehicle": vehicle,
        "n_cars": cars,
        "n_laps": n_laps,
        "duration_s": duration,
        "rate_hz": get_settings().sim_rate_hz if rate is None else rate,
        "profiles": parse_profiles(profiles),
        "seed": seed,
        "faults": FaultConfig() if faults else FaultConfig.none(),
        "race": RaceConfig.with_incidents() if incidents else RaceConfig(),
    }
    simulator = VehicleSimulator(configure(options, session))
    timed = n_laps is not None if race is None else race
    if dry_run:
        _count(simulator, timed)
    else:
        _send(simulator, topic, speed, timed)


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


def configure(options: dict[str, Any], session: str | None) -> SimulatorConfig:
    """The simulation's settings, with a session id made from them if none is given.

    The same options sent again thus repeat their session, and never contradict another.

    Raises:
        ValueError: If an option is out of its range.
    """
    from producers.simulator.config import SimulatorConfig

    config = SimulatorConfig(**options)
    if session is None:
        digest = sha256(config.model_dump_json().encode()).hexdigest()[:8]
        session = f"sim-{config.track}-{digest}"
    return SimulatorConfig(**options, session_id=session)


def _count(simulator: VehicleSimulator, race: bool) -> None:
    from producers.simulator.frames import Frame
    from producers.simulator.race import messages

    frames = samples = events = size = 0
    for message in messages(simulator, race=race):
        if isinstance(message, Frame):
            frames += 1
            samples += len(message.columns["t_us"])
            size += len(message.payload())
        else:
            events += 1
    config = simulator.settings
    grid = ", ".join(f"{car.vehicle_id} {car.profile}" for car in simulator.cars)
    typer.echo(f"session {config.session_id} on {config.track}: {grid}")
    besides = f" and {events:,} events of the race" if race else ""
    summary(f"would send {frames:,} frames with {samples:,} samples ({size / 2**20:.1f} MiB){besides}, nothing sent")


def _send(simulator: VehicleSimulator, topic: str, speed: float | None, race: bool) -> None:
    from conf.settings import get_settings
    from infra.stack import endpoints
    from producers.kafka import KafkaStreamer
    from producers.simulator.race import race_topics

    settings, config = get_settings(), simulator.settings
    bootstrap, source = endpoints(settings).bootstrap, f"/simulator/{config.session_id}"
    with ExitStack() as stack:
        telemetry, *others = (
            stack.enter_context(KafkaStreamer(bootstrap, each, source=source, client_options=settings.kafka_config))
            for each in (topic, *(race_topics() if race else ()))
        )
        samples = _send_all(simulator, telemetry, dict(zip(race_topics(), others, strict=False)), speed)
        sent, reports = telemetry.flush(), [streamer.flush() for streamer in others]
    besides = f" and {sum(each.sent for each in reports):,} events to {', '.join(race_topics())}" if race else ""
    acknowledged = sent.acknowledged + sum(each.acknowledged for each in reports)
    summary(
        f"session {config.session_id}: {sent.sent:,} frames with {samples:,} samples of {config.n_cars} cars sent to "
        f"{topic}{besides} at {bootstrap} in {sent.elapsed_s:.1f} s, {acknowledged:,} acknowledged"
    )


def _send_all(
    simulator: VehicleSimulator, telemetry: KafkaStreamer, others: dict[str, KafkaStreamer], speed: float | None
) -> int:
    """Send frames and, where there are streamers for them, the race's events; return how many samples they held."""
    from conf.contract import load_contract
    from producers.simulator.frames import Frame, paced
    from producers.simulator.race import due_us, messages

    session, frames, samples = simulator.settings.session_id, count(), 0
    event_type = load_contract("event.frame.v1").properties["ce_type"]
    total_s, began_us = _length_s(simulator), simulator.start_us
    due = messages(simulator, race=bool(others))
    with progress("simulated seconds") as update:
        for number, message in enumerate(due if speed is None else paced(due, speed, due_us)):
            if isinstance(message, Frame):
                telemetry.send(message.key(), message.payload(), event_type, f"{session}:{next(frames)}")
                samples += len(message.columns["t_us"])
            else:
                others[message.topic].send(message.key, message.payload, message.event_type, message.event_id)
            if number % REPORT_EVERY == 0 or speed is not None:
                for streamer in (telemetry, *others.values()):
                    streamer.poll()
                update(session, min((due_us(message) - began_us) / 1e6, total_s), total_s)
        update(session, total_s, total_s)
    return samples


def _length_s(simulator: VehicleSimulator) -> float:
    """Length of the session in seconds, from the first car's first sample to the last one's last."""
    if simulator.settings.duration_s is not None:
        return simulator.settings.duration_s
    laps = simulator.laps()
    return float(max(laps["end_us"].to_list()) - min(laps["start_us"].to_list())) / 1e6
