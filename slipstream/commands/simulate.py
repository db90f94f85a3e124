"""``produce simulate``: a grid of simulated cars, sent as frames."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipstream.commands._options import Speed, Topic
from slipstream.console import DryRun, progress, summary

if TYPE_CHECKING:
    from producers.simulator.config import SimulatorConfig
    from producers.simulator.simulator import VehicleSimulator

REPORT_EVERY = 100
DEFAULT_LAPS = 3


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
    speed: Speed = None,
    topic: Topic = "telemetry.raw",
    dry_run: DryRun = False,
) -> None:
    """Simulate a grid of cars and send their frames.

    `slipstream produce simulate --cars 8 --laps 5 --track harbour-mile`

    `slipstream produce simulate --profiles aggressive=3,eco=1 --speed 1`

    `slipstream produce simulate --cars 1 --duration 60 --no-faults --dry-run`
    """
    from conf.settings import get_settings
    from producers.simulator.config import FaultConfig
    from producers.simulator.simulator import VehicleSimulator

    options: dict[str, Any] = {
        "track": track,
        "vehicle": vehicle,
        "n_cars": cars,
        "n_laps": DEFAULT_LAPS if laps is None and duration is None else laps,
        "duration_s": duration,
        "rate_hz": get_settings().sim_rate_hz if rate is None else rate,
        "profiles": parse_profiles(profiles),
        "seed": seed,
        "faults": FaultConfig() if faults else FaultConfig.none(),
    }
    simulator = VehicleSimulator(configure(options, session))
    if dry_run:
        _count(simulator)
    else:
        _send(simulator, topic, speed)


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


def _count(simulator: VehicleSimulator) -> None:
    frames = samples = size = 0
    for frame in simulator.frames():
        frames += 1
        samples += len(frame.columns["t_us"])
        size += len(frame.payload())
    config = simulator.settings
    grid = ", ".join(f"{car.vehicle_id} {car.profile}" for car in simulator.cars)
    typer.echo(f"session {config.session_id} on {config.track}: {grid}")
    summary(f"would send {frames:,} frames with {samples:,} samples ({size / 2**20:.1f} MiB), nothing sent")


def _send(simulator: VehicleSimulator, topic: str, speed: float | None) -> None:
    from conf.contract import load_contract
    from conf.settings import get_settings
    from infra.stack import endpoints
    from producers.kafka import KafkaStreamer
    from producers.simulator.frames import paced

    settings, config = get_settings(), simulator.settings
    bootstrap = endpoints(settings).bootstrap
    event_type = load_contract("event.frame.v1").properties["ce_type"]
    source = f"/simulator/{config.session_id}"
    samples = 0
    with KafkaStreamer(bootstrap, topic, source=source, client_options=settings.kafka_config) as streamer:
        total_s, began_us = _length_s(simulator), round(config.start_time.timestamp() * 1e6)
        frames = simulator.frames() if speed is None else paced(simulator.frames(), speed)
        with progress("simulated seconds") as update:
            for number, frame in enumerate(frames):
                streamer.send(frame.key(), frame.payload(), event_type, f"{config.session_id}:{number}")
                samples += len(frame.columns["t_us"])
                if number % REPORT_EVERY == 0 or speed is not None:
                    streamer.poll()
                    update(config.session_id, min((frame.arrival_us - began_us) / 1e6, total_s), total_s)
            update(config.session_id, total_s, total_s)
        report = streamer.flush()
    summary(
        f"session {config.session_id}: {report.sent:,} frames with {samples:,} samples of {config.n_cars} cars sent to "
        f"{topic} at {bootstrap} in {report.elapsed_s:.1f} s, {report.acknowledged:,} acknowledged"
    )


def _length_s(simulator: VehicleSimulator) -> float:
    """Length of the session in seconds, from the first car's first sample to the last one's last."""
    if simulator.settings.duration_s is not None:
        return simulator.settings.duration_s
    laps = simulator.laps()
    return float(max(laps["end_us"].to_list()) - min(laps["start_us"].to_list())) / 1e6
