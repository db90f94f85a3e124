"""One that fails is found by halves; the others have what they would have had without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.errors import NewerContractError
from medallion.isolation import isolate

KEYS = [("s", str(n)) for n in range(12)]


@given(st.sets(st.sampled_from(KEYS)), st.sampled_from([ValueError, KeyError, ZeroDivisionError, TypeError]))
def test_those_that_fail_stand_alone(bad: set, fault: type[Exception]) -> None:
    done = set()

    def work(some) -> None:
        if found := bad & set(some):
            raise fault(sorted(found))
        done.update(some)

    failed = isolate(KEYS, work)
    assert failed.keys() == bad
    assert all(type(error) is fault for error in failed.values())
    assert done == set(KEYS) - bad


def test_where_all_is_well_the_work_is_done_once() -> None:
    calls = []
    assert isolate(KEYS, calls.append) == {}
    assert calls == [KEYS]
    assert isolate([], calls.append) == {}
    assert len(calls) == 1


@pytest.mark.parametrize("fault", [OSError, MemoryError, ConnectionError, NewerContractError])
def test_what_is_not_about_the_data_stops_everybody(fault: type[BaseException]) -> None:
    def work(_) -> None:
        raise fault

    with pytest.raises(fault):
        isolate(KEYS, work)
