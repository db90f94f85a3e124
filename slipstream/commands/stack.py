"""``up``, ``down``, ``status`` and ``doctor``: the local Kafka broker and MLflow server, and whether all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, Format, print_answer, print_summary

if TYPE_CHECKING:
    from rich.console import Console

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
    from rich.console import Console

    from conf.settings import get_settings
    from infra.local import stack

    settings, console = get_settings(), Console()
    if dry_run:
        running = {each.name for each in stack.stack_status(settings) if each.state == "up"}
        wanted = [name for name in service or stack.local_services(settings) if name not in running]
        typer.echo(f"would start {' and '.join(wanted) or 'nothing'}, nothing done")
        return
    statuses = stack.start_stack(settings, auto_port, service, Console(stderr=True))
    stack.print_status(statuses, console)
    places = ", ".join(f"{each.name} at {each.address}" for each in statuses if each.state == "up")
    print_summary(f"up: {places or 'nothing'}; `slipstream down` stops it")


@app.command(rich_help_panel=PANEL)
def down(service: Services = None, dry_run: DryRun = False) -> None:
    """Stop what `slipstream up` started; the data stay.

    `slipstream down` · `slipstream down --service mlflow`
    """
    from rich.console import Console

    from conf.settings import get_settings
    from infra.local import stack

    settings = get_settings()
    if dry_run:
        wanted = [
            s.name for s in stack.stack_status(settings) if s.state != "down" and s.name in (service or stack.SERVICES)
        ]
        typer.echo(f"would stop {' and '.join(wanted) or 'nothing'}, nothing done")
        return
    stack.stop_stack(settings, service or stack.SERVICES, Console(stderr=True))
    print_summary(f"stopped; the data stay in {settings.home}")


@app.command(rich_help_panel=PANEL)
def status(output: Format = "table") -> None:
    """Say what runs and where: up, down, or stale (started, but gone).

    `slipstream status` · `slipstream status --format json`
    """
    from rich.console import Console

    from conf.settings import get_settings
    from infra.local import stack

    statuses = stack.stack_status(get_settings())
    if output == "json":
        print_answer(statuses)
        return
    stack.print_status(statuses, Console())
    print_summary(f"{sum(each.state == 'up' for each in statuses)} of {len(statuses)} services are up")


@app.command(rich_help_panel=PANEL)
def doctor(output: Format = "table") -> None:
    """Check Java, packages, jars, ports, Kafka, MLflow and the lake, and balance the lake.

    The balance: units in bronze = written + identical repeats + conflicts + quarantined, and Kafka's offsets without
    a gap. Ends with exit code 1 if anything fails.

    `slipstream doctor` · `slipstream doctor --format json`
    """
    from rich.console import Console

    from conf.settings import get_settings
    from infra import doctor as infra_doctor
    from serving.lake.reconciliation import DoctorAnswer

    settings = get_settings()
    balance, problem = _balance(settings)
    checks = [*infra_doctor.run_checks(settings), *([problem] if problem else [])]
    bad = [check.name for check in checks if check.outcome == "fail"]
    if balance is not None and balance.broken:
        bad.append("balance")
    if output == "json":
        print_answer(DoctorAnswer(ok=not bad, checks=tuple(checks), balance=balance))
    else:
        console = Console()
        infra_doctor.print_checks(checks, console)
        _print_balance(balance, console)
        print_summary(f"failed: {', '.join(bad)}" if bad else "all is well")
    if bad:
        raise typer.Exit(1)


def _balance(settings: AppConfig) -> tuple[LakeBalance | None, Finding | None]:
    """The lake's balance, or the finding that says why there is none."""
    from conf.errors import SlipstreamError
    from infra.doctor import Finding

    try:
        from serving.lake.balance import reconcile_lake
        from serving.lake.reader import LakeReader
    except ModuleNotFoundError as error:
        remedy = "pip install 'slipstream-lake[query]'"
        return None, Finding("balance", "warn", f"not computed, {error.name} is not installed", remedy)
    try:
        return reconcile_lake(LakeReader(settings)), None
    except SlipstreamError as error:
        return None, Finding("balance", "fail", str(error))


def _print_balance(balance: LakeBalance | None, console: Console) -> None:
    if balance is None:
        return
    from slipstream.terminal.tables import balance_group, print_wide

    console.print()
    print_wide(console, balance_group(balance))
    console.print()
