"""Write ``docs/tables.md`` from the contracts in ``conf/contracts``: run ``make tables`` after changing one."""

from __future__ import annotations

from pathlib import Path

from conf.contract import Column, Contract, ContractRule, load_contract, table_names

TARGET = Path(__file__).parent / "tables.md"
LAYERS = {
    "bronze": "Every message as it came.",
    "silver": "Typed, gated, in canonical units; and what the gate refused.",
    "gold": "Features, data sets and predictions.",
    "ops": "What ran, what was found, and how the books balance.",
}
_INTRO = (
    "All tables are in Delta format, timestamps in UTC; the unit of a column is in its name where it has one. "
    "**Bold** columns are the key. A rule marked *quarantine* refuses the reading, one marked *warn* is noted in "
    "`dq_warnings`. `slipstream describe TABLE` shows the same for the tables you have, with their rows and size."
)
_WORDS = {
    "expect_column_values_to_not_be_null": "present",
    "expect_column_values_to_be_in_set": "one of {value_set}",
    "expect_column_values_to_match_regex": "matches `{regex}`",
}


def render() -> str:
    """The page's text."""
    contracts = [load_contract(name) for name in table_names()]
    parts = [
        "# Tables",
        "<!-- Written by docs/generate_tables.py from conf/contracts. Do not edit: `make tables`. -->",
        _INTRO,
    ]
    for layer, what in LAYERS.items():
        own = [c for c in contracts if c.layer == layer]
        links = " · ".join(f"[{c.name}](#{_anchor(c.name)})" for c in own)
        parts += [f"## {layer.capitalize()}", what, links, *(_table(c) for c in own)]
    return "\n\n".join(parts) + "\n"


def _anchor(name: str) -> str:
    """The anchor that a heading with this text gets."""
    return name.replace(".", "")


def _table(contract: Contract) -> str:
    facts = [f"contract {contract.version}"]
    if contract.partition_columns:
        facts.append(f"partitioned by {', '.join(f'`{c}`' for c in contract.partition_columns)}")
    if contract.properties.get("delta.appendOnly") == "true":
        facts.append("append-only")
    if contract.properties.get("delta.enableChangeDataFeed") == "true":
        facts.append("change data feed")
    facts.append(f"filled by `{contract.filled_by}`")
    rows = "\n".join(_row(column) for column in contract.columns)
    head = "| column | type | unit | meaning | rules |\n|---|---|---|---|---|"
    return f"### {contract.name}\n\n{contract.description}. {'; '.join(facts).capitalize()}.\n\n{head}\n{rows}"


def _row(column: Column) -> str:
    name = f"**`{column.name}`**" if column.primary_key else f"`{column.name}`"
    cells = (name, f"`{column.physical_type}`", column.unit or "", column.description, _rules(column))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rules(column: Column) -> str:
    return "; ".join(f"{_words(rule)} (*{rule.severity}*)" for rule in column.quality)


def _words(rule: ContractRule) -> str:
    kwargs = dict(rule.implementation.kwargs)
    if rule.implementation.type == "expect_column_values_to_be_between":
        low, high = kwargs.get("min_value"), kwargs.get("max_value")
        if low is None or high is None:
            return f"at least {low}" if high is None else f"at most {high}"
        return f"{low} to {high}"
    if "value_set" in kwargs:
        kwargs["value_set"] = ", ".join(str(v) for v in kwargs["value_set"])
    return _WORDS.get(rule.implementation.type, rule.description).format(**kwargs)


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
