"""Write `codecheck.yml` from the tables kept in `book/results`: `python .ci/codecheck.py`.

It names the outputs of the computations and the command that makes each of them, in the format of
CODECHECK (https://codecheck.org.uk/spec/config/1.0/). Whoever checks them adds their own fields.
Left out are tables that others published, and times, which are another machine's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = ("field", "benchmarks")
VERSION = "https://codecheck.org.uk/spec/config/1.0/"
HEAD = "# Written by .ci/codecheck.py from the sidecars of the tables.\n---\n"


def manifest() -> list[dict[str, str]]:
    """Each table with the command that makes it, from its sidecar."""
    tables = sorted((ROOT / "book" / "results").glob("*/*.csv"))
    entries = []
    for table in tables:
        if table.parent.name not in LEFT_OUT:
            facts = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
            how = f"seed {facts['seed']}, {facts['device']}, commit {facts['commit'][:10]}"
            comment = f"{facts['command']} ({how})"
            entries.append({"file": table.relative_to(ROOT).as_posix(), "comment": comment})
    return entries


def configuration() -> dict[str, Any]:
    """The content of the file."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    rebuilt = citation["references"][0]
    return {
        "version": VERSION,
        "paper": {
            "title": citation["title"],
            "authors": [{"name": author["name"]} for author in citation["authors"]],
            "reference": f"An executable book. It rebuilds https://doi.org/{rebuilt['doi']}",
        },
        "manifest": manifest(),
    }


def text() -> str:
    """The file."""
    return HEAD + yaml.safe_dump(configuration(), sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    (ROOT / "codecheck.yml").write_text(text(), encoding="utf-8")
