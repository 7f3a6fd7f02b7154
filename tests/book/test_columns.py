"""The data dictionary: every column of every table is described once, and informatively."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from t2v.book import tables
from t2v.book.chapter import describe

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = pd.read_csv(ROOT / "t2v/book/columns.csv", dtype=str, keep_default_na=False)
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
WRITTEN = re.compile(r"""\bchapter\.table\(\s*["'](\w+)["']""")
KEPT = sorted(ROOT.glob("book/results/*-laptop/*.csv"))
SCRIPTS = {  # written by data_scripts/claims
    "claims", "fine_tuning_rate", "priors", "recommendation_regrets", "recommendations",
    "selection", "selection_trainings", "trivial_forms", "trivial_forms_dev",
}  # fmt: skip

LATER = {
    "increase_of_all",
    "chosen elsewhere",
    "top 10 (%)",
}  # tables that were kept at another time lack them


def written_by_chapters():
    cells = [c for path in CHAPTERS for c in nbformat.read(path, as_version=4).cells]
    return {name for cell in cells for name in WRITTEN.findall(cell.source)}


def test_every_table_of_a_chapter_is_described_and_no_other():
    assert set(COLUMNS.table) == written_by_chapters() | SCRIPTS


def test_every_column_is_described_once():
    assert not COLUMNS.duplicated(["table", "column"]).any()


def test_meanings_say_more_than_the_name():
    words = COLUMNS.meaning.str.replace(r"\W+", " ", regex=True).str.strip().str.lower()
    names = COLUMNS.column.str.replace(r"\W+", " ", regex=True).str.strip().str.lower()
    assert (words.str.len() > 0).all()
    assert COLUMNS[words == names].empty
    vague = words.str.contains(r"^of |^the same|of the same$|^likewise|see above")
    assert COLUMNS[vague].empty, COLUMNS[vague]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_rows_of_a_kept_table_are_its_columns(path):
    columns = list(tables.read(path).columns)
    described = describe(path.stem, columns)  # raises for a column that is not
    patterns = COLUMNS[COLUMNS.table == path.stem].column
    patterns = patterns[~(patterns.isin(LATER) & ~patterns.isin(columns))]
    fits = [any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), c) for c in columns)
            for p in patterns]  # fmt: skip
    assert list(described) == columns and all(fits), patterns[[not fit for fit in fits]]
