"""``up``, ``down``, ``status`` and ``doctor``: the local Kafka broker and MLflow server, and whether all is well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, Format, print_answer, print_summary, say, show_progress

if TYPE_CHECKING:
    from conf.plain_console import PlainConsole
    from conf.settings import AppConfig
    from infra.doctor import Finding
    from serving.lake.reconciliation import LakeBalance

app = typer.Typer()

PANEL = "Local stack"


def _known(services: list[str] | None) -> list[str] | None:
    for name in services or ():
        if name not in ("kafka", "mlflow"):
            raise typer.BadParameter(f"'{name}' is neither kafka nor mlflow")
    return services


Services = Annotated[
    list[str] | None,
    typer.Option("--service", callback=_known, help="Only this one, kafka or mlflow; may be given twice."),
]


@app.command(rich_help_panel=PANEL)
def up(
    service: Services = None,
    auto_port: Annotated[bool, typer.Option("--auto-port", help="Take the next free port if one is taken.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Start Kafka and MLflow on this machine and create the topics.

    What already runs is left alone; the first start fetches the jars. Data and logs are under `$SLIPSTREAM_HOME`.

    `slipstream up` · `slipstream up --auto-port` · `slipstream up --service kafka`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra.local import stack

    settings, console = get_settings(), PlainConsole()
    if dry_run:
        running = {each.name for each in stack.stack_status(settings) if each.state == "up"}
        wanted = [name for name in service or stack.local_services(settings) if name not in running]
        say(f"would start {' and '.join(wanted) or 'nothing'}, nothing done")
        return
    statuses = stack.start_stack(settings, auto_port, service, PlainConsole(stderr=True))
    stack.print_status(statuses, console)
    places = ", ".join(f"{each.name} at {each.address}" for each in statuses if each.state == "up")
    print_summary(f"up: {places or 'nothing'}; `slipstream down` stops it")


@app.command(rich_help_panel=PANEL)
def down(service: Services = None, dry_run: DryRun = False) -> None:
    """Stop what `slipstream up` started; the data stay.

    `slipstream down` · `slipstream down --service mlflow`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra.local import stack

    settings = get_settings()
    if dry_run:
        wanted = [
            s.name for s in stack.stack_status(settings) if s.state != "down" and s.name in (service or stack.SERVICES)
        ]
        say(f"would stop {' and '.join(wanted) or 'nothing'}, nothing done")
        return
    stack.stop_stack(settings, service or stack.SERVICES, PlainConsole(stderr=True))
    print_summary(f"stopped; the data stay in {settings.home}")


@app.command(rich_help_panel=PANEL)
def status(output: Format = "table") -> None:
    """Say what runs and where: up, down, or stale (started, but gone).

    `slipstream status` · `slipstream status --format json`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra.local import stack

    statuses = stack.stack_status(get_settings())
    if output == "json":
        print_answer(statuses)
        return
    stack.print_status(statuses, PlainConsole())
    print_summary(f"{sum(each.state == 'up' for each in statuses)} of {len(statuses)} services are up")


@app.command(rich_help_panel=PANEL)
def doctor(
    output: Format = "table",
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file of the lake and compare it with its checksums.")
    ] = False,
) -> None:
    """Check Java, packages, jars, ports, Kafka, MLflow and the lake's files, and balance the lake.

    The balance: units in bronze = written + identical repeats + conflicts + quarantined, and Kafka's offsets without
    a gap. A file that is missing or torn is named, with what to do; `--deep` finds a flipped bit, too. Ends with exit
    code 1 if anything fails; a balance that does not close is told to whom `ALERT_COMMAND` and `ALERT_URL` name, too.

    `slipstream doctor` · `slipstream doctor --deep` · `slipstream doctor --format json`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra import doctor as infra_doctor
    from serving.lake.reconciliation import DoctorAnswer

    settings = get_settings()
    checks = infra_doctor.run_checks(settings)
    checks += infra_doctor.run_guarded(lambda own: _check_files(own, deep=deep), settings, "files")
    checks += infra_doctor.run_guarded(_check_rows, settings, "rows")
    balance, problem = _balance(settings)
    checks += [problem] if problem else []
    bad = [check.name for check in checks if check.outcome == "fail"]
    if balance is not None and balance.broken:
        bad.append("balance")
        _alert_of_balance(settings, balance)
    if output == "json":
        print_answer(DoctorAnswer(ok=not bad, checks=tuple(checks), balance=balance))
    else:
        console = PlainConsole()
        infra_doctor.print_checks(checks, console)
        _print_balance(balance, console)
        print_summary(f"failed: {', '.join(bad)}" if bad else "all is well")
    if bad:
        raise typer.Exit(1)


def _alert_of_balance(settings: AppConfig, balance: LakeBalance) -> None:
    """Tell whom the settings name that units are lost or counted twice."""
    from infra.alerts import Alert, has_hooks, send_alert
    from infra.local.job_log import progress_on_terminal

    if not has_hooks(settings):
        return
    with progress_on_terminal():
        alert = Alert(alert="balance", message=balance.summary, lake=settings.lake_root, job="doctor")
        send_alert(settings, alert)


def _check_files(settings: AppConfig, *, deep: bool) -> Iterator[Finding]:
    """The lake's files; nothing without what reads tables."""
    try:
        from serving.lake.integrity import check_lake_files
    except ModuleNotFoundError:
        return
    with show_progress("files") as update:
        yield from check_lake_files(settings, deep=deep, progress=update)


def _check_rows(settings: AppConfig) -> Iterator[Finding]:
    """Rows that would be made otherwise now; nothing without what reads tables."""
    try:
        from serving.lake.staleness import check_stale_rows
    except ModuleNotFoundError:
        return
    yield from check_stale_rows(settings)


def _balance(settings: AppConfig) -> tuple[LakeBalance | None, Finding | None]:
    """The lake's balance, or the finding that says why there is none."""
    from infra.doctor import Finding, run_guarded

    try:
        from serving.lake.balance import reconcile_lake
        from serving.lake.reader import LakeReader
    except ModuleNotFoundError as error:
        remedy = "pip install 'slipstream-lake[query]'"
        return None, Finding("balance", "warn", f"not computed, {error.name} is not installed", remedy)
    found: list[LakeBalance] = []

    def balance(own: AppConfig) -> Iterator[Finding]:
        found.append(reconcile_lake(LakeReader(own)))
        yield from ()

    problems = list(run_guarded(balance, settings, "balance"))
    if problems:
        return None, replace(problems[0], remedy="It needs all tables; see the files above.")
    return found[0], None


def _print_balance(balance: LakeBalance | None, console: PlainConsole) -> None:
    if balance is None:
        return
    from slipstream.terminal.tables import balance_group

    console.print()
    console.print_wide(balance_group(balance))
    console.print()
