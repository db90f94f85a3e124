"""Which messages bronze may give up: old ones, a whole file at a time, that silver has taken in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from conf.contract import load_contract
from conf.settings import AppConfig
from medallion.data_files import DataFile, file_of_partition
from medallion.dataset import open_dataset

Place = tuple[str, int]
"""Topic and partition."""
_READ = ("topic", "kafka_partition", "kafka_offset", "ingest_date")


@dataclass(frozen=True)
class BronzeFile:
    """A file of a bronze table.

    Attributes:
        day: When its messages came in, UTC.
        offsets: First and last offset that it holds of each topic's partition.
        messages: How many it holds.
        file: The file, without its rows.
    """

    day: date
    offsets: Mapping[Place, tuple[int, int]]
    messages: int
    file: DataFile | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Removal:
    """What is removed of a bronze table.

    Attributes:
        files: Its files that go.
        kept_from: Offset of the first message that stays, by topic and partition.
    """

    files: Sequence[BronzeFile]
    kept_from: Mapping[Place, int]

    @property
    def messages(self) -> int:
        """How many messages go."""
        return sum(each.messages for each in self.files)


def plan_removal(files: Iterable[BronzeFile], before: date, taken_in: Mapping[Place, int]) -> Removal:
    """Choose the files that go: what stays is an unbroken run of offsets, and never nothing.

    The latest message of each partition stays: a stream with a new checkpoint goes on behind it.

    Args:
        files: Those of a table.
        before: Messages of days before this one are old.
        taken_in: Last offset that silver has taken in, by topic and partition; nothing of one that is not in it goes.
    """
    everything = list(files)
    last: dict[Place, int] = {}
    for each in everything:
        for place, (_, high) in each.offsets.items():
            last[place] = max(high, last.get(place, high))
    going = [
        each
        for each in everything
        if each.day < before
        and all(high <= taken_in.get(place, -1) and high < last[place] for place, (_, high) in each.offsets.items())
    ]
    while True:
        kept_from = _kept_from(everything, going)
        chosen = [e for e in going if all(high < kept_from[place] for place, (_, high) in e.offsets.items())]
        if len(chosen) == len(going):
            places = {place for each in going for place in each.offsets}
            return Removal(going, {place: kept_from[place] for place in sorted(places)})
        going = chosen


def _kept_from(everything: Sequence[BronzeFile], going: Sequence[BronzeFile]) -> dict[Place, int]:
    gone, kept = {id(each) for each in going}, defaultdict[Place, list[int]](list)
    for each in everything:
        if id(each) not in gone:
            for place, (low, _) in each.offsets.items():
                kept[place].append(low)
    return {place: min(lows) for place, lows in kept.items()}


def end_of_run(spans: Iterable[tuple[int, int]]) -> int:
    """Last offset up to which spans leave none out, from the first on; both ends of a span belong to it."""
    in_order = sorted(spans)
    end = in_order[0][0] - 1
    for first, last in in_order:
        if first > end + 1:
            break
        end = max(end, last)
    return end


def read_bronze_files(settings: AppConfig, name: str) -> list[BronzeFile]:
    """The files of a bronze table; of their messages only topic, partition and offset are read."""
    contract, dataset = load_contract(name), open_dataset(name, settings)
    found: list[BronzeFile] = []
    for fragment in dataset.get_fragments():
        rows = fragment.to_table(schema=dataset.schema, columns=list(_READ))
        if rows.num_rows:
            size = fragment.filesystem.get_file_info(fragment.path).size
            found.append(_bronze_file(rows, file_of_partition(contract, rows.slice(0, 1), fragment.path, size)))
    return found


def _bronze_file(rows: pa.Table, file: DataFile) -> BronzeFile:
    spans: list[dict[str, Any]] = (
        rows.group_by(["topic", "kafka_partition"])
        .aggregate([("kafka_offset", "min"), ("kafka_offset", "max")])
        .to_pylist()
    )
    offsets = {
        (span["topic"], span["kafka_partition"]): (span["kafka_offset_min"], span["kafka_offset_max"]) for span in spans
    }
    return BronzeFile(rows["ingest_date"][0].as_py(), offsets, rows.num_rows, file)
