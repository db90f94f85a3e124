"""The logger box of one car: takes what the sensors say as the race goes, and hands it on in frames."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import numpy as np

from conf.arrays import IntArray
from producers.simulator.cars.sensors import CarSensors
from producers.simulator.data_faults import DataFaultPlan
from producers.simulator.frames import CHANNELS, Columns
from producers.simulator.race import RaceBlock


class LoggerBox:
    """Samples of one car on their way from the sensors to frames.

    A lap's samples wait for its end if its number gets lost on the way, since from where on is a share of its length.

    Args:
        sensors: The car's.
        faults: What befalls its samples and frames.
        steps_per_sample: Steps from one sample to the next.
        samples_per_frame: Samples sent together.
    """

    def __init__(
        self, sensors: CarSensors, faults: DataFaultPlan, *, steps_per_sample: int, samples_per_frame: int
    ) -> None:
        self._sensors, self._faults = sensors, faults
        self._every, self._per_frame = steps_per_sample, samples_per_frame
        self._total = len(faults.t_us)
        self._taken = self._settled = self._handed_on = 0  # samples so far
        self._held: Columns = {}
        self._frames: dict[int, Columns] = {}

    def add(self, block: RaceBlock) -> None:
        """Take the samples of the stretch that follows the one before; none once the car has stopped sending."""
        first, left = self._taken * self._every - block.first, self._total - self._taken
        pick = slice(first, min(len(block.trace), first + left * self._every), self._every)
        if pick.start >= pick.stop:
            return
        fresh = self._read(block, pick)
        self._held = {name: np.concatenate([self._held[name], fresh[name]]) for name in fresh} if self._held else fresh
        self._taken += len(fresh["t_us"])
        self._settle_laps()

    def take_samples(self) -> Columns:
        """Samples since the last call, once each."""
        return self._hand_on(self._settled)

    def holds(self, frame: int) -> bool:
        """Whether a frame is complete."""
        if frame not in self._frames:
            self._cut_frames()
        return frame in self._frames

    def frame(self, number: int, *, keep: bool) -> Columns:
        """A frame that it :meth:`holds`, to be kept if it is asked for again."""
        return self._frames[number] if keep else self._frames.pop(number)

    def _read(self, block: RaceBlock, pick: slice) -> Columns:
        truth = self._sensors.measure(block.trace, block.heat, pick)
        distance_m = block.trace.distance_m[pick, self._sensors.car]
        values: Columns = dict(self._faults.read_sensors(truth, self._taken))
        values["gear"] = values["gear"].astype(np.int64)
        values["lap_number"] = (distance_m // self._sensors.line.length_m).astype(np.int64) + 1
        values["t_us"] = self._faults.t_us[self._taken : self._taken + len(distance_m)]
        return {name: values[name] for name in ("t_us", *CHANNELS)}

    def _settle_laps(self) -> None:
        """Lose the numbers that get lost; the lap under way stays unsettled if its own is one of them."""
        numbers = cast("IntArray", self._held["lap_number"])
        while self._settled < self._taken:
            first = self._settled - self._handed_on
            lap = int(numbers[first])
            end = first + int(np.searchsorted(numbers[first:], lap + 1))
            if self._faults.loses_counter(lap):
                if end == len(numbers) and self._taken < self._total:
                    return
                self._faults.lose_counter(lap, numbers[first:end])
            self._settled = self._handed_on + end

    def _cut_frames(self) -> None:
        first = self._handed_on
        whole = self._settled if self._settled == self._total else self._settled // self._per_frame * self._per_frame
        if whole == first:
            return
        rows, source = self._faults.repeat_samples(self._hand_on(whole), first)
        edges = np.searchsorted(source, [*range(0, whole - first, self._per_frame), whole - first])
        for i, (start, end) in enumerate(pairwise(edges.tolist()), first // self._per_frame):
            self._frames[i] = {name: values[start:end] for name, values in rows.items()}

    def _hand_on(self, up_to: int) -> Columns:
        """Samples not handed on before, up to a number."""
        count = up_to - self._handed_on
        out: Columns = {name: values[:count] for name, values in self._held.items()}
        self._held = {name: values[count:] for name, values in self._held.items()}
        self._handed_on = up_to
        return out
