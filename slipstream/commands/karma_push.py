"""``karma export`` and ``karma push``: scores as a file, and as a tree in a Firebase Realtime Database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, print_summary, show_progress
from slipstream.logs import keep_log

if TYPE_CHECKING:
    from serving.export.firebase import RealtimeDatabase
    from serving.export.karma_tree import Tree

Session = Annotated[
    str | None,
    typer.Option(show_default=False, help="Session; if left out, of each vehicle the one that ended last."),
]
Vehicle = Annotated[str | None, typer.Option(show_default=False, help="Vehicle id; all if left out.")]


@keep_log("karma-export")
def export(
    session: Session = None,
    vehicle: Vehicle = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help=".json: the tree; .parquet: the rows, of all sessions if none is named. "
            "$SLIPSTREAM_HOME/exports/karma.json if left out.",
        ),
    ] = None,
) -> None:
    """Write the scores of `gold.karma_scores` to one file, without a JVM.

    As JSON they are the tree `{vehicle: {lap: {component: score}}}` that `slipstream karma push` sends; as Parquet the
    rows of the table with all its columns.

    `slipstream karma export --session barber-R1 --out karma.json`

    `slipstream karma export --vehicle GR86-022-13 --out karma.parquet`
    """
    from conf.settings import get_settings
    from serving.export.karma_tree import build_karma_tree, count_leaves, read_karma_rows, write_scores, write_tree
    from serving.lake.reader import LakeReader

    settings = get_settings()
    path = out or settings.home / "exports" / "karma.json"
    if path.suffix == ".parquet":
        print_summary(f"exported {write_scores(LakeReader(settings), path, session, vehicle):,} rows to {path}")
    elif path.suffix == ".json":
        tree = build_karma_tree(read_karma_rows(LakeReader(settings), session, vehicle))
        write_tree(tree, path)
        print_summary(f"exported {count_leaves(tree):,} leaves of {len(tree)} vehicles to {path}")
    else:
        raise typer.BadParameter("must end in .json (the tree) or .parquet (the rows)", param_hint="--out")


@keep_log("karma-push")
def push(
    session: Session = None,
    vehicle: Vehicle = None,
    url: Annotated[
        str | None,
        typer.Option(show_default=False, help="Database, without passwords; FIREBASE_DB_URL if left out."),
    ] = None,
    service_account: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Key file of the service account to write as; FIREBASE_CREDENTIALS if left out. An emulator on this "
            "machine needs none.",
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Send what did not change since the last push too.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Push the scores to `/karma/{vehicle}/{lap}/{component}` of a Firebase Realtime Database.

    Only what changed since the last push is sent, and what is there of an earlier session of a vehicle is removed. A
    push that was cut off is gone on with by the next one; to push twice changes nothing. What was pushed is remembered
    in `$SLIPSTREAM_HOME/push`; if others write to `/karma` too, or it was emptied, send everything with `--rebuild`.

    `slipstream karma push --url https://PROJECT-default-rtdb.firebaseio.com --service-account key.json`

    `slipstream karma push --url http://127.0.0.1:9000/?ns=PROJECT --dry-run`
    """
    from conf.settings import get_settings
    from serving.export.firebase import RealtimeDatabase
    from serving.export.karma_push import push_state_file, push_tree
    from serving.export.karma_tree import build_karma_tree, read_karma_rows
    from serving.lake.reader import LakeReader

    settings = get_settings()
    database = RealtimeDatabase.parse(url or settings.firebase_db_url)
    key_file = service_account or settings.firebase_credentials
    tree = build_karma_tree(read_karma_rows(LakeReader(settings), session, vehicle))
    state = push_state_file(settings.home, database)
    if dry_run:
        _print_planned_push(database, tree, state, everything=rebuild)
        return
    with show_progress("leaves") as update:
        done = push_tree(
            tree, database, state, key_file, everything=rebuild, on_progress=lambda *of: update(database.host, *of)
        )
    removed = f", removed {done.removed:,}," if done.removed else ""
    print_summary(
        f"pushed {done.sent:,} leaves{removed} in {done.requests} requests ({done.unchanged:,} unchanged, "
        f"{done.retries} retries) to {database.host}"
    )


def _print_planned_push(database: RealtimeDatabase, tree: Tree, state: Path, *, everything: bool) -> None:
    """Say what a push would do."""
    from serving.export.karma_push import BATCH, NODE, find_changes, push_outcome, read_pushed_digests

    changes = find_changes(tree, read_pushed_digests(state), everything=everything)
    would = push_outcome(tree, changes, -(-len(changes) // BATCH))
    removed = f", remove {would.removed:,}," if would.removed else ""
    print_summary(
        f"would push {would.sent:,} leaves{removed} in {would.requests} requests ({would.unchanged:,} unchanged) "
        f"to {database.node_url(NODE)}"
    )
