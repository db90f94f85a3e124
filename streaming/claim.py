"""One process at a time fills a layer of a lake: a second one is told who is at work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from conf.errors import SlipstreamError
from conf.lake import checkpoint_uri
from conf.settings import AppConfig
from infra.local.files import read_json, write_json


class LayerTakenError(SlipstreamError):
    """Another process fills the layer; the message names it."""


@contextmanager
def claim_layers(settings: AppConfig, layers: Sequence[str]) -> Iterator[None]:
    """Hold layers of a lake for this process, which may claim them again meanwhile.

    The system gives up what a process held when it ends, however it ends. Only a lake in a folder can be claimed: in an
    object store there is nothing to hold, and Spark itself refuses a second query on a checkpoint.

    Args:
        settings: Of the lake.
        layers: Names of the jobs that fill them.

    Raises:
        LayerTakenError: If another process has one of them; none is held then.
    """
    with ExitStack() as held:
        for layer in layers if "://" not in settings.lake_root else ():
            held.enter_context(_claim(layer, Path(checkpoint_uri(layer, settings))))
        yield


@contextmanager
def _claim(layer: str, checkpoint: Path) -> Iterator[None]:
    lock, holder = (checkpoint.with_name(f".{layer}.{ending}") for ending in ("lock", "json"))
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock, timeout=0, is_singleton=True, thread_local=False).acquire()
    except Timeout:
        by = read_json(holder) or {}
        raise LayerTakenError(
            f"{layer}: another process is filling it in this lake: `{by.get('command', 'unknown')}`, process "
            f"{by.get('pid', 'unknown')}, since {by.get('since', 'just now')}. Wait for its end, or stop it."
        ) from None
    with held:
        since = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
        write_json(holder, {"pid": os.getpid(), "command": _command(), "since": since})
        yield


def _command() -> str:
    return " ".join((Path(sys.argv[0]).name, *sys.argv[1:]))
