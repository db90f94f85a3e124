"""Push the ``/karma`` tree to a Realtime Database; only what changed since the last push is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from filelock import FileLock

from infra.local.files import make_private_folder, read_json, write_json
from serving.export.firebase import RealtimeDatabase, open_database_session, patch_node
from serving.export.karma_tree import Leaf, Tree, count_leaves

NODE: Final = "karma"
BATCH: Final = 500  # leaves a request: some 0.5 MB, and no more Cloud Functions than one write may set off
IN_DOUBT: Final = ""

Changes = dict[str, Leaf | None]


@dataclass(frozen=True)
class PushResult:
    """What a push did.

    Attributes:
        sent: Leaves written.
        removed: Leaves removed, of laps that the vehicle's session does not have.
        unchanged: Leaves that are there as they were last pushed, and were not sent.
        requests: Requests that were acknowledged.
        retries: Attempts beyond the first of these.
    """

    sent: int = 0
    removed: int = 0
    unchanged: int = 0
    requests: int = 0
    retries: int = 0


def find_changes(tree: Tree, pushed: Mapping[str, str], *, everything: bool = False) -> Changes:
    """What to write where, by path under ``/karma``; ``None`` removes, and comes first, lest two sessions mix.

    A vehicle's laps are removed where its session has none of that number: they are an earlier session's. Vehicles that
    the tree does not have are left as they are.

    Args:
        tree: What shall be there.
        pushed: Digest of each leaf that was pushed, by path.
        everything: Write what did not change too.
    """
    leaves = {
        f"{vehicle}/{lap}/{component}": leaf
        for vehicle, laps in tree.items()
        for lap, components in laps.items()
        for component, leaf in components.items()
    }
    gone = [path for path in pushed if path.partition("/")[0] in tree and path not in leaves]
    changed = {path: leaf for path, leaf in leaves.items() if everything or pushed.get(path) != leaf_digest(leaf)}
    return dict.fromkeys(gone) | changed


def push_state_file(home: Path, database: RealtimeDatabase) -> Path:
    """File under a home that remembers what was pushed to a database."""
    return home / "push" / f"{hashlib.sha256(database.node_url(NODE).encode()).hexdigest()[:16]}.json"


def leaf_digest(leaf: Leaf) -> str:
    """SHA-256 of a leaf."""
    return hashlib.sha256(orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_pushed_digests(state: Path) -> dict[str, str]:
    """Digest of each leaf that was pushed, by path; none where nothing was.

    Raises:
        InputError: If the file is damaged; the message names it and the remedy.
    """
    return dict((read_json(state) or {}).get("leaves", {}))


def push_tree(
    tree: Tree,
    database: RealtimeDatabase,
    state: Path,
    key_file: Path | None = None,
    *,
    everything: bool = False,
    batch: int = BATCH,
    backoff_s: float = 0.5,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PushResult:
    """Make ``/karma`` of a database equal to a tree, for the vehicles of the tree.

    Of each batch the paths are noted as in doubt, then it is written, then the digests of its leaves are noted. A push
    that is killed at any of these points leaves in doubt what may or may not have arrived, and the next one sends it
    again. Each leaf is replaced whole at its path, so to send it twice is to send it once. Of two pushes to the same
    database the second waits for the first.

    Args:
        tree: What shall be there.
        database: Where to.
        state: File that remembers what was pushed; written here.
        key_file: Key of a service account; an emulator on this machine does without.
        everything: Send what did not change too.
        batch: Most leaves of a request.
        backoff_s: Wait before the second retry, doubled at each further one; the first follows at once.
        on_progress: Told how many leaves are done, and how many there are.

    Raises:
        PushError: If the key file is no key, or the database does not answer or refuses.
        InputError: If the state file is damaged.
    """
    with (
        open_database_session(database, key_file, backoff_s=backoff_s) as session,
        FileLock(state.with_suffix(".lock")),
    ):
        pushed = read_pushed_digests(state)
        changes = find_changes(tree, pushed, everything=everything)
        n_done = n_requests = n_retries = 0
        for part in _batches(changes, batch):
            _write_pushed(state, database, pushed | dict.fromkeys(part, IN_DOUBT))
            n_retries += patch_node(session, database, NODE, part)
            pushed = _pushed_after(pushed, part)
            _write_pushed(state, database, pushed)
            n_requests, n_done = n_requests + 1, n_done + len(part)
            on_progress(n_done, len(changes))
    return push_outcome(tree, changes, n_requests, n_retries)


def push_outcome(tree: Tree, changes: Changes, n_requests: int, n_retries: int = 0) -> PushResult:
    """Compute what a push of these changes would do."""
    removed = sum(leaf is None for leaf in changes.values())
    sent = len(changes) - removed
    return PushResult(sent, removed, count_leaves(tree) - sent, n_requests, n_retries)


def _batches(changes: Changes, size: int) -> Iterator[Changes]:
    items = list(changes.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])


def _pushed_after(pushed: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """What is pushed when these changes are."""
    kept = {path: known for path, known in pushed.items() if path not in changes}
    return kept | {path: leaf_digest(leaf) for path, leaf in changes.items() if leaf is not None}


def _write_pushed(state: Path, database: RealtimeDatabase, pushed: Mapping[str, str]) -> None:
    make_private_folder(state.parent)
    write_json(state, {"url": database.node_url(NODE), "leaves": pushed})
