"""Sends a simulated session: its frames to one topic, the race's events each to their own, and the truth to its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

from conf.contract import load_contract
from conf.families import TELEMETRY
from infra.kafka.producer import KafkaStreamer
from producers.simulator.frames import Frame, pace_messages
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import RaceEvent, arrival_us, race_topics, session_messages, truth_topic

POLL_EVERY = 100

OnProgress = Callable[[float, float], None]


@dataclass(frozen=True)
class SendResult:
    """What was sent.

    Attributes:
        frames: Frames.
        samples: Samples that they held.
        events: Events of the race.
        truths: Labels of wear.
        acknowledged: Messages that the broker has confirmed.
        elapsed_s: Time it took.
    """

    frames: int
    samples: int
    events: int
    truths: int
    acknowledged: int
    elapsed_s: float

    @property
    def units(self) -> int:
        """Samples and events: what silver accounts for."""
        return self.samples + self.events


def send_session(
    simulator: VehicleSimulator,
    bootstrap: str,
    *,
    topic: str = TELEMETRY.topic,
    race: bool = True,
    truth: bool = False,
    speed: float | None = None,
    client_options: Mapping[str, str] | None = None,
    on_progress: OnProgress = lambda _done_s, _total_s: None,
) -> SendResult:
    """Send a session and wait until the broker has it.

    Args:
        simulator: The session.
        bootstrap: Broker list.
        topic: Where the frames go.
        race: Whether the race's events are sent too.
        truth: Whether the labels of wear are.
        speed: Times real time; as fast as possible if left out.
        client_options: Options of the Kafka client.
        on_progress: Called with the simulated seconds sent, and all there are.

    Raises:
        DeliveryError: If a message could not be delivered.
    """
    source = f"/simulator/{simulator.settings.session_id}"
    besides = (*(race_topics() if race else ()), *((truth_topic(),) if truth else ()))
    with ExitStack() as stack:
        telemetry, *others = (
            stack.enter_context(KafkaStreamer(bootstrap, each, source=source, client_options=client_options))
            for each in (topic, *besides)
        )
        due = session_messages(simulator, race=race, truth=truth)
        samples = _send(simulator, due, telemetry, dict(zip(besides, others, strict=True)), speed, on_progress)
        report, *reports = (streamer.flush() for streamer in (telemetry, *others))
    sent = {name: each.sent for name, each in zip(besides, reports, strict=True)}
    truths = sent.pop(truth_topic(), 0)
    return SendResult(
        frames=report.sent,
        samples=samples,
        events=sum(sent.values()),
        truths=truths,
        acknowledged=sum(each.acknowledged for each in (report, *reports)),
        elapsed_s=report.elapsed_s,
    )


def _send(
    simulator: VehicleSimulator,
    due: Iterator[Frame | RaceEvent],
    telemetry: KafkaStreamer,
    events: Mapping[str, KafkaStreamer],
    speed: float | None,
    on_progress: OnProgress,
) -> int:
    """Send frames, and events to the streamer of their topic; return how many samples the frames held."""
    session, frames, samples = simulator.settings.session_id, count(), 0
    event_type = load_contract("event.frame.v1").properties["ce_type"]
    total_s, began_us = session_length_s(simulator), simulator.start_us
    for number, message in enumerate(due if speed is None else pace_messages(due, speed, arrival_us)):
        if isinstance(message, RaceEvent):
            events[message.topic].send(message.key, message.payload, message.event_type, message.event_id)
        else:
            telemetry.send(message.key(), message.payload(), event_type, f"{session}:{next(frames)}")
            samples += _samples(message)
        if number % POLL_EVERY == 0 or speed is not None:
            for streamer in (telemetry, *events.values()):
                streamer.poll()
            on_progress(min((arrival_us(message) - began_us) / 1e6, total_s), total_s)
    on_progress(total_s, total_s)
    return samples


def _samples(frame: Frame) -> int:
    return len(frame.columns["t_us"])


def session_length_s(simulator: VehicleSimulator) -> float:
    """Length of a session in seconds, from the first car's first sample to the last one's last."""
    if simulator.settings.duration_s is not None:
        return simulator.settings.duration_s
    laps = simulator.laps()
    return float(max(laps["end_us"].to_list()) - min(laps["start_us"].to_list())) / 1e6
