"""``models``: what is registered, which version is in use, how two of them compare, and which one is to be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipstream.console import DryRun, Format, print_answer, print_summary
from slipstream.logs import keep_log

if TYPE_CHECKING:
    from ml.tracking import ModelVersion, Tracker

app = typer.Typer()
models = typer.Typer(no_args_is_help=True, help="Registered models: list, show, compare two versions, promote one.")
app.add_typer(models, name="models", rich_help_panel="Models")

Name = Annotated[str, typer.Argument(metavar="MODEL", show_default=False, help="Name of the registered model.")]
Number = Annotated[str, typer.Argument(metavar="VERSION", show_default=False, help="Its number, or `production`.")]


@models.command("list")
def list_models(
    name: Annotated[
        str | None, typer.Argument(metavar="MODEL", show_default="all", help="Versions of this model only.")
    ] = None,
    output: Format = "table",
) -> None:
    """List models and versions: which is in use, its figure on what was kept aside with its interval, its verdict.

    `slipstream models list` · `slipstream models list driving-style --format json`
    """
    from ml.tracking import list_versions, registered_names
    from slipstream.terminal.models import versions_table

    tracker = _open_tracker()
    found = [one for model in ([name] if name else registered_names(tracker)) for one in list_versions(tracker, model)]
    if output == "json":
        print_answer(found)
    elif found:
        _print(versions_table(found))
    count = len({one.name for one in found})
    words = (
        f"{count} {'model' if count == 1 else 'models'}, {len(found)} {'version' if len(found) == 1 else 'versions'}"
    )
    print_summary(words if found else "no models yet: `slipstream train style` registers one", err=output == "json")


@models.command()
def show(
    name: Name,
    version: Annotated[
        str | None, typer.Option(show_default="the one in use", help="Number of the version, or `production`.")
    ] = None,
    output: Format = "table",
) -> None:
    """Show a version: its card, what it read, its figures with their intervals, and how it came into use or did not.

    `slipstream models show driving-style` · `slipstream models show mechanical-karma --version 2 --format json`
    """
    from ml.tracking import find_version
    from slipstream.terminal.models import version_group

    found = find_version(_open_tracker(), name, version)
    if output == "json":
        print_answer(found)
    else:
        _print(version_group(found))
    print_summary(_state(found), err=output == "json")


@models.command()
def compare(
    name: Name,
    version: Number,
    against: Annotated[
        str | None, typer.Argument(metavar="VERSION", show_default="the one in use", help="The other version.")
    ] = None,
    output: Format = "table",
) -> None:
    """Compare two versions: their figures side by side, and which is better on rows that neither learned from.

    The rows are those that the version's run keeps for this; the difference has a 95 % interval, and a version is
    better only if the whole of it says so.

    `slipstream models compare driving-style 3` · `slipstream models compare ghost-gan 2 1`
    """
    from ml.registered import compare_versions
    from ml.tracking import find_version
    from slipstream.terminal.models import ComparedVersions, compared_table

    tracker = _open_tracker()
    candidate, incumbent = (find_version(tracker, name, number) for number in (version, against))
    found = compare_versions(tracker, candidate, incumbent)
    if output == "json":
        print_answer(ComparedVersions.of(candidate, incumbent, found))
    else:
        _print(compared_table(candidate, incumbent))
    print_summary(f"{_label(candidate)} against {_label(incumbent)}: {found.reason}", err=output == "json")


@models.command()
@keep_log("models-promote")
def promote(
    name: Name,
    version: Number,
    force: Annotated[
        bool, typer.Option("--force", help="Promote it even if it is not better: to go back to an earlier version.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Put a version into use: move the alias `production` to it, if it is better than the one that has it.

    Better means what it means after a training: the whole interval of the difference says so, on rows that neither
    learned from. A running `slipstream stream karma` takes the version up with its next batch.

    `slipstream models promote driving-style 3` · `slipstream models promote mechanical-karma 1 --force`
    """
    from ml.tracking import find_version

    tracker = _open_tracker()
    candidate = find_version(tracker, name, version)
    if candidate.is_in_use:
        print_summary(f"{_label(candidate)} is in use already")
        return
    is_better, reason = _judge(tracker, candidate)
    if not (is_better or force):
        print_summary(f"{_label(candidate)} stays out of use, {reason}; --force promotes it all the same")
        raise typer.Exit(1)
    if dry_run:
        print_summary(f"would put {_label(candidate)} into use, {reason}")
        return
    by = "" if is_better else "by --force, "
    tracker.promote(name, candidate.version)
    tracker.note_verdict(name, candidate.version, f"promoted by hand, {by}{reason}")
    print_summary(f"{_label(candidate)} is in use now, {by}{reason}")


def _judge(tracker: Tracker, candidate: ModelVersion) -> tuple[bool, str]:
    """Whether a version is better than the one in use, and why."""
    from ml.registered import compare_versions
    from ml.tracking import TrackingError, find_version

    in_use = tracker.version_in_use(candidate.name)
    if in_use is None:
        return True, "no other is"
    try:
        found = compare_versions(tracker, candidate, find_version(tracker, candidate.name, in_use))
    except TrackingError as error:
        return False, f"not compared with version {in_use}: {error}"
    return found.is_better, f"against version {in_use}: {found.reason}"


def _open_tracker() -> Tracker:
    from conf.settings import get_settings
    from infra.local.stack import find_endpoints
    from ml.tracking import Tracker

    return Tracker(find_endpoints(get_settings()).tracking_uri)


def _label(version: ModelVersion) -> str:
    return f"{version.name} version {version.version}"


def _state(version: ModelVersion) -> str:
    state = "in use" if version.is_in_use else "not in use"
    return f"{_label(version)}: {state}" + (f" ({version.verdict})" if version.verdict else "")


def _print(renderable: Any) -> None:
    from conf.plain_console import PlainConsole

    PlainConsole().print_wide(renderable)
