from __future__ import annotations

import numpy as np
import pytest

from conf.errors import InputError
from ml.style.obd import TripFormatError, read_trip
from ml.style.obd.reader import SIGNALS


@pytest.mark.parametrize("decimal", [",", "."])
def test_decimal_comma_and_point_read_the_same(frame, save, decimal):
    table = frame(1)
    trip = read_trip(save(table, decimal=decimal))
    for column, name in SIGNALS.items():
        np.testing.assert_allclose(trip.signals[name], table[column], rtol=1e-12)
    assert trip.labels.sum() == (table["drivingStyle"] == "AggressiveStyle").sum() > 0


def test_nulls_stay_nulls(frame, save):
    table = frame(1)
    table.loc[5, "EngineRPM"] = np.nan
    assert np.flatnonzero(read_trip(save(table)).signals["rpm"].isna()).tolist() == [5]


def test_missing_columns_are_named(frame, save):
    path = save(frame(1).drop(columns=["EngineRPM", "drivingStyle"]))
    with pytest.raises(TripFormatError, match=r"made_up\.csv: missing column\(s\) EngineRPM, drivingStyle"):
        read_trip(path)


def test_every_dialect_reads_the_same(frame, tmp_path):
    table, path = frame(1), tmp_path / "trip.csv"
    for options in ({}, {"sep": "\t"}, {"encoding": "utf-16"}, {"sep": ";", "decimal": ",", "quoting": 1}):
        table.to_csv(path, index=False, **options)
        np.testing.assert_allclose(read_trip(path).signals["rpm"], table["EngineRPM"], rtol=1e-12)


@pytest.mark.parametrize("text", ["abc", "1,2,3", "inf", "1.234,5"])
def test_malformed_number_names_line_and_column(frame, save, text):
    table = frame(1).astype({"EngineLoad": object})
    table.loc[7, "EngineLoad"] = text
    with pytest.raises(TripFormatError, match=f"line 9, column EngineLoad: '{text}'"):
        read_trip(save(table))


@pytest.mark.parametrize("label", ["Aggressive", ""])
def test_unknown_label_names_line_and_choices(frame, save, label):
    table = frame(1)
    table.loc[3, "drivingStyle"] = label
    with pytest.raises(TripFormatError, match=r"line 5, column drivingStyle.*EvenPaceStyle, AggressiveStyle"):
        read_trip(save(table))


@pytest.mark.parametrize(("content", "said"), [("", "file is empty"), ("a;b\n", "no rows"), ("a;a\n1;2\n", "twice")])
def test_empty_files(tmp_path, content, said):
    path = tmp_path / "trip.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_trip(path, require_label=False)


def test_missing_file_and_binary_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_trip(tmp_path / "nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(TripFormatError, match="no rows"):
        read_trip(tmp_path / "binary.csv")


def test_ragged_row_names_its_line(frame, save):
    path = save(frame(1))
    lines = path.read_text().splitlines()
    lines[4] += ";1"
    path.write_text("\n".join(lines))
    with pytest.raises(TripFormatError, match="line 5: 18 fields in place of 17"):
        read_trip(path)


def test_unlabelled_trip_can_be_read_but_not_trained_on(frame, save):
    path = save(frame(1).drop(columns="drivingStyle"))
    trip = read_trip(path, require_label=False)
    with pytest.raises(ValueError, match="can be scored"):
        _ = trip.labels


def test_real_trips(real_paths):
    for path in real_paths:
        trip = read_trip(path)
        assert 0.03 < trip.labels.mean() < 0.25
        assert trip.signals["rpm"].max() > 2000
