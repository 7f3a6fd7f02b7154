"""The builder of the book, on a small book of its own: what is run again, and what is said."""

import json
import os

import build
import nbformat
import pytest
import yaml
from builder import chapters, pages
from builder.chapters import BuildError, Run
from builder.check import faults
from docutils import nodes
from docutils.utils import new_document
from nbformat.v4 import new_code_cell, new_notebook, new_output
from typography import Numbers, unbroken, with_minus

PARAMETERS = (
    'library = "synthetic"  # which tasks\nscale = "laptop"\nseed = 0\ndevice = "auto"\n'
    'data = None\nresults = "results"'
)
RAN: list[str] = []  # the chapters run, in their order


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A project of two chapters and a module; chapters are run by writing one table each."""
    for folder in ("notebooks", "book/_static", "t2v"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "t2v" / "core.py").write_text("x = 1\n")
    (tmp_path / "book" / "index.md").write_text("# A book\n")
    (tmp_path / "_config.yml").write_text("title: A book\nhtml: {favicon: f.svg}\n")
    toc = {"root": "book/index", "parts": [{"chapters": [{"file": "notebooks/01_a"}]}]}
    toc["parts"].append({"chapters": [{"file": "notebooks/02_b"}]})
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    for name in ("01_a", "02_b"):
        write_chapter(tmp_path, name, "1")
    RAN.clear()

    def run_chapter(run, path):
        RAN.append(path.stem)
        chapters.write_whole(run.out / "results" / f"{path.stem}.csv", "a\n1\n")
        chapters.write_whole(run.out / "notebooks" / path.name, path.read_text())

    monkeypatch.setattr(chapters, "run_chapter", run_chapter)
    for name in ("T2V_REPOSITORY", "T2V_BRANCH", "GITHUB_REPOSITORY", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    return Run("synthetic", "smoke", root=tmp_path)


def write_chapter(root, name, *sources):
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")


def rerun(run):
    RAN.clear()
    pages.lay(run)
    chapters.run_chapters(run)
    return list(RAN)


def test_chapters_run_in_the_order_of_the_toc_and_only_when_stale(book):
    assert rerun(book) == ["01_a", "02_b"]
    assert rerun(book) == []
    write_chapter(book.root, "02_b", "2")
    assert rerun(book) == ["02_b"]
    (book.root / "t2v" / "core.py").write_text("x = 2\n")
    assert rerun(book) == ["01_a", "02_b"]
    os.utime(book.root / "t2v" / "core.py")  # touched, but the same
    assert rerun(book) == []


def test_parameters_and_kept_numbers_make_chapters_stale(book):
    rerun(book)
    other = Run("synthetic", "smoke", seed=1, root=book.root)
    assert rerun(other) == ["01_a", "02_b"]
    (book.root / "book" / "paper").mkdir()
    (book.root / "book" / "paper" / "n.csv").write_text("1\n")
    assert rerun(other) == ["01_a", "02_b"]
    (book.root / "book" / "index.md").write_text("# Another title\n")
    assert rerun(other) == []


def test_photographs_make_the_chapters_on_them_stale(book):
    real = Run("real", "smoke", root=book.root)
    picture = book.root / "data" / "cub" / "images" / "a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"123")
    assert rerun(real) == ["01_a", "02_b"]
    assert rerun(real) == []
    picture.write_bytes(b"1234")
    assert rerun(real) == ["01_a", "02_b"]
    rerun(book)
    picture.write_bytes(b"12345")
    assert rerun(book) == []  # no photographs in that library


def test_a_run_goes_on_where_it_was_killed(book, monkeypatch):
    whole = chapters.run_chapter

    def killed(run, path):
        if path.stem == "02_b":
            raise KeyboardInterrupt
        whole(run, path)

    monkeypatch.setattr(chapters, "run_chapter", killed)
    with pytest.raises(KeyboardInterrupt):
        rerun(book)
    monkeypatch.setattr(chapters, "run_chapter", whole)
    assert rerun(book) == ["02_b"]


def test_tables_of_an_older_version_do_not_stay(book):
    rerun(book)
    table = book.out / "results" / "01_a.csv"
    assert table.exists()
    (book.root / "_toc.yml").write_text("root: book/index\nchapters: [{file: notebooks/02_b}]\n")
    rerun(book)
    assert not table.exists() and not (book.out / "notebooks" / "01_a.ipynb").exists()
    assert (book.out / "results" / "02_b.csv").exists()


def test_the_work_tree_stays_as_it_was(book):
    def files():
        return {
            p: p.read_bytes()
            for p in sorted(book.root.rglob("*"))
            if p.is_file() and "_build" not in p.parts
        }

    before = files()
    rerun(book)
    assert files() == before


def test_toc_that_names_a_missing_chapter_is_refused(book):
    (book.root / "notebooks" / "02_b.ipynb").unlink()
    with pytest.raises(BuildError, match="02_b.ipynb, which does not exist"):
        chapters.chapters(book.root)


def test_parameters_cell_shows_what_was_run():
    shown = chapters.with_values(PARAMETERS, {"library": "real", "scale": "smoke", "seed": 3})
    assert shown.split("\n")[:3] == [
        'library = "real"  # which tasks',
        'scale = "smoke"',
        "seed = 3",
    ]
    assert shown.split("\n")[3:] == PARAMETERS.split("\n")[3:]
    with pytest.raises(BuildError, match="does not set probe"):
        chapters.with_values(PARAMETERS, {"probe": "resnet18"})


def test_page_has_no_injected_cell_no_times_and_no_stderr():
    said = new_output("stream", name="stderr", text="careful\n")
    shown = new_output("stream", name="stdout", text="1\n")
    notebook = new_notebook(
        cells=[
            new_code_cell(PARAMETERS, metadata={"tags": ["parameters"], "papermill": {"x": 1}}),
            new_code_cell("scale = 1", metadata={"tags": ["injected-parameters"]}),
            new_code_cell("print(1)", execution_count=3, outputs=[said, shown]),
        ],
        metadata={"papermill": {"duration": 1}},
    )
    values = {"scale": "smoke", "results": "../results", "data": "../../data"}
    assert chapters.tidy(notebook, values) == [(3, "careful\n")]
    assert [cell.source for cell in notebook.cells] == [
        PARAMETERS.replace('"laptop"', '"smoke"'),
        "print(1)",
    ]
    assert [output.name for output in notebook.cells[1].outputs] == ["stdout"]
    assert "papermill" not in str(notebook)


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
    assert pages.repository_address(book.root) == address
    config = pages.with_address({"title": "t", "repository": {"url": "old"}}, address)
    assert config.get("repository", {}).get("url") == address
    assert ("launch_buttons" in config) == (address is not None)
    assert config["html"]["use_edit_page_button"] == (address is not None)


def keep_all(book):
    for name in ("01_a", "02_b"):
        (book.out / "results" / f"{name}.json").write_text('{"limits": "none", "seconds": null}')
    for path in chapters.chapters(book.root):
        pages.keep(book, path)


def test_kept_tables_replace_older_ones_and_say_how_they_were_made(book):
    rerun(book)
    first, _ = chapters.chapters(book.root)
    with pytest.raises(BuildError, match="01_a.csv of 01_a has no sidecar"):
        pages.keep(book, first)
    target = pages.kept_at(book)
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
    kept = pages.kept_at(book)
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


def test_what_cannot_be_built_is_one_line_and_status_1(book, capsys):
    assert build.main(["--root", str(book.root), "--scale", "smoke", "--library", "real"]) == 1
    assert capsys.readouterr().err.startswith("build: no photographs of cub, tiny")
    assert build.main(["--root", str(book.root), "--mirror", str(book.root / "nowhere")]) == 1
    assert "archives/" in capsys.readouterr().err
    assert build.main(["--root", str(book.root), "--chapters", "01"]) == 1
    assert "for make results" in capsys.readouterr().err
    assert build.main(["--root", str(book.root), "--serve", "0"]) == 1
    assert "make book first" in capsys.readouterr().err


def test_failing_cell_is_named_with_its_traceback(tmp_path):
    (tmp_path / "notebooks").mkdir()
    write_chapter(tmp_path, "01_a", "good = 1", "1 / 0")
    run = Run("synthetic", "smoke", root=tmp_path)
    (run.out / "notebooks").mkdir(parents=True)
    with pytest.raises(BuildError) as told:
        chapters.run_chapter(run, tmp_path / "notebooks" / "01_a.ipynb")
    for part in ("notebooks/01_a.ipynb, cell [4] failed", "1 / 0", "ZeroDivisionError"):
        assert part in str(told.value)
    assert not (run.out / "notebooks" / "01_a.ipynb").exists()


def test_chapter_sees_its_parameters_and_writes_beside_the_pages(tmp_path):
    (tmp_path / "notebooks").mkdir()
    source = "from pathlib import Path\nPath(results, 'x.txt').write_text(f'{scale} {seed}')"
    write_chapter(tmp_path, "01_a", source)
    run = Run("synthetic", "smoke", seed=4, root=tmp_path)
    for folder in ("notebooks", "results"):
        (run.out / folder).mkdir(parents=True)
    chapters.run_chapter(run, tmp_path / "notebooks" / "01_a.ipynb")
    assert (run.out / "results" / "x.txt").read_text() == "smoke 4"
    page = json.loads((run.out / "notebooks" / "01_a.ipynb").read_text())
    assert 'scale = "smoke"' in "".join(page["cells"][0]["source"])


def test_glued_numpy_numbers_are_numbers():
    mime = "application/papermill.record/text/plain"
    data = {
        mime: "np.float64(-2.9e-16)",
        "image/png": "np.float64(1)x",
        "text/plain": "np.int64(3)",
    }
    chapters.plain_numbers(data)
    assert data == {mime: "-2.9e-16", "image/png": "np.float64(1)x", "text/plain": "3"}


GOOD = '<img src="_images/map.png" alt="A map of tasks on which birds sit beside birds.">'


@pytest.mark.parametrize(
    "body, fault",
    [
        (GOOD, None),
        ('<a href="https://arxiv.org/abs/1902.03545">a link is not loaded</a>', None),
        ('<link rel="canonical" href="https://example.org/book/">', None),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn"),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', "loads //fonts"),
        ('<script src="_static/gone.js"></script>', "does not exist"),
        ('<img src="_images/map.png" alt="">', "no sentence"),
        ('<img src="_images/map.png" alt="fig_map">', "no sentence"),
        ("<p>```{csv-table} Seconds in <code>notebooks</code></p>", "source of a directive"),
    ],
)
def test_pages_that_need_a_network_or_eyes_are_found(tmp_path, body, fault):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "map.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(f"<html><body>{body}</body></html>")
    found = faults(tmp_path)
    assert (found == []) if fault is None else (len(found) == 1 and fault in found[0]), found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-4.6 [-12.7, +2.8]", "−4.6 [−12.7, +2.8]"),
        ("(-.3 to .2)", "(−.3 to .2)"),
        ("about -7%", "about −7%"),
        ("1e-8 on 2019-03 in 5-10 and resnet-18, --scale -n", None),
    ],
)
def test_only_a_hyphen_that_opens_a_number_becomes_a_minus(text, shown):
    assert with_minus(text) == (shown or text)


@pytest.mark.parametrize(
    ("text", "spaces"),
    [
        ("9.8 [8.0, 11.9]", 0),
        ("+3 [−2.4, +9], then 5, 6 and [a, b]", 6),
        ("see [1] for 2, 3", 4),
    ],
)
def test_a_line_does_not_break_within_an_interval(text, spaces):
    assert unbroken(text).count(" ") == spaces
    assert unbroken(text).replace("\N{NO-BREAK SPACE}", " ") == text


def test_minus_signs_reach_prose_and_tables_but_no_code():
    table = "<table class='c-1'><td>-2</td><td>1e-3</td></table>"
    page = new_document("page")
    page += nodes.paragraph("", "", nodes.Text("it is -1 and "), nodes.literal("", "-1"))
    page += nodes.raw("", table, format="html", classes=["output"])
    page += nodes.raw("", "<style>p {margin:-1px}</style><p>a > -1<br></p>", format="html")
    row = nodes.row("", nodes.entry("", nodes.paragraph("", "2.5 [-1.0, 4.0]")))
    page += nodes.table("", nodes.tgroup("", nodes.tbody("", row), cols=1))
    Numbers(page).run()
    assert page[3].astext() == "2.5\N{NO-BREAK SPACE}[−1.0,\N{NO-BREAK SPACE}4.0]"
    assert page[0].astext() == "it is −1 and -1"
    assert page[1].astext() == table.replace("<td>-2", "<td>−2")
    assert page[1]["classes"] == ["output"]  # by which the page finds its tables
    assert "−" not in page[2].astext()


def test_a_run_of_one_chapter_on_photographs_hides_no_kept_table(book):
    kept = book.root / "book" / "results" / "real-smoke"
    kept.mkdir(parents=True)
    for name in ("01_a", "02_b"):
        (kept / f"{name}.csv").write_text("kept\n")
    for name in pages.PHOTOGRAPHS:
        (book.root / "data" / name).mkdir(parents=True)
        (book.root / "data" / name / "index.csv").touch()
    fresh = book.root / "_build" / "real-smoke" / "results"
    fresh.mkdir(parents=True)
    (fresh / "01_a.csv").write_text("fresh\n")
    pages.lay(book)
    laid = book.out / "book" / "results" / "real-smoke"
    assert {p.stem: p.read_text() for p in laid.iterdir()} == {"01_a": "fresh\n", "02_b": "kept\n"}


def test_some_photographs_are_not_enough(book, capsys):
    (book.root / "data" / "cub").mkdir(parents=True)
    (book.root / "data" / "cub" / "index.csv").touch()
    arguments = ["--scale", "laptop", "--root", str(book.root)]
    assert build.main(arguments) == 1
    assert "of the photographs, tiny_imagenet, living_things" in capsys.readouterr().err
