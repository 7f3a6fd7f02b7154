"""The list of outputs for whoever checks them (CODECHECK)."""

import runpy
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def test_outputs_are_the_kept_tables_of_our_own_runs_and_how_each_was_made():
    written = (ROOT / "codecheck.yml").read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / ".ci" / "codecheck.py"))["text"]()
    assert written == made, "run python .ci/codecheck.py"
    listed = yaml.safe_load(written)["manifest"]
    for entry in listed:
        assert (ROOT / entry["file"]).is_file(), entry["file"]
        assert entry["comment"].startswith(("make results ", "python -m ")), entry["comment"]
    ours = ("open-laptop", "real-laptop", "synthetic-laptop")
    kept = [path for run in ours for path in (ROOT / "book" / "results" / run).glob("*.csv")]
    assert {entry["file"] for entry in listed} == {str(p.relative_to(ROOT)) for p in kept}
