"""What the tests of the builder do with the book of the fixture `book`: two chapters, a module."""

import nbformat
from builder import chapters, results, site
from nbformat.v4 import new_code_cell, new_notebook

PARAMETERS = (
    'library = "synthetic"  # which tasks\nscale = "laptop"\nseed = 0\ndevice = "auto"\n'
    'data = None\nresults = "results"'
)
RAN: list[str] = []  # the chapters run, in their order


def write_chapter(root, name, *sources):
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")


def rerun(run):
    RAN.clear()
    site.lay(run)
    chapters.run_chapters(run)
    return list(RAN)


def keep_all(book):
    for name in ("01_a", "02_b"):
        (book.out / "results" / f"{name}.json").write_text('{"limits": "none", "seconds": null}')
    for path in chapters.chapters(book.root):
        results.keep(book, path)
