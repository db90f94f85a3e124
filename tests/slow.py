"""Whether the tests that take minutes for a rare guarantee run, too."""

from __future__ import annotations

import os

SLOW = os.environ.get("SLIPSTREAM_SLOW_TESTS") == "1"
