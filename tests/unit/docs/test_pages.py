"""Pages agree with the code: links, settings, tables, example messages, targets."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from conf.contract import contract_names, load_contract
from conf.settings import AppConfig
from conf.topics import TOPICS
from producers.replay.encode import encode_readings
from producers.replay.reader import read_telemetry
from producers.replay.sessions import Placement
from producers.simulator.config import CarFault, DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import truth_events

REPO = Path(__file__).resolve().parents[3]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
README = (REPO / "README.md").read_text(encoding="utf-8")
PAGE_OF_TOPICS = (REPO / "docs" / "topics.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def generator(name: str) -> ModuleType:
    spec = spec_from_file_location(name, REPO / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def example(name: str) -> dict[str, object]:
    (text,) = re.findall(rf"<!-- example: {name} -->\n```json\n(.*?)```", PAGE_OF_TOPICS, re.DOTALL)
    return dict(json.loads(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPO)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(found), f"{page.name}: {target}"


def test_every_guide_is_linked_from_the_readme():
    for guide in (REPO / "docs").glob("*.md"):
        assert f"docs/{guide.name}" in README


def test_decisions_are_numbered_without_gaps_and_in_form():
    decisions = sorted((REPO / "docs" / "adr").glob("*.md"))
    for number, decision in enumerate(decisions, start=1):
        text = decision.read_text(encoding="utf-8")
        assert decision.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert [part in text for part in ("**Context.**", "**Decision.**", "**Consequences.**")] == [True] * 3


def test_settings_table_has_every_setting_and_no_other():
    section = README.partition("## Settings")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    named = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    missing = {"pyspark_gateway_port"}  # set by spark-submit, not by a user
    assert {name.lower() for name in named} == AppConfig.model_fields.keys() - missing


def test_settings_table_has_the_defaults():
    section = README.partition("## Settings")[2].partition("\n## ")[0]
    shown = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            _, names, defaults, *_ = line.split("|")
            shown |= dict(zip(re.findall(r"`(\w+)`", names), re.findall(r"`([^`]+)`", defaults), strict=False))
    plain = {k: v for k, v in shown.items() if AppConfig.model_fields[k.lower()].default not in (None, ...)}
    assert len(plain) > 10
    for name, text in plain.items():
        default = AppConfig.model_fields[name.lower()].default
        if isinstance(default, str | int | float | Path):
            assert type(default)(text) == default, name


@pytest.mark.parametrize("name", ["generate_tables", "generate_jobs"])
def test_generated_tables_are_up_to_date(name):
    module = generator(name)
    assert module.TARGET.read_text(encoding="utf-8") == module.render(), "run `make tables`"


def test_frame_example_is_what_the_simulator_sends():
    config = SimulatorConfig(
        session_id="sim-example",
        n_cars=1,
        duration_s=1.0,
        rate_hz=10.0,
        samples_per_frame=3,
        data_faults=DataFaults.none(),
    )
    frame = list(VehicleSimulator(config).frames())[1]
    assert example("frame") == json.loads(frame.payload())


def test_reading_example_is_what_the_replay_sends(tmp_path):
    file = tmp_path / "any.csv"
    header = "lap,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number"
    row = "3,2025-09-06T18:40:12.500Z,speed,141.2,2025-09-05T00:28:20.593Z,GR86-002-000,0"
    file.write_text(f"{header}\n{row}\n")
    readings = read_telemetry(file, Placement("example-R1"))
    ((_, value, _),) = encode_readings(
        readings.frame.with_columns(dialect=pl.lit(readings.form.dialect)), readings.digest
    )
    assert example("reading") == json.loads(value)


def test_truth_example_is_what_the_simulator_sends():
    kerb = CarFault(kind="kerb_strike", at_m=150, size=40, lap=1)
    config = SimulatorConfig(
        session_id="sim-example", n_cars=1, duration_s=10.0, rate_hz=10.0, setups="varied", car_faults=[kerb]
    )
    sent = json.loads(list(truth_events(VehicleSimulator(config)))[-1].payload)
    assert example("truth") == {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in sent.items()}


@pytest.mark.parametrize("form", ["frame", "reading", "truth"])
def test_examples_keep_their_contract(form):
    contract, message = load_contract(f"event.{form}.v1"), example(form)
    assert message.keys() <= set(contract.column_names)
    assert {c.name for c in contract.columns if c.required} <= message.keys()
    assert contract.properties["ce_type"] in PAGE_OF_TOPICS


def test_topics_page_shows_every_topic_with_its_messages_and_partitions():
    for topic in TOPICS:
        (line,) = re.findall(rf"^\| `{re.escape(topic.name)}` \|.*$", PAGE_OF_TOPICS, re.MULTILINE)
        *_, messages, partitions = (cell.strip() for cell in line.strip("|").rsplit("|", 2))
        assert re.findall(r"`(\w+)/(\d+)`", messages) == [tuple(event.split(".v")) for event in topic.events]
        assert partitions == ("`KAFKA_PARTITIONS` (4)" if topic.partitions is None else str(topic.partitions))
    for name in contract_names():
        if name.startswith("event."):
            assert name in PAGE_OF_TOPICS


def test_gate_reasons_are_explained():
    source = (REPO / "medallion" / "silver" / "decode.py").read_text(encoding="utf-8")
    page = (REPO / "docs" / "quality.md").read_text(encoding="utf-8")
    reasons = re.findall(r'reason_entry\("(\w+)"', source)
    assert len(reasons) > 5
    for reason in reasons:
        assert f"`{reason}`" in page


def test_make_help_lists_every_target():
    makefile = (REPO / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^\s*\x1b\[1m([\w-]+)", shown, re.MULTILINE)
    assert listed == [target for target in phony.split() if not target.startswith(".")]
