"""Every job has one form: a declaration, a ``main``, help and a dry run, and the same flags as its command."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import typer
from pyspark import SparkContext
from pyspark.sql import SparkSession

from conf.contract import table_names
from conf.errors import AlertError, SlipstreamError
from conf.settings import get_settings
from infra.local.job_log import close_logs, say_at_work
from jobs.job import BatchJob, Job
from slipstream.cli import app
from streaming.catalog import ALL_JOBS

REPO = Path(__file__).resolve().parents[3]
NEEDED = {
    "jobs.build_track": ["--name", "new", "--session", "s"],
    "jobs.assign_track": ["barber", "--session", "s"],
    "jobs.calibrate_track": ["barber", "--session", "s"],
    "jobs.compare_laps": ["s/1/2", "s/1/best"],
    "jobs.coach_lap": ["--lap", "s/1/best"],
    "jobs.train_obd": ["--trip", "a.csv", "--trip", "b.csv"],
    "jobs.synthesize_ghost": ["--session", "s"],
}
OF_THE_COMMAND = {"--format", "--plot", "--save"}
OF_A_COMMAND_OF_SEVERAL_JOBS = {
    "stream": {"--reference-car"},
    "train style": {"--recipe", "--trip", "--features", "--seed"},
}


def ids(job: Job) -> str:
    return job.module


def command_of(job: Job) -> click.Command:
    command: click.Command = typer.main.get_command(app)
    for word in job.command.split():
        if not isinstance(command, click.Group) and not hasattr(command, "commands"):
            break  # an argument, such as the layer of `stream`
        command = command.commands[word]
    return command


def flags_of(job: Job) -> dict[str, object]:
    """Flags of the job's module with their defaults."""
    return {
        flag: action.default
        for action in job.parser()._actions
        for flag in action.option_strings
        if flag.startswith("--") and flag != "--help"
    }


@pytest.mark.parametrize("job", ALL_JOBS, ids=ids)
def test_a_job_is_declared_in_its_module_and_runs_from_there(job: Job) -> None:
    module = import_module(job.module)
    assert module.JOB is job
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert 'if __name__ == "__main__":\n    raise SystemExit(main())\n' in text


def test_every_module_with_a_main_is_listed() -> None:
    found = {
        f"{path.parent.name}.{path.stem}"
        for folder in ("jobs", "streaming")
        for path in (REPO / folder).glob("*.py")
        if re.search(r"^main = JOB\.main$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found == {job.module for job in ALL_JOBS}
    assert len({job.name for job in ALL_JOBS}) == len(ALL_JOBS), "names tell jobs apart in ops.job_runs"


@pytest.mark.parametrize("job", ALL_JOBS, ids=ids)
def test_its_tables_have_contracts(job: Job) -> None:
    assert {*job.inputs, *job.outputs} <= set(table_names())


@pytest.fixture
def no_jvm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a JVM fails; one that an earlier test has started cannot be found."""

    def launch_gateway(*_: object, **__: object) -> None:
        raise AssertionError("a JVM is started")

    monkeypatch.setattr(SparkContext, "_gateway", None)
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    monkeypatch.setattr(SparkSession, "_instantiatedSession", None)
    monkeypatch.setattr("pyspark.context.launch_gateway", launch_gateway)


@pytest.mark.usefixtures("no_jvm")
@pytest.mark.parametrize("job", ALL_JOBS, ids=ids)
def test_help_and_dry_run_start_nothing(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    main = import_module(job.module).main
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"python -m {job.module}" in shown
    assert job.summary in shown
    assert main([*NEEDED.get(job.module, []), "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{job.dry_run_sentence}\n"
    assert all(table in job.dry_run_sentence for table in (*job.inputs, *job.outputs))


@pytest.mark.usefixtures("no_jvm")
def test_a_start_of_spark_would_be_seen() -> None:
    with pytest.raises(AssertionError, match="a JVM is started"):
        SparkSession.builder.getOrCreate()


@pytest.mark.parametrize("job", ALL_JOBS, ids=ids)
def test_command_and_module_have_the_same_flags(job: Job) -> None:
    command, own = command_of(job), flags_of(job)
    options = {flag: p for p in command.params for flag in p.opts if flag.startswith("--")}
    assert not own.keys() - options.keys()
    several = [flags for name, flags in OF_A_COMMAND_OF_SEVERAL_JOBS.items() if job.command.startswith(name)]
    shared = set().union(*several)
    assert options.keys() - own.keys() <= OF_THE_COMMAND | shared
    for flag in own.keys() - shared:
        if own[flag] not in (None, []) and options[flag].default is not None:
            assert own[flag] == options[flag].default, flag


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the jobs of a home of its own log to."""
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path / "home"))
    yield tmp_path / "home" / "logs"
    close_logs()


