"""Running chapters: which are stale, in which order, and what their pages show."""

import json
import os

import pytest
from builder import chapters
from builder.chapters import BuildError, Run
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.builder.small_book import PARAMETERS, rerun, write_chapter


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
    photograph = book.root / "data" / "cub" / "images" / "a.jpg"
    photograph.parent.mkdir(parents=True)
    photograph.write_bytes(b"123")
    assert rerun(real) == ["01_a", "02_b"]
    assert rerun(real) == []
    photograph.write_bytes(b"1234")
    assert rerun(real) == ["01_a", "02_b"]
    rerun(book)
    photograph.write_bytes(b"12345")
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


def test_failing_cell_is_named_with_its_traceback(tmp_path):
    (tmp_path / "notebooks").mkdir()
    write_chapter(tmp_path, "01_a", "good = 1", "1 / 0")
    run = Run("synthetic", "smoke", root=tmp_path)
    (run.out / "notebooks").mkdir(parents=True)
    with pytest.raises(BuildError) as error:
        chapters.run_chapter(run, tmp_path / "notebooks" / "01_a.ipynb")
    for part in ("notebooks/01_a.ipynb, cell [4] failed", "1 / 0", "ZeroDivisionError"):
        assert part in str(error.value)
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
