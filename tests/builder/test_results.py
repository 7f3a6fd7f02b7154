"""Keeping tables: what replaces what, and what the sidecars say."""

import json

import pytest
from builder import chapters, results
from builder.chapters import BuildError

from tests.builder.small_book import RAN, keep_all, rerun, write_chapter


def test_kept_tables_replace_older_ones_and_say_how_they_were_made(book):
    rerun(book)
    first, _ = chapters.chapters(book.root)
    with pytest.raises(BuildError, match="01_a.csv of 01_a has no sidecar"):
        results.keep(book, first)
    target = results.kept_at(book)
    target.mkdir(parents=True)
    for name, maker in (("gone", "00_gone"), ("before", "01_a")):
        (target / f"{name}.csv").write_text("1\n")
        (target / f"{name}.json").write_text(json.dumps({"chapter": f"notebooks/{maker}.ipynb"}))
    (target / "claims.json").write_text('{"command": "python -m data_scripts.claims.embedding"}')
    keep_all(book)
    assert sorted(p.name for p in target.iterdir()) == sorted(
        ["01_a.csv", "01_a.json", "02_b.csv", "02_b.json", "claims.json"]
    )
    note = json.loads((target / "02_b.json").read_text())
    assert note["command"] == "make results LIBRARY=synthetic SCALE=smoke"
    assert note["chapter"] == "notebooks/02_b.ipynb" and note["limits"] == "none"
    assert note["seconds"] >= 0 and note["seed"] == book.seed


def test_some_chapters_can_be_run_and_kept_by_themselves(book):
    rerun(book)
    keep_all(book)
    kept = results.kept_at(book)
    first = (kept / "01_a.json").read_bytes()
    write_chapter(book.root, "01_a", "2")
    write_chapter(book.root, "02_b", "2")
    RAN.clear()
    seen = []
    chapters.run_chapters(book, ["02"], after=seen.append)
    assert RAN == ["02_b"] and [path.stem for path in seen] == ["02_b"]
    assert (kept / "01_a.json").read_bytes() == first
    with pytest.raises(BuildError, match="no chapter begins with 07"):
        chapters.run_chapters(book, ["02", "07"])
