"""Pushing against a server that does as Firebase does: what arrives, once, whatever happens on the way."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import serving.export.firebase as firebase
from serving.export.firebase import ATTEMPTS, PushError, RealtimeDatabase
from serving.export.karma_push import PushResult, find_changes, push_state_file, push_tree, read_pushed_digests
from serving.export.karma_tree import Tree, build_karma_tree
from tests.unit.serving.export.firebase_server import DROP, EMAIL, TOKEN, FirebaseServer, pem, private_key
from tests.unit.serving.export.firebase_server import serving as serving_firebase
from tests.unit.serving.export.karma_rows import race

LEAVES = 24


@pytest.fixture
def server() -> Iterator[FirebaseServer]:
    with serving_firebase() as server:
        yield server


@pytest.fixture
def tree() -> Tree:
    return build_karma_tree(race())


class Pusher:
    """Pushes to a server from a home of its own."""

    def __init__(self, server: FirebaseServer, home: Path) -> None:
        self.database = RealtimeDatabase.parse(server.url)
        self.state = push_state_file(home, self.database)

    def __call__(self, tree: Tree, key_file: Path | None = None, **options: Any) -> PushResult:
        return push_tree(tree, self.database, self.state, key_file, **{"batch": 10, "backoff_s": 0.01} | options)


@pytest.fixture
def push(server: FirebaseServer, tmp_path: Path) -> Pusher:
    return Pusher(server, tmp_path / "home")


def test_what_arrives_is_the_tree(server: FirebaseServer, push: Pusher, tree: Tree) -> None:
    told: list[tuple[int, int]] = []
    assert push(tree, on_progress=lambda *of: told.append(of)) == PushResult(sent=LEAVES, requests=3)
    assert server.tree() == tree
    assert [len(body) for body in server.bodies] == [10, 10, 4]
    assert told == [(10, LEAVES), (20, LEAVES), (LEAVES, LEAVES)]
    assert server.queries[0] == {"print": ["silent"]}


def test_with_a_service_account(server: FirebaseServer, push: Pusher, tree: Tree, tmp_path: Path) -> None:
    server.needs_token = True
    push(tree, server.key_file(tmp_path))
    assert server.tree() == tree
    assert server.n_tokens == 1  # for three requests


def test_a_client_reads_it_by_path(server: FirebaseServer, push: Pusher) -> None:
    push(build_karma_tree(race(vehicles=("A/1",), laps=3)))
    read = requests.Session()
    read.trust_env = False
    leaf = read.get(f"{server.url}/karma/A%252F1/2/brakes.json", timeout=5).json()
    assert leaf["karma_score"] == 62.0
    laps = read.get(f"{server.url}/karma/A%252F1.json", timeout=5).json()
    assert laps[0] is None  # an array whose index is the lap
    assert laps[2]["brakes"] == leaf


def test_a_second_push_sends_nothing(server: FirebaseServer, push: Pusher, tree: Tree) -> None:
    push(tree)
    assert push(tree) == PushResult(unchanged=LEAVES)
    assert len(server.bodies) == 3
    assert push(tree, everything=True) == PushResult(sent=LEAVES, requests=3)
    assert server.tree() == tree


def test_only_a_leaf_that_changed_is_sent(server: FirebaseServer, push: Pusher, tree: Tree) -> None:
    push(tree)
    server.bodies.clear()
    changed = copy.deepcopy(tree)
    changed["A-1"]["3"]["engine"] = {"karma_score": 12.0}
    assert push(changed) == PushResult(sent=1, unchanged=LEAVES - 1, requests=1)
    assert server.bodies == [{"A-1/3/engine": {"karma_score": 12.0}}]
    assert server.tree() == changed


def test_laps_of_an_earlier_session_are_removed(server: FirebaseServer, push: Pusher, tree: Tree) -> None:
    push(tree)
    second = build_karma_tree(race("r2", ("A-1",), laps=2))
    assert push(second) == PushResult(sent=6, removed=6, requests=2)
    assert server.tree() == second | {"B-2": tree["B-2"]}
    assert push(second) == PushResult(unchanged=6)


@pytest.mark.parametrize(
    "fault", [(503, {}), (500, {}), (429, {"Retry-After": "0"}), (503, {"Retry-After": "nonsense"}), DROP]
)
def test_faults_on_the_way_change_nothing(server: FirebaseServer, push: Pusher, tree: Tree, fault: Any) -> None:
    server.faults.extend([fault, fault, None, fault])
    assert push(tree) == PushResult(sent=LEAVES, requests=3, retries=3)
    assert server.tree() == tree
    assert len(server.bodies) == 6
    assert len(server.applied) == (6 if fault == DROP else 3)


def test_the_server_says_when_to_come_back(
    server: FirebaseServer, push: Pusher, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.faults.extend([(429, {"Retry-After": "7"}), (503, {"Retry-After": "86400"})])
    push(tree)
    assert waits == [7, firebase.LONGEST_WAIT_S]


def test_a_server_that_stays_down_is_given_up(server: FirebaseServer, push: Pusher, tree: Tree) -> None:
    server.faults.extend([None] + [(503, {})] * ATTEMPTS)
    with pytest.raises(PushError, match=r"/karma\.json refuses the push \(503\).*push again later"):
        push(tree)
    assert len(server.bodies) == 1 + ATTEMPTS
    assert push(tree) == PushResult(sent=14, unchanged=10, requests=2)
    assert server.tree() == tree


def test_a_server_that_is_not_there(server: FirebaseServer, tmp_path: Path, tree: Tree) -> None:
    server.server_close()
    with pytest.raises(PushError, match=r"127.0.0.1:\d+/karma\.json does not answer: .*refused"):
        Pusher(server, tmp_path)(tree)


@pytest.mark.parametrize("when", ["before the request", "after the request", "after the note"])
def test_a_killed_push_is_gone_on_with(
    server: FirebaseServer, push: Pusher, tree: Tree, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = copy.deepcopy(tree)
    first["A-1"]["4"]["engine"]["karma_score"] = 1.0
    push(first)
    server.bodies.clear()
    worse = build_karma_tree(race(trend=-1.0))
    with monkeypatch.context() as patched:
        _kill(patched, when)
        with pytest.raises(KeyboardInterrupt):
            push(worse)
    # What is asked for now is not what was asked for then: what arrived of that must not be taken for unchanged.
    done = push(first)
    assert done.sent == {"before the request": 10, "after the request": 20, "after the note": 10}[when]
    assert server.tree() == first


def _kill(patched: pytest.MonkeyPatch, when: str) -> None:
    """End the push at its second batch, or after its first."""
    import serving.export.karma_push as karma_push

    calls = []
    send, note = karma_push.patch_node, karma_push._write_pushed

    def dying_send(*arguments: Any) -> int:
        calls.append("send")
        if when == "before the request":
            raise KeyboardInterrupt
        retries = send(*arguments)
        if when == "after the request" and calls.count("send") == 2:
            raise KeyboardInterrupt
        return retries

    def dying_note(*arguments: Any) -> None:
        note(*arguments)
        if when == "after the note" and "send" in calls:
            raise KeyboardInterrupt

    patched.setattr(karma_push, "patch_node", dying_send)
    patched.setattr(karma_push, "_write_pushed", dying_note)


def test_after_a_kill_only_the_rest_is_sent(
    server: FirebaseServer, push: Pusher, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        _kill(patched, "after the note")
        with pytest.raises(KeyboardInterrupt):
            push(tree)
    assert push(tree) == PushResult(sent=14, unchanged=10, requests=2)
    assert server.tree() == tree


def test_a_damaged_state_file_is_named(push: Pusher, tree: Tree) -> None:
    push(tree)
    push.state.write_text("{")
    with pytest.raises(ValueError, match="delete it"):
        push(tree)


def test_each_database_has_a_state_of_its_own(tmp_path: Path) -> None:
    urls = ("https://a.firebaseio.com", "https://b.firebaseio.com", "http://localhost:9000/?ns=a")
    assert len({push_state_file(tmp_path, RealtimeDatabase.parse(url)) for url in urls}) == 3
    with_slash = RealtimeDatabase.parse("https://a.firebaseio.com/")
    assert push_state_file(tmp_path, with_slash) == push_state_file(
        tmp_path, RealtimeDatabase.parse("https://a.firebaseio.com")
    )


def test_a_namespace_of_an_emulator(server: FirebaseServer, tmp_path: Path, tree: Tree) -> None:
    database = RealtimeDatabase.parse(f"{server.url}/?ns=demo")
    push_tree(tree, database, push_state_file(tmp_path, database))
    assert server.queries == [{"ns": ["demo"], "print": ["silent"]}]


def test_nothing_is_changed_by_looking(tree: Tree) -> None:
    assert len(find_changes(tree, {})) == LEAVES
    assert find_changes({}, {"A-1/1/engine": "x"}) == {}


# --- refusals, and what they may not say ---


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "Realtime Database"), (401, "key file"), (403, "role"), (404, "no such database"), (302, "Realtime")],
)
def test_refusals_say_what_to_do(
    server: FirebaseServer, push: Pusher, tree: Tree, tmp_path: Path, status: int, words: str
) -> None:
    server.faults.append((status, {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(PushError, match=rf"karma\.json refuses the push \({status}\).*{words}") as caught:
        push(tree, server.key_file(tmp_path))
    assert not _leaks(caught, server)
    assert len(server.bodies) == 1


def test_no_token_is_no_access(server: FirebaseServer, push: Pusher, tree: Tree) -> None:
    server.needs_token = True
    with pytest.raises(PushError, match=r"\(401\).*--service-account"):
        push(tree)


def test_a_key_that_the_token_server_does_not_know(
    server: FirebaseServer, push: Pusher, tree: Tree, tmp_path: Path
) -> None:
    key_file = server.key_file(tmp_path, private_key(1))
    with pytest.raises(PushError, match=f"no access token for {EMAIL} .*key.json.*invalid_grant") as caught:
        push(tree, key_file)
    assert not _leaks(caught, server)
    assert "eyJ" not in str(caught.getrepr(style="long"))  # the signed request, which the server's answer quotes


def test_a_token_server_that_is_not_there(server: FirebaseServer, push: Pusher, tree: Tree, tmp_path: Path) -> None:
    key_file = server.key_file(tmp_path)
    key_file.write_text(key_file.read_text().replace(f"{server.url}/token", "http://127.0.0.1:9/token"))
    with pytest.raises(PushError, match="does not answer") as caught:
        push(tree, key_file)
    assert not _leaks(caught, server)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"type": "service_account"}', "key", "malformed key"])
def test_a_file_that_is_no_key(push: Pusher, tree: Tree, server: FirebaseServer, tmp_path: Path, content: str) -> None:
    key_file = server.key_file(tmp_path)
    if content == "malformed key":
        content = json.dumps(json.loads(key_file.read_text()) | {"private_key": pem(server.key)[:-400]})
    key_file.write_text(pem(server.key) if content == "key" else content)
    with pytest.raises(PushError, match=r"key\.json is no service account's key.*Generate new private key") as caught:
        push(tree, key_file)
    assert not _leaks(caught, server)


def test_a_key_file_that_is_not_there(push: Pusher, tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(PushError, match=r"none\.json: No such file"):
        push(tree, tmp_path / "none.json")


def test_a_key_in_place_of_its_path_is_not_repeated(push: Pusher, tree: Tree, server: FirebaseServer) -> None:
    for text in (pem(server.key), json.dumps({"private_key": pem(server.key)})):
        with pytest.raises(PushError, match="the path of a key file, not its contents") as caught:
            push(tree, Path(text))
        assert not _leaks(caught, server)


def test_the_state_file_has_no_secret(server: FirebaseServer, push: Pusher, tree: Tree, tmp_path: Path) -> None:
    push(tree, server.key_file(tmp_path))
    assert len(read_pushed_digests(push.state)) == LEAVES
    assert TOKEN not in push.state.read_text()
    assert "PRIVATE" not in push.state.read_text()


def _leaks(caught: pytest.ExceptionInfo[PushError], server: FirebaseServer) -> bool:
    """Whether an error, as told or with its causes, has the token or the key."""
    told = str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    return TOKEN in told or any(line in told for line in pem(server.key).splitlines())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "FIREBASE_DB_URL"),
        ("", "FIREBASE_DB_URL"),
        ("demo.firebaseio.com", "must begin with https://"),
        ("ftp://demo.firebaseio.com", "must begin with https://"),
        ("https://[demo", "malformed"),
        ("https://demo.firebaseio.com:port", "malformed"),
        ("http://demo.firebaseio.com", "in the clear"),
        ("http://127.0.0.1.example.com", "in the clear"),
        ("https://demo.firebaseio.com/?auth=hush", "key file"),
        ("https://me:hush@demo.firebaseio.com", "key file"),
        ("https://demo.firebaseio.com/#hush", "key file"),
        ("http://me:hush@demo.firebaseio.com", "key file"),
    ],
)
def test_urls_that_are_refused(url: str | None, words: str) -> None:
    with pytest.raises(PushError, match=words) as caught:
        RealtimeDatabase.parse(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:9000", "http://127.0.0.2", "http://[::1]:9000/", "https://[::1]"])
def test_this_machine(url: str) -> None:
    assert RealtimeDatabase.parse(url).is_loopback


def test_elsewhere_needs_a_service_account(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(PushError, match=r"demo\.firebaseio\.com needs a service account: .*--service-account FILE"):
        push_tree(tree, RealtimeDatabase.parse("https://demo.firebaseio.com"), tmp_path / "state.json")
