"""Who drives a car and who drove a lap, from what sheets say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from analysis.timing.crews import Crew, find_crews, usual_drivers


def line(number: int, name: str | None, *names: str | None, official: bool = False, **others: Any) -> SimpleNamespace:
    said = {"sheet": "results", "team": None, "vehicle_class": None, "vehicle_model": None} | others
    return SimpleNamespace(
        vehicle_number=number,
        car_number=None,
        driver_name=name,
        driver_names=list(names) or None,
        is_official=official,
        **said,
    )


def lap(number: int, lap_number: int, driver: int | None = 1, name: str | None = None, **others: Any) -> Any:
    said = {"team": None, "vehicle_class": None} | others
    said |= {"vehicle_number": number, "car_number": None}
    return SimpleNamespace(lap_number=lap_number, driver_number=driver, driver_name=name, **said)


def drove(crews: Any, number: str | None, lap_number: int, source: str = "official") -> tuple[int | None, str | None]:
    row = {"car_number": number, "lap_number": lap_number, "lap_time_source": source}
    return tuple(crews.driver_columns(row).values())


def test_the_usual_driver_drove_most_laps() -> None:
    def of(vehicle: str, *drivers: str | None) -> list[dict[str, str | None]]:
        return [{"session_id": "s", "vehicle_id": vehicle, "driver_id": driver} for driver in drivers]

    laps = [*of("x", "b", "a", None, "b", None, None), *of("y", "b", "a"), *of("z", None)]
    assert usual_drivers(laps) == {("s", "x"): "b", ("s", "y"): "a"}


def test_two_drivers_of_one_car() -> None:
    crews = find_crews([lap(7, 1), lap(7, 2, 2), lap(7, 3, None)], [line(7, "A / B", "A", "B", team="T")])
    assert [drove(crews, "7", n) for n in (1, 2, 3, 4)] == [(1, "A"), (2, "B"), (None, None), (None, None)]
    assert drove(crews, "7", 1, source="telemetry") == (None, None)
    assert (crews.crew("7").driver_name, crews.crew("7").team) == ("A / B", "T")


def test_names_are_of_the_car_with_the_number_as_it_is_written() -> None:
    def number(text: str, row: Any) -> Any:
        return SimpleNamespace(**vars(row) | {"car_number": text})

    laps = [number("3", lap(3, 1)), number("03", lap(3, 1))]
    crews = find_crews(laps, [number("03", line(3, "A"))])
    assert [crews.crew(n).driver_name for n in ("3", "03")] == [None, "A"]
    assert find_crews(laps[:1], [number("03", line(3, "A"))]).crew("3").driver_name == "A"


def test_a_sole_driver_drove_all_laps() -> None:
    crews = find_crews([lap(7, 1)], [line(7, "A")])
    assert drove(crews, "7", 1) == drove(crews, "7", 9, source="telemetry") == (1, "A")


def test_names_on_the_sheet_of_laps() -> None:
    crews = find_crews([lap(7, 1, 2, "B", team="T", vehicle_class="GTD"), lap(7, 2, 1, "A")], [])
    assert [drove(crews, "7", n) for n in (1, 2)] == [(2, "B"), (1, "A")]
    assert crews.crew("7") == Crew({1: "A", 2: "B"}, "T", "GTD")


def test_official_sheets_and_result_sheets_go_first() -> None:
    lines = [line(7, "Provisional", sheet="results_by_class", team="P"), line(7, "Official", official=True)]
    crews = find_crews([lap(7, 1, 1, "Of the laps")], lines)
    assert drove(crews, "7", 1) == (1, "Official")
    assert crews.crew("7").team == "P"


def test_a_driver_whom_no_sheet_names() -> None:
    crews = find_crews([lap(7, 1, 2)], [line(7, "A")])
    assert drove(crews, "7", 1) == (2, None)
    assert find_crews([lap(7, 1, 3)], [line(7, None, "A", None, "C")]).driver_columns(
        {"car_number": "7", "lap_number": 1, "lap_time_source": "official"}
    ) == {"driver_number": 3, "driver_name": "C"}
    assert drove(crews, None, 1) == (None, None)
    assert crews.crew(None) == crews.crew("8") == Crew()
