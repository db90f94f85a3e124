"""How the many short-lived JVMs of these tests are run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def quick_start() -> Iterator[None]:
    """Let every JVM compile once and quickly: it ends before a second, better compilation has paid for itself."""
    with pytest.MonkeyPatch.context() as patch:
        own = os.environ.get("JAVA_TOOL_OPTIONS", "")
        patch.setenv("JAVA_TOOL_OPTIONS", f"-XX:TieredStopAtLevel=1 {own}".strip())
        yield
