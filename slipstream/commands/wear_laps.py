"""``produce wear-laps``: sessions on many tracks with the truth about each lap, for the model of wear to learn from."""

from __future__ import annotations

from typing import Annotated

import typer

from slipstream.commands.simulate import send_simulation
from slipstream.console import DryRun, print_summary
from slipstream.logs import keep_log


@keep_log("produce-wear-laps")
def produce_wear_laps(
    tracks: Annotated[int, typer.Option(min=1, help="Tracks: the simulator's own, then drawn ones.")] = 16,
    cars: Annotated[int, typer.Option(min=1, help="Cars on each; each track has cars of its own.")] = 6,
    laps: Annotated[int, typer.Option(min=1, help="Laps of each.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the first track; the others follow.")] = 100,
    dry_run: DryRun = False,
) -> None:
    """Send what the model of wear learns from: sessions on many tracks, with the truth about each lap.

    Drivers, set-ups and parts differ, and laps have kerbs, over-revs, missed downshifts and brakes that drag, as
    `slipstream produce simulate --setups varied --random-car-faults --truth` sends them. The same options send the
    same again.

    `slipstream produce wear-laps && slipstream run && slipstream train karma`
    """
    from conf.errors import check_input
    from conf.topics import TELEMETRY_RAW
    from conf.track import load_track, track_names
    from producers.simulator.cars.random_car_faults import RACING, draw_random_car_faults
    from producers.simulator.config import SimulatorConfig
    from producers.simulator.simulator import VehicleSimulator

    own = sorted(track_names())
    names = (own + [f"drawn-{i}" for i in range(1, tracks + 1)])[:tracks]
    if dry_run:
        print_summary(f"would send {len(names)} sessions of {cars} cars and {laps} laps: {', '.join(names)}")
        return
    for i, name in enumerate(names):
        car_faults = draw_random_car_faults(load_track(name).length_m, cars, laps, seed + i)
        with check_input():
            config = SimulatorConfig(
                session_id=f"karma-{name}-{seed + i}",
                track=name,
                n_cars=cars,
                n_laps=laps,
                seed=seed + i,
                rate_hz=25.0,
                setups="varied",
                car_faults=car_faults,
                profiles=RACING,
            )
        send_simulation(VehicleSimulator(config), TELEMETRY_RAW.name, None, race=True, truth=True)
