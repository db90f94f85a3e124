"""One process fills a layer at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conf.settings import AppConfig
from streaming.claim import LayerTakenError, claim_layers

OTHER = """
import sys, time
from pathlib import Path
from conf.settings import AppConfig
from streaming.claim import claim_layers
with claim_layers(AppConfig(slipstream_home=Path(sys.argv[1]), _env_file=None), sys.argv[2:]):
    print("claimed", flush=True)
    time.sleep(600)
"""


@contextmanager
def another(home: AppConfig, *layers: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has claimed layers."""
    command = [sys.executable, "-c", OTHER, str(home.home), *layers]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield process
    finally:
        process.kill()
        process.wait()


def refusal(home: AppConfig, *layers: str) -> str:
    """The last line that a process prints which wants layers that are taken."""
    command = [sys.executable, "-c", OTHER, str(home.home), *layers]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()[-1]


def test_a_second_process_is_told_who_is_at_work_until_that_one_is_killed(home: AppConfig) -> None:
    with another(home, "silver", "gold") as process:
        told = rf"silver: .*`-c {home.home} silver gold`, process {process.pid}, since"
        with pytest.raises(LayerTakenError, match=told), claim_layers(home, ("bronze", "silver")):
            pass
        with claim_layers(home, ("bronze",)):  # not kept by the claim that failed, and nobody else's
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with claim_layers(home, ("silver", "gold")):
            pass


def test_a_process_claims_again_what_it_has_and_gives_it_up_at_the_end(home: AppConfig) -> None:
    with claim_layers(home, ("bronze", "silver")):
        with claim_layers(home, ("bronze",)):
            pass
        assert "LayerTakenError: bronze: another process is filling it" in refusal(home, "bronze")
    with another(home, "bronze", "silver") as process:
        assert process.poll() is None


def test_other_lakes_and_lakes_in_an_object_store_are_nobody_s(home: AppConfig) -> None:
    elsewhere = home.model_copy(update={"slipstream_home": home.home / "other"})
    remote = home.model_copy(update={"azure_storage_account": "account"})
    with another(home, "bronze"), claim_layers(elsewhere, ("bronze",)), claim_layers(remote, ("bronze",)):
        held = sorted(path.name for path in elsewhere.home.rglob("*.lock"))
        assert held == [".bronze.lock"]
        assert not list(Path.cwd().glob("abfss*"))
        assert "bronze: another process is filling it" in refusal(elsewhere, "bronze")
