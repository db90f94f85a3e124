from __future__ import annotations

from pathlib import Path

import pytest

from producers.replay.state import ReplayState


def state(
    folder: Path, session: str | None = None, topic: str = "t", digest: str = "d", cluster: str = "c"
) -> ReplayState:
    return ReplayState(folder, digest=digest, session=session, topic=topic, cluster=cluster)


def test_goes_on_where_it_stopped_and_starts_again_once_finished(tmp_path: Path):
    folder = tmp_path / "replay"
    assert state(folder).resume_at() == 0
    state(folder).save("f.csv", 100, 40)
    assert state(folder).resume_at() == 40
    state(folder).save("f.csv", 100, 100)
    assert state(folder).resume_at() == 0
    assert [path.suffix for path in folder.iterdir()] == [".json"]


def test_a_name_that_is_no_text_is_no_bar(tmp_path: Path):
    state(tmp_path).save("caf\udce9.csv", 100, 40)
    assert state(tmp_path).resume_at() == 40


def test_another_content_session_topic_or_cluster_is_another_replay(tmp_path: Path):
    state(tmp_path).save("f.csv", 100, 40)
    assert state(tmp_path, session="s").resume_at() == 0
    assert state(tmp_path, topic="u").resume_at() == 0
    assert state(tmp_path, digest="e").resume_at() == 0
    assert state(tmp_path, cluster="d").resume_at() == 0


def test_a_damaged_state_says_what_to_do(tmp_path: Path):
    one = state(tmp_path)
    one.save("f.csv", 100, 40)
    whole = one.path.read_text()
    for text in ("{", "[1]", '{"x": 1}', "[" * 100_000, whole.replace("40", "-40"), whole.replace("100", '"x"')):
        one.path.write_text(text)
        with pytest.raises(ValueError, match=r"not a replay state .* delete it to start from the beginning"):
            one.resume_at()
