"""Circuits of sessions: our own by their files, the others as they were built."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.track_build.rows import circuit_row
from analysis.tracks.circuit import circuit_from_track, name_corners
from conf.track import load_track
from serving.lake.reader import LakeReader
from serving.queries.circuits import CircuitError, load_circuit, session_track, track_title
from tests.unit.serving.race_lake import write_rows


def test_our_own_circuit_needs_no_table(home):
    assert load_circuit(LakeReader(home), "three-oaks").corners == circuit_from_track(load_track("three-oaks")).corners
    assert track_title(LakeReader(home), "three-oaks") == load_track("three-oaks").title


def test_a_built_circuit_comes_back_as_it_was(home):
    made = name_corners(circuit_from_track(load_track("alder-ridge")), {1: "First"})
    row = circuit_row(made) | {"track_id": "built", "name": "Built Ring", "origin_lat_deg": 1.5, "origin_lon_deg": -2.0}
    write_rows(home, "silver.tracks", [row])
    found = load_circuit(LakeReader(home), "built")
    assert found.corners == made.corners
    assert found.sector_ends_m == made.sector_ends_m
    assert found.origin_deg == (1.5, -2.0)
    np.testing.assert_allclose(found.line.x_m, made.line.x_m)
    assert track_title(LakeReader(home), "built") == "Built Ring"


def test_what_is_not_known_says_what_builds_it(home):
    with pytest.raises(CircuitError, match=r"'nowhere' is not in silver\.tracks: `slipstream track build`"):
        load_circuit(LakeReader(home), "nowhere")
    write_rows(
        home, "silver.tracks", [circuit_row(circuit_from_track(load_track("three-oaks"))) | {"track_id": "other"}]
    )
    with pytest.raises(CircuitError, match="nowhere"):
        load_circuit(LakeReader(home), "nowhere")
    assert track_title(LakeReader(home), "nowhere") == "nowhere"


def test_track_of_a_session(home):
    assert session_track(LakeReader(home), "s") is None
    write_rows(home, "silver.sessions", [{"session_id": "s", "track_id": "ring"}, {"session_id": "t"}])
    assert [session_track(LakeReader(home), name) for name in ("s", "t", "u")] == ["ring", None, None]
