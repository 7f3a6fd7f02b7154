"""The chapters keep the rules of `.ci/lint_notebooks.py`, and each rule sees what breaks it."""

import json
import runpy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))

IMPORTS, PARAMETERS, GLUE, FIGURE, SOLUTION = 1, 2, 3, 4, 7


@pytest.fixture(scope="module")
def problems():
    return runpy.run_path(str(ROOT / ".ci" / "lint_notebooks.py"))["problems"]


def test_all_chapters_keep_the_rules(problems):
    assert len(CHAPTERS) == 18  # seventeen, and the tour
    assert problems(CHAPTERS) == []


def chapter():
    """A chapter that keeps all rules."""
    alt = "Two dots on a line, the left one is lower than the right one."
    figure = {
        "figure": {"name": "fig-dots", "caption": "Two dots on a line."},
        "image": {"alt": alt},
        "code_prompt_show": "Show how the dots are drawn",
    }
    parameters = (
        'library = "open"\nscale = "laptop"\nseed = 0\n'
        'device = "auto"\ndata = None\nresults = "results"'
    )
    exercises = "## What was shown\n" + "".join(
        f"\n```{{exercise}}\n:label: ex-{k}\nDraw {k} dots.\n```\n" for k in (1, 2)
    )
    start = "```{{solution-start}} ex-{}\n:class: dropdown\n```\n"
    end = "```{solution-end}\n```"
    cells = [
        new_markdown_cell("# Dots\n\nWhat you will learn: dots. What you need: 2 minutes."),
        new_code_cell("import matplotlib.pyplot as plt"),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new_code_cell('glue("dots", 2)', metadata={"tags": ["remove-cell"]}),
        new_code_cell("plt.subplots()", metadata={"mystnb": figure, "tags": ["hide-input"]}),
        new_markdown_cell(exercises),
        new_markdown_cell(start.format(1)),
        new_code_cell("1 + 1"),
        new_markdown_cell(end),
        new_markdown_cell(f"{start.format(2)}\nNone.\n\n{end}"),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return new_notebook(cells=cells)


def replaced(place, old, new):
    def change(cells):
        assert old in cells[place].source
        cells[place].source = cells[place].source.replace(old, new)

    return change


def labelled(**changes):
    def change(cells):
        cells[FIGURE].metadata.mystnb.figure.update(changes)

    return change


def described(text):
    def change(cells):
        cells[FIGURE].metadata.mystnb.image.alt = text

    return change


def appended(source, **metadata):
    def change(cells):
        cells.append(new_code_cell(source, id="more", metadata=metadata))

    return change


BROKEN = {
    "invalid notebook": lambda cells: cells[1].update(colour="red"),
    "cell id used more than once": lambda cells: cells[1].update(id="cell-0"),
    "execution count": lambda cells: cells[1].update(execution_count=3),
    "metadata of a run": lambda cells: cells[1].metadata.update(papermill={}),
    "imports nothing": replaced(IMPORTS, "import matplotlib.pyplot as plt", "plt"),
    "does more than import": replaced(IMPORTS, "as plt", "as plt\nx = 1"),
    "belong in the first code cell": appended("import t2v"),
    "0 cells tagged `parameters`": lambda cells: cells[PARAMETERS].metadata.pop("tags"),
    "parameter scale is not 'laptop'": replaced(PARAMETERS, "laptop", "paper"),
    "parameter seed is not 0": replaced(PARAMETERS, "seed = 0\n", ""),
    "f is too long": appended("def f():\n" + "    1\n" * 10),
    "glues but is shown": lambda cells: cells[GLUE].metadata.pop("tags"),
    "is glued twice": replaced(GLUE, 'glue("dots", 2)', 'glue("dots", 2)\nglue("dots", 3)'),
    "'c' d is glued twice": replaced(
        GLUE, 'glue("dots", 2)', "c.glue('b', d=1)\nc.glue('c', d=2)\nc.glue('c', d=3)"
    ),
    "without a prompt": lambda cells: cells[FIGURE].metadata.mystnb.pop("code_prompt_show"),
    "begins with fig-": labelled(name="dots"),
    "caption is not a whole sentence": labelled(caption="dots"),
    "alternative text is not": described("Two dots."),
    "repeats the caption": lambda cells: labelled(caption=cells[FIGURE].metadata.mystnb.image.alt)(
        cells
    ),
    "is no figure": appended("plt.show()"),
    "does not begin with a title": replaced(0, "# Dots", "Dots"),
    "the opening has no 'minutes'": replaced(0, "minutes", "hours"),
    "does not come before": replaced(5, "What was shown", "Summary"),
    "not two or three": replaced(5, "{exercise}", "{note}"),
    "has no label": replaced(5, ":label: ex-2", ""),
    "exercises and solutions differ": replaced(5, "ex-2", "ex-3"),
    "a solution is not folded": replaced(6, ":class: dropdown", ""),
    "a solution does not end": replaced(9, "{solution-end}", "{note}"),
    "a solution is not run": lambda cells: cells[SOLUTION].metadata.update(tags=["skip-execution"]),
    "no solution has code": lambda cells: cells.pop(SOLUTION),
    "a folder of one machine": replaced(SOLUTION, "1 + 1", '"/home/me"'),
    "fence it with tildes": replaced(5, "```{exercise}", "```{exercise} of `x`"),
}


def written(notebook, path):
    nbformat.write(notebook, path)
    return path


@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")
def test_each_rule_sees_what_breaks_it(problems, tmp_path):
    assert problems([written(chapter(), tmp_path / "good.ipynb")]) == []
    for problem, change in BROKEN.items():
        notebook = chapter()
        change(notebook.cells)
        path = tmp_path / "bad.ipynb"
        path.write_text(json.dumps(notebook))
        assert any(problem in line for line in problems([path])), problem


def test_figures_of_two_chapters_have_different_names(problems, tmp_path):
    paths = [written(chapter(), tmp_path / f"{name}.ipynb") for name in "ab"]
    assert problems(paths) == ["a.ipynb, b.ipynb: the name fig-dots is used more than once"]