def test_an_error_of_the_user_is_one_line(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_context: object, _given: object) -> str:
        raise SlipstreamError("lake.db, row 3: write it again")

    job = BatchJob(name="fails", module="jobs.fails", command="fails always", summary="Fails.", body=fail)
    assert job.main([]) == 1
    assert capsys.readouterr().err == "lake.db, row 3: write it again\n"
    assert (logs / "fails-always.log").read_text(encoding="utf-8").endswith("ERROR lake.db, row 3: write it again\n")


def test_progress_is_shown_and_logged(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_context: object, _given: object) -> str:
        with say_at_work("works", lambda: ", half of it", every_s=0.01):
            time.sleep(0.1)
        return "works: done"

    job = BatchJob(name="works", module="jobs.works", command="works", summary="Works.", body=work)
    assert job.main([]) == 0
    shown = capsys.readouterr()
    assert shown.out == "works: done\n", "the result stands alone"
    assert re.match(r"\d\d:\d\d:\d\d works: at work for 0 s, half of it\n", shown.err)
    logged = (logs / "works.log").read_text(encoding="utf-8")
    assert "INFO works: at work for 0 s, half of it\n" in logged
    assert logged.endswith("INFO works: done\n")


def test_where_no_log_can_be_kept_only_a_cluster_goes_on(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.parent.write_text("not a folder")
    job = BatchJob(name="works", module="jobs.works", command="works", summary="Works.", body=lambda *_: "works: done")
    assert job.main([]) == 1
    assert "Not a directory" in capsys.readouterr().err
    get_settings.cache_clear()
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert job.main([]) == 0
    shown = capsys.readouterr()
    assert shown.out == "works: done\n"
    assert shown.err.startswith("works: no log is kept: ")


@pytest.mark.usefixtures("logs")
def test_an_alert_comes_with_the_result_and_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def find(_context: object, _given: object) -> str:
        raise AlertError("silver: half of it was quarantined", "silver: 10 units")

    job = BatchJob(name="finds", module="jobs.finds", command="finds", summary="Finds.", body=find)
    assert job.main([]) == 3
    assert capsys.readouterr() == ("silver: 10 units\n", "silver: half of it was quarantined\n")


@pytest.mark.usefixtures("logs")
def test_a_missing_extra_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_context: object, _given: object) -> str:
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")

    job = BatchJob(name="fails", module="jobs.fails", command="fails", summary="Fails.", body=fail)
    assert job.main([]) == 1
    assert capsys.readouterr().err == "mlflow is not installed: pip install 'slipstream-lake[ml]'\n"


def test_a_fault_of_the_program_keeps_its_traceback(logs: Path) -> None:
    def fail(_context: object, _given: object) -> str:
        return str(SimpleNamespace(**dict(zip("ab", "c", strict=True))))

    job = BatchJob(name="fails", module="jobs.fails", command="fails", summary="Fails.", body=fail)
    with pytest.raises(ValueError, match="zip"):
        job.main([])
    assert "zip() argument" in (logs / "fails.log").read_text(encoding="utf-8")
