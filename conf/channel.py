"""The channel registry: our canonical channels, and how each source names, scales and twists them."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from conf.errors import InputError, check_input
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml


class Channel(FrozenModel):
    """A canonical channel: a column of ``silver.telemetry``.

    Attributes:
        minimum: Values below are held to it; the gate says from where on they are refused.
    """

    name: str
    type: str
    unit: str
    description: str
    minimum: float | None = None


class ChannelMapping(FrozenModel):
    """How a source sends a channel: ``canonical = value * factor``."""

    channel: str
    factor: float = 1.0
    note: str | None = None


class SourceDialect(FrozenModel):
    """A naming variant (dialect) of a source: its channel names and what they mean."""

    description: str
    channels: dict[str, ChannelMapping]


class ChannelRegistry(FrozenModel):
    """All channels and sources.

    Attributes:
        lost_lap_counter: Value of a lap counter that was lost.
        max_lap_number: Lap counters above this are corrupt (B6).
        brake_full_scale_bar: Front brake pressure that counts as 100 %.
    """

    channels: tuple[Channel, ...]
    sources: dict[str, SourceDialect]
    lost_lap_counter: int
    max_lap_number: int
    brake_full_scale_bar: float

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical channel names in order."""
        return tuple(c.name for c in self.channels)

    @property
    def minimums(self) -> dict[str, float]:
        """Minimum of the channels that have one."""
        return {c.name: c.minimum for c in self.channels if c.minimum is not None}

    def channel(self, name: str) -> Channel:
        """The channel of that canonical name."""
        return next(c for c in self.channels if c.name == name)


@lru_cache
def load_channels() -> ChannelRegistry:
    """Load ``conf/channels.yaml``.

    Raises:
        InputError: If the file does not fit, or a source maps to a channel that does not exist.
    """
    text = (files("conf") / "channels.yaml").read_text(encoding="utf-8")
    with check_input("conf/channels.yaml"):
        registry = ChannelRegistry.model_validate(parse_yaml(text))
    known = set(registry.names)
    for dialect, source in registry.sources.items():
        for name, mapping in source.channels.items():
            if mapping.channel not in known:
                raise InputError(f"conf/channels.yaml: {dialect}.{name} maps to unknown channel '{mapping.channel}'")
    return registry
