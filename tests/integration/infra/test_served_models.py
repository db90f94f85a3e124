"""A registered model answers over HTTP: logged with a real server, served by MLflow's own command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

from conf.settings import AppConfig
from infra.local import ports, stack
from ml.style.model import FittedStyle, ForestParams, train_forest
from ml.style.packaging import style_to_log
from ml.tracking import Tracker

pytestmark = pytest.mark.integration
WINDOWS = pd.DataFrame({"speed": np.linspace(0, 1, 40), "brake": np.linspace(1, 0, 40)})
READY_TIMEOUT_S = 120.0


@pytest.fixture(scope="module")
def forest() -> FittedStyle:
    return train_forest(WINDOWS, ["NORMAL"] * 20 + ["AGGRESSIVE"] * 20, ForestParams(n_estimators=5, n_jobs=1))


@pytest.fixture
def served(running: AppConfig, forest: FittedStyle, tmp_path: Path) -> Iterator[str]:
    """Address of the model in use, served by ``mlflow models serve``."""
    tracker = Tracker(stack.find_endpoints(running).tracking_uri)
    with tracker.run("served", "forest", {}) as run:
        version = run.register("served-style", style_to_log(forest, WINDOWS.head(3), 0.5), "test.f1", "onnx")
    tracker.promote("served-style", version)
    port = ports.choose_port("test", "a port", 24000 + os.getpid() % 1000, auto_port=True)
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/served-style@production"),
        *("--env-manager", "local", "--host", ports.HOST, "--port", str(port)),
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # as in an environment that is active
    with (tmp_path / "serve.log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=os.environ | {"MLFLOW_TRACKING_URI": tracker.uri, "PATH": path},
            start_new_session=True,
        )
        try:
            _wait(f"http://{ports.HOST}:{port}", process, tmp_path / "serve.log")
            yield f"http://{ports.HOST}:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/ping", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(log.read_text())


def _ask(address: str, body: dict[str, object]) -> dict[str, list[dict[str, object]]]:
    request = urllib.request.Request(
        f"{address}/invocations", orjson.dumps(body), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return orjson.loads(answer.read())


def test_a_served_model_gives_the_probabilities_of_the_one_that_was_trained(served: str, forest: FittedStyle) -> None:
    asked = WINDOWS.iloc[[0, 13, 19, 26, 39]]
    answered = _ask(served, {"dataframe_records": asked.to_dict(orient="records"), "params": {"threshold": 0.7}})
    found = pd.DataFrame(answered["predictions"])
    expected = forest.predict_proba(asked)
    np.testing.assert_allclose(found["probability_aggressive"].astype(float), expected, atol=1e-6)
    assert list(found["label"]) == ["AGGRESSIVE" if p > 0.7 else "NORMAL" for p in expected]
    with pytest.raises(urllib.error.HTTPError) as refused:
        _ask(served, {"dataframe_records": [{"speed": 1.0}]})
    assert refused.value.code == 400
    assert b"brake" in refused.value.read()
