"""The site: the address of the repository, and which tables the pages show."""

import pytest
from builder import site

from t2v.libraries import PHOTOGRAPHS


@pytest.mark.parametrize(
    "variables, address",
    [
        ({"T2V_REPOSITORY": "https://github.com/a/b"}, "https://github.com/a/b"),
        ({"T2V_REPOSITORY": "git@gitlab.com:a/b.git"}, "https://gitlab.com/a/b"),
        ({"GITHUB_REPOSITORY": "a/b.c"}, "https://github.com/a/b.c"),
        ({"T2V_REPOSITORY": "https://example.org/a/b"}, None),
        ({}, None),
    ],
)
def test_address_of_the_repository_comes_from_the_environment(
    book, monkeypatch, variables, address
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert site.repository_address(book.root) == address
    config = site.with_address({"title": "t", "repository": {"url": "old"}}, address)
    assert config.get("repository", {}).get("url") == address
    assert ("launch_buttons" in config) == (address is not None)
    assert config["html"]["use_edit_page_button"] == (address is not None)


def test_a_run_of_one_chapter_on_photographs_hides_no_kept_table(book):
    kept = book.root / "book" / "results" / "real-smoke"
    kept.mkdir(parents=True)
    for name in ("01_a", "02_b"):
        (kept / f"{name}.csv").write_text("kept\n")
    for name in PHOTOGRAPHS:
        (book.root / "data" / name).mkdir(parents=True)
        (book.root / "data" / name / "index.csv").touch()
    fresh = book.root / "_build" / "real-smoke" / "results"
    fresh.mkdir(parents=True)
    (fresh / "01_a.csv").write_text("fresh\n")
    site.lay(book)
    laid = book.out / "book" / "results" / "real-smoke"
    assert {p.stem: p.read_text() for p in laid.iterdir()} == {"01_a": "fresh\n", "02_b": "kept\n"}
