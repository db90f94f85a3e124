"""What finds a flipped bit: the checksum file that Hadoop keeps beside each local file, or those in Parquet's pages.

Whatever Spark or the driver writes to a local lake has a ``.NAME.crc`` beside it: a CRC-32 of every 512 bytes, footers
and logs included. A file that came without it, from an object store or another program, may have one in each page.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from conf.errors import SlipstreamError

_MAGIC: Final = b"crc\0"
_AT_ONCE: Final = 4096
"""Checksums compared between two reads."""
_CRC_FIELD: Final = 4
"""Number of the field ``crc`` in Parquet's page header; it stands behind integers only."""
_I32: Final = 5
"""Type of an integer in Thrift's compact protocol."""


class DamagedFileError(SlipstreamError):
    """A file does not hold what was written; the message says how one knows."""


@dataclass(frozen=True)
class FileRead:
    """A file that was read whole.

    Attributes:
        size: Its bytes.
        is_checked: Whether checksums vouch for it; without, it could be read and nothing more is known.
    """

    size: int
    is_checked: bool


def read_whole(path: Path, rows: int | None = None) -> FileRead:
    """Read a file and compare it with its checksums.

    Args:
        path: Of a local file.
        rows: How many a Parquet file holds by its table's log.

    Raises:
        DamagedFileError: If it differs, or cannot be read.
        OSError: If there is no such file.
    """
    size = path.stat().st_size
    if compare_with_sidecar(path):
        return FileRead(size, is_checked=True)
    if path.suffix != ".parquet":
        return FileRead(len(path.read_bytes()), is_checked=False)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = sum(batch.num_rows for batch in file.iter_batches())
            offsets = [_first_page(file.metadata, group) for group in range(file.metadata.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(" ".join(str(error).split())) from error
    if rows is not None and found != rows:
        raise DamagedFileError(f"it holds {found} rows, and the table's log says {rows}")
    with path.open("rb") as raw:
        return FileRead(size, is_checked=all(_page_has_checksum(raw.seek(at) and raw.read(64)) for at in offsets if at))


def compare_with_sidecar(path: Path) -> bool:
    """Compare a file with its checksum file; returns whether it has one.

    Raises:
        DamagedFileError: If they differ.
    """
    sidecar = path.with_name(f".{path.name}.crc")
    try:
        stored = sidecar.read_bytes()
    except FileNotFoundError:
        return False
    block = int.from_bytes(stored[4:8])
    if stored[:4] != _MAGIC or not 0 < block <= 1 << 20:
        raise DamagedFileError(f"its checksum file {sidecar.name} is damaged")
    sums, at = memoryview(stored)[8:], 0
    with path.open("rb") as file:
        while data := file.read(block * _AT_ONCE):
            for begin in range(0, len(data), block):
                if zlib.crc32(data[begin : begin + block]) != int.from_bytes(sums[at : at + 4]):
                    where = at // 4 * block
                    raise DamagedFileError(f"bytes {where:,} to {where + block:,} differ from their checksum")
                at += 4
    if at != len(sums):
        raise DamagedFileError(f"its end is missing: checksums are there for {len(sums) // 4 * block:,} bytes")
    return True


def _first_page(metadata: pq.FileMetaData, group: int) -> int | None:
    column = metadata.row_group(group).column(0)
    return int(column.dictionary_page_offset or column.data_page_offset) if metadata.num_columns else None


def _page_has_checksum(header: bytes | int) -> bool:
    """Whether a page's header, in Thrift's compact protocol, has the field with its checksum."""
    if not isinstance(header, bytes):
        return False
    at, field = 0, 0
    while at < len(header) and header[at] & 0x0F == _I32 and header[at] >> 4:
        field += header[at] >> 4
        if field >= _CRC_FIELD:
            return field == _CRC_FIELD
        at += 1
        while at < len(header) and header[at] & 0x80:
            at += 1
        at += 1
    return False
