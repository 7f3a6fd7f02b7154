"""The counts of how the book reads: what of a page is prose, and what is counted in it."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = """# A title

We take an apple, for example, because {glue:text}`x-apples:.0f` of them are red.
$x = 3$ is no word.

```{csv-table} We do not count 7 captions of tables.
:file: a.csv
```

:::{note}
Let's see `code`, such as none.
:::

```python
we = "us"
```

| we | 5 |
|---|---|
"""


@pytest.fixture(scope="module")
def prose():
    return runpy.run_path(str(ROOT / ".ci" / "prose.py"))


def test_prose_is_what_is_read(prose):
    words = prose["prose_of"](PAGE).split()
    assert " ".join(words) == (
        "# A title We take an apple, for example, because 0 of them are red. is no word. "
        "Let's see , such as none."
    )


def test_counts_are_for_ten_thousand_words(prose, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found = prose["counts"](page)
    assert found["words"] == 21
    rates = {key: found[key] * 21 / 10_000 for key in ("we", "examples", "reasons")}
    assert rates == pytest.approx({"we": 2, "examples": 2, "reasons": 1})
    assert found["numbers per 100"] == pytest.approx(100 / 21)
