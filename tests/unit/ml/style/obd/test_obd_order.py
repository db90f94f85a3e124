from __future__ import annotations

import numpy as np
import pytest

from ml.style.obd import order_agreement, read_trip, restore_order
from ml.style.obd.order import stored_order


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_pieces_come_back_in_time_order(trip, frame, seed):
    shuffled, true = trip(seed), frame(seed)
    order = restore_order(shuffled)
    assert sorted(order.rows) == list(range(len(true)))
    restored = [shuffled.signals["speed_kmh"].to_numpy()[drive] for drive in order.drives]
    true_speed = true["VehicleSpeedInstantaneous"].to_numpy()
    whole = sorted(restored, key=len)[-2:]
    np.testing.assert_allclose(np.concatenate(sorted(whole, key=len, reverse=True)), true_speed)
    assert order_agreement(shuffled, order) == 1.0
    assert order_agreement(shuffled, stored_order(shuffled)) < 0.5


def test_a_file_in_time_order_keeps_it(frame, save):
    trip = read_trip(save(frame(3)))
    order = restore_order(trip)
    np.testing.assert_array_equal(order.rows, np.arange(len(trip.signals)))
    assert [len(drive) for drive in order.drives] == [700, 560]


def test_order_reads_no_label(trip):
    one = trip(2)
    flipped = type(one)(one.name, one.signals, ~one.labels, one.annotations)
    np.testing.assert_array_equal(restore_order(one).rows, restore_order(flipped).rows)


def test_single_row_trip(frame, save):
    order = restore_order(read_trip(save(frame(1).head(1))))
    assert [drive.tolist() for drive in order.drives] == [[0]]


def test_real_trips_are_stored_out_of_order_and_restored(real_paths):
    for path in real_paths:
        trip = read_trip(path)
        order = restore_order(trip)
        np.testing.assert_array_equal(np.sort(order.rows), np.arange(len(trip.signals)))
        assert order_agreement(trip, stored_order(trip)) < 0.6
        assert order_agreement(trip, order) > 0.98
