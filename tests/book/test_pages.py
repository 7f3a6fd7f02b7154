"""The pages as they are stored; what only the built book can show, its builder checks strictly."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml
from builder.chapters import toc_pages
from builder.check import SENTENCE
from builder.site import with_address
from jupyter_book.config import get_final_config
from pybtex.database import parse_file

import t2v
from t2v.book import tables

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "book").glob("*.md"))
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
KEPT = sorted((ROOT / "book").glob("results/*/*.csv"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


def texts():
    """Every page and chapter of the book: its path, its prose."""
    for path in PAGES:
        yield path, path.read_text()
    for path in CHAPTERS:
        cells = nbformat.read(path, as_version=4).cells
        yield path, "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


def test_every_page_is_in_the_table_of_contents_once():
    listed = toc_pages(ROOT)
    assert len(set(listed)) == len(listed)
    stored = {str(p.relative_to(ROOT).with_suffix("")) for p in [*PAGES, *CHAPTERS]}
    assert set(listed) == stored


def test_chapters_come_in_the_order_of_their_numbers():
    listed = [page for page in toc_pages(ROOT) if page.startswith("notebooks/")]
    assert listed == sorted(listed)


def test_numbered_chapters_are_the_notebooks_so_that_numbers_are_those_of_the_files():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    numbered = [c["file"] for part in parts if part.get("numbered") for c in part["chapters"]]
    assert numbered == [f"notebooks/{path.stem}" for path in CHAPTERS if path.stem[:2] != "00"]


def test_every_work_that_is_cited_is_in_the_bibliography_and_whole():
    works = parse_file(ROOT / "book" / "references.bib").entries
    cited = set()
    for _, text in texts():
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text):
            cited |= {key.strip() for key in keys.split(",")}
    assert cited and cited <= set(works), cited - set(works)
    for key, work in works.items():
        assert work.persons.get("author"), key
        assert {"title", "year"} <= set(work.fields), key


def test_links_to_files_of_the_repository_lead_somewhere():
    for path, text in texts():
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)\s]+?)(?:#[^)]*)?\)", text):
            found = path.parent / target
            assert found.exists() or found.with_suffix(".md").exists(), f"{path.name}: {target}"


def test_formulas_use_only_what_the_local_mathjax_can_draw_alone():
    # bold symbols are an extension that it would load from elsewhere: the formula stays empty
    for path in [*PAGES, *CHAPTERS]:
        assert not re.search(r"\\(boldsymbol|bm)\b", path.read_text()), path.name


def test_pictures_on_pages_are_described_in_whole_sentences():
    for path, text in texts():
        for kind, name, options in re.findall(r"\{(figure|image)\} (\S+)\n((?::.*\n)*)", text):
            alt = re.search(r":alt: (.+)", options)
            assert alt and SENTENCE.fullmatch(alt[1]), f"{path.name}: {kind} {name}"


def test_no_number_of_ours_is_typed_into_a_page():
    # marked numbers are either the paper's, or pasted from a run
    for path, text in texts():
        for number in re.findall(r"\[([^\]]*\d[^\]]*)\]\{\.(?:photographs|synthetic)\}", text):
            assert "glue:" in number, f"{path.name}: {number}"


def test_every_public_name_is_on_the_page_of_the_module():
    text = (ROOT / "book" / "api.md").read_text()
    documented = set(re.findall(r"auto(?:function|class|module):: (t2v\.[\w.]+)", text))
    for name in set(t2v.__all__) - {"__version__"}:
        value = getattr(t2v, name)
        home = getattr(value, "__module__", None)
        if home is not None:  # no module
            assert {f"{home}.{name}", home} & documented, name


def test_every_test_that_the_paper_map_names_exists():
    text = (ROOT / "book" / "paper_map.md").read_text()
    named = re.findall(r"`tests/([\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 10
    for file, function in named:
        source = (ROOT / "tests" / file).read_text()
        assert not function or f"def {function}(" in source, f"{file}::{function}"


def test_paper_map_lists_every_figure_and_table_of_the_paper():
    text = (ROOT / "book" / "paper_map.md").read_text().split("\n## Figures and tables")[1]
    text = text.split("\n## ")[0]
    rows = re.findall(r"^\| ((?:Fig\.|Table) \d[^|]*) \|[^|]+\| ([^|]+) \|", text, re.MULTILINE)
    items = {re.match(r"\w+\.? \d", item)[0] for item, _ in rows}
    assert items == {f"Fig. {n}" for n in range(1, 7)} | {"Table 1", "Table 2"}
    for item, where in rows:
        assert "{doc}" in where or where == "not yet built", item


def test_nothing_of_the_book_is_loaded_from_elsewhere():
    sphinx = CONFIG["sphinx"]["config"]
    static = ROOT / sphinx["html_static_path"][0]
    assert (static / sphinx["mathjax_path"]).stat().st_size > 1_000_000  # fonts and all
    for css in static.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", css.read_text()), css.name
    for svg in static.rglob("*.svg"):
        assert not re.search(r"(href|src)=\"(https?:)?//", svg.read_text()), svg.name


def test_pages_get_the_launch_buttons_and_no_cell_is_run_by_sphinx(tmp_path):
    # the options of the theme that we set must not replace those that Jupyter Book sets
    path = tmp_path / "_config.yml"
    path.write_text(yaml.safe_dump(with_address(CONFIG, "https://github.com/a/b")))
    sphinx, _ = get_final_config(user_yaml=path, cli_config={"latex_individualpages": False})
    assert sphinx["nb_execution_mode"] == "off"
    assert CONFIG["only_build_toc_files"] is True
    options = sphinx["html_theme_options"]
    assert options["repository_url"] == "https://github.com/a/b" and options["launch_buttons"]
    assert CONFIG["sphinx"]["config"]["html_theme_options"].items() <= options.items()


@pytest.mark.skipif(not KEPT, reason="no kept tables yet")
def test_kept_tables_are_those_their_sidecars_describe():
    for path in KEPT:
        frame = tables.read(path)  # refuses a table whose checksum differs
        assert len(frame), path.name
        facts = frame.attrs["provenance"]
        copied = facts.get("kind") == "published by others"  # no run of ours, but a place
        for key in ("source",) if copied else ("command", "seed", "seconds", "device"):
            assert facts.get(key) not in (None, ""), f"{path.name}: {key}"
        assert path.stat().st_size < 500_000, f"{path.name}: too large for the repository"


def test_files_of_the_book_are_small_enough_to_clone():
    for path in (ROOT / "book").rglob("*"):
        limit = 2_300_000 if path.name == "tex-svg.js" else 1_000_000
        assert not path.is_file() or path.stat().st_size < limit, path
