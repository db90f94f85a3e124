"""Process many sessions in batches by size, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def batches_by_size(sizes: Mapping[str, int], most: int) -> Iterator[set[str]]:
    """Sessions in groups whose sizes add up to no more than ``most``; a larger session is a group of its own.

    Args:
        sizes: Laps, vehicles or whatever counts, by session.
        most: Of a group.
    """
    group: set[str] = set()
    held = 0
    for session, size in sorted(sizes.items()):
        if group and held + size > most:
            yield group
            group, held = set(), 0
        group.add(session)
        held += size
    if group:
        yield group
