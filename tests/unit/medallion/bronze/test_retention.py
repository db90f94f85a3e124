"""Which files of bronze go: old ones that silver has taken in, so that what stays is an unbroken run of offsets."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from medallion.bronze.retention import BronzeFile, Place, end_of_run, plan_removal

DAY = date(2026, 1, 10)


def file(days_ago: int, **spans: tuple[int, int]) -> BronzeFile:
    """A file of offsets by partition, ``p0=(0, 9)``."""
    offsets = {("telemetry.raw", int(name[1:])): span for name, span in spans.items()}
    return BronzeFile(DAY - timedelta(days=days_ago), offsets, sum(b - a + 1 for a, b in offsets.values()))


def taken(**last: int) -> dict[Place, int]:
    return {("telemetry.raw", int(name[1:])): offset for name, offset in last.items()}


def test_old_files_that_silver_has_taken_in_go() -> None:
    old, older, new = file(8, p0=(10, 19)), file(9, p0=(0, 9)), file(1, p0=(20, 29))
    plan = plan_removal([new, old, older], DAY - timedelta(days=7), taken(p0=29))
    assert [*plan.files] == [old, older]
    assert plan.kept_from == taken(p0=20)
    assert plan.messages == 20


def test_what_silver_has_not_taken_in_stays() -> None:
    files = [file(9, p0=(0, 9)), file(8, p0=(10, 19)), file(1, p0=(20, 29))]
    assert [*plan_removal(files, DAY, taken(p0=18)).files] == files[:1]
    assert not plan_removal(files, DAY, taken(p0=8)).files
    assert not plan_removal(files, DAY, {}).files


def test_the_latest_message_of_each_partition_stays_however_old() -> None:
    files = [file(90, p0=(0, 9)), file(80, p0=(10, 19)), file(80, p1=(0, 4))]
    plan = plan_removal(files, DAY, taken(p0=19, p1=4))
    assert [*plan.files] == files[:1]
    assert plan.kept_from == taken(p0=10)


def test_a_file_of_two_partitions_goes_when_both_let_it() -> None:
    both = file(9, p0=(0, 9), p1=(0, 4))
    rest = [file(1, p0=(10, 19)), file(1, p1=(5, 9))]
    assert [*plan_removal([both, *rest], DAY - timedelta(days=7), taken(p0=19, p1=9)).files] == [both]
    assert not plan_removal([both, *rest], DAY - timedelta(days=7), taken(p0=19, p1=3)).files


def test_nothing_goes_from_behind_what_stays() -> None:
    # The clock of the machine was put back: later messages came in on an earlier day.
    files = [file(1, p0=(0, 9)), file(9, p0=(10, 19)), file(1, p0=(20, 29))]
    assert not plan_removal(files, DAY - timedelta(days=7), taken(p0=29)).files


def test_a_batch_that_is_still_to_come_ends_what_was_taken_in() -> None:
    assert end_of_run([(0, 9)]) == 9
    assert end_of_run([(10, 19), (0, 9), (5, 12)]) == 19
    assert end_of_run([(0, 9), (11, 19)]) == 9
    assert end_of_run([(7, 9), (10, 10)]) == 10, "the topic had given up those before"


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.dictionaries(st.integers(0, 2), st.integers(1, 5), min_size=1)), max_size=12
    ),
    st.dictionaries(st.integers(0, 2), st.integers(-1, 40)),
    st.integers(0, 20),
)
def test_what_stays_is_always_a_run_up_to_the_last_and_what_goes_was_taken_in(
    made: list[tuple[int, dict[int, int]]], last_taken: dict[int, int], days: int
) -> None:
    begin, files = dict.fromkeys(range(3), 0), []
    for ago, counts in made:
        files.append(file(ago, **{f"p{p}": (begin[p], begin[p] + n - 1) for p, n in counts.items()}))
        for p, n in counts.items():
            begin[p] += n
    before, accounted = DAY - timedelta(days=days), taken(**{f"p{p}": n for p, n in last_taken.items()})
    plan = plan_removal(files, before, accounted)
    for each in plan.files:
        assert each.day < before
        assert all(high <= accounted.get(place, -1) for place, (_, high) in each.offsets.items())
    gone = {id(each) for each in plan.files}
    stays = [each for each in files if id(each) not in gone]
    for partition in range(3):
        place = ("telemetry.raw", partition)
        held = sorted(o for each in stays if place in each.offsets for o in range(*span(each, place)))
        first = plan.kept_from.get(place, 0)
        assert held == list(range(first, begin[partition])), "unbroken to the end"
        assert begin[partition] == 0 or held, "the latest stays"


def span(each: BronzeFile, place: Place) -> tuple[int, int]:
    low, high = each.offsets[place]
    return low, high + 1
