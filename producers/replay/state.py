"""The saved progress of a replay, from which a later one can continue."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import NonNegativeInt, ValidationError

from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.plain_text import show_controls


class SavedProgress(FrozenModel):
    """The state of one file's replay.

    Attributes:
        file: Name of the file, for a reader of the state.
        rows: Readings of the file.
        acknowledged: Readings, counted in arrival order, that the broker has without a gap.
        updated: When, ISO 8601 UTC.
    """

    file: str
    rows: NonNegativeInt
    acknowledged: NonNegativeInt
    updated: str

    @property
    def finished(self) -> bool:
        """Whether the whole file was delivered."""
        return self.acknowledged >= self.rows


class ReplayState:
    """The state file of one content, session, topic and cluster.

    Written whole to a new file that then takes the old one's place, so that it is never half written.

    Args:
        folder: Folder of all states; made when first written to.
        digest: Identity of the file's content.
        session: Session given by the user, if any.
        topic: Where to.
        cluster: Id of the Kafka cluster, so that a broker may come back at another address.
    """

    def __init__(self, folder: Path, *, digest: str, session: str | None, topic: str, cluster: str) -> None:
        where = hashlib.sha256(f"{session or ''}|{topic}|{cluster}".encode()).hexdigest()[:8]
        self.path = folder / f"{digest}-{where}.json"

    def load(self) -> SavedProgress | None:
        """The last state saved, or None.

        Raises:
            InputError: If the state file is not one.
        """
        try:
            return SavedProgress.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"]
            raise InputError(
                f"{self.path}: not a replay state ({why}); delete it to start from the beginning"
            ) from error

    def resume_at(self) -> int:
        """The first reading not known to be delivered; 0 where nothing is known or the last replay was finished."""
        last = self.load()
        return 0 if last is None or last.finished else last.acknowledged

    def save(self, file: str, rows: int, acknowledged: int) -> None:
        """Record that the first ``acknowledged`` of ``rows`` readings are delivered."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        progress = SavedProgress(file=show_controls(file), rows=rows, acknowledged=acknowledged, updated=now)
        fresh = self.path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps(progress.model_dump()), encoding="utf-8")
        fresh.replace(self.path)
