"""Write the table of jobs in ``docs/cluster.md`` from their declarations: run ``make tables`` after changing one."""

from __future__ import annotations

from pathlib import Path

from jobs.job import Job
from streaming.catalog import ALL_JOBS

TARGET = Path(__file__).parent / "cluster.md"
BEGIN = "<!-- jobs: written by docs/generate_jobs.py from the declarations. Do not edit: `make tables`. -->"
END = "<!-- /jobs -->"


def render() -> str:
    """The page's text with the table as the declarations have it."""
    page = TARGET.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| job | command | what it does | module | reads | writes |\n|---|---|---|---|---|---|"
    table = "\n".join([head, *(_row(job) for job in ALL_JOBS)])
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _row(job: Job) -> str:
    reads = ", ".join([*job.other_inputs, *_tables(job.inputs)])
    writes = ", ".join([*_tables(job.outputs), *job.other_outputs])
    cells = (job.name, f"`slipstream {job.command} …`", job.summary.rstrip("."), f"`{job.module}`", reads, writes)
    return f"| {' | '.join(cells)} |"


def _tables(names: tuple[str, ...]) -> list[str]:
    return [f"`{name}`" for name in names]


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
