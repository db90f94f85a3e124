"""Earlier spellings of commands and flags: they work, name the canonical one on stderr, and stand in no help."""

from __future__ import annotations

import pytest

COMMANDS = [
    (("karma", "train", "--dry-run"), "train karma"),
    (("karma", "infer", "--dry-run"), "score karma"),
    (("karma", "stream", "--dry-run"), "stream karma"),
    (("karma-stream", "--dry-run"), "stream karma"),
    (("karma", "simulate", "--dry-run"), "produce wear-laps"),
    (("ghost", "segment", "--dry-run"), "track segment"),
    (("ghost", "compare", "--lap", "s/1/best", "--dry-run"), "coach"),
]
FLAGS = [
    (("score", "karma", "--model-of-car", "gr86-cup", "--dry-run"), "--reference-car"),
    (("karma", "infer", "--model-of-car=gr86-cup", "--dry-run"), "--reference-car"),
    (("stream", "karma", "--model-of-car", "gr86-cup", "--dry-run"), "--reference-car"),
    (("karma", "stream", "--model-of-car", "gr86-cup", "--dry-run"), "--reference-car"),
    (("track", "segment", "--again", "--dry-run"), "--rebuild"),
    (("ghost", "segment", "--again", "--dry-run"), "--rebuild"),
    (("train", "ghost", "--fresh", "--dry-run"), "--rebuild"),
]


@pytest.mark.parametrize(("arguments", "canonical"), COMMANDS, ids=lambda value: " ".join(value)[:30])
def test_an_earlier_command_works_and_names_the_one_to_use(slipstream, arguments, canonical) -> None:
    done = slipstream(*arguments)
    assert done.exit_code == 0, done.output
    assert f"` is now `slipstream {canonical}`" in done.stderr
    assert done.stdout == slipstream(*canonical.split(), *(a for a in arguments if a not in COMMAND_WORDS)).stdout


COMMAND_WORDS = {"karma", "train", "infer", "stream", "karma-stream", "simulate", "ghost", "segment", "compare"}


@pytest.mark.parametrize(("arguments", "canonical"), FLAGS, ids=lambda value: " ".join(value)[:40])
def test_an_earlier_flag_works_and_names_the_one_to_use(slipstream, arguments, canonical) -> None:
    done = slipstream(*arguments)
    assert done.exit_code == 0, done.output
    assert f"is now `{canonical}`" in done.stderr


def test_what_was_sent_before_is_sent_again_by_either_flag(slipstream) -> None:
    for flag in ("--rebuild", "--all"):
        done = slipstream("karma", "push", flag, "--url", "http://127.0.0.1:9/?ns=p", "--dry-run")
        assert "no such option" not in done.output.lower()
        assert ("is now `--rebuild`" in done.stderr) == (flag == "--all")


@pytest.mark.parametrize(
    ("group", "earlier"),
    [
        ((), ("karma-stream",)),
        (("karma",), ("infer", "train", "simulate", "ingest", "stream", "report")),
        (("ghost",), ("segment", "compare")),
    ],
    ids=str,
)
def test_help_lists_only_canonical_commands(slipstream, group, earlier) -> None:
    import typer

    from slipstream.cli import app

    command = typer.main.get_command(app)
    for word in group:
        command = command.commands[word]
    shown = {name for name, one in command.commands.items() if not one.hidden}
    assert set(earlier) <= command.commands.keys()
    assert not shown & set(earlier)


def test_help_lists_only_canonical_flags(slipstream) -> None:
    for command in (("track", "segment"), ("train", "ghost"), ("karma", "push"), ("score", "karma")):
        shown = slipstream(*command, "--help").stdout
        assert not [flag for flag in ("--again", "--fresh", "--all", "--model-of-car") if flag in shown]


def test_a_reference_car_goes_with_karma_only(slipstream) -> None:
    done = slipstream("stream", "gold", "--reference-car", "gr86-cup", "--dry-run")
    assert done.exit_code == 2
    assert "--reference-car" in done.output
