"""Check the form of the stored chapters: `python .ci/lint_notebooks.py [NOTEBOOK ...]`.

Every problem is one line; the exit status is 1 if there is any. Each rule is a generator that takes
a notebook and yields `(cell id, problem)`.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS = {
    "library": "open",
    "scale": "laptop",
    "seed": 0,
    "device": "auto",
    "data": None,
    "results": "results",
}
FUNCTION_LINES = 10
ALT_CHARACTERS = 40
SENTENCE = re.compile(r"[A-Z0-9].*[a-z].* .*[.!?]", re.DOTALL)
DRAWS = re.compile(r"\b(plt\.show|plt\.subplots|task_map|distance_heatmap|image_grid)\(")
EXERCISE = r"\{exercise(?:-start)?\}"
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|work|root|tmp|Users)/")
# a fence of backticks is no directive if its first line holds another backtick
BROKEN_FENCE = re.compile(r"^```\{[\w-]+\}.*`", re.MULTILINE)
FOLDED = {"hide-input", "hide-cell", "hide-output"}
UNSEEN = {"remove-cell", "remove-output"}
WHOLE = ""  # the cell id of problems that are not about one cell

Problems = Iterator[tuple[str, str]]


def format_is_valid(notebook: NotebookNode) -> Problems:
    """The notebook has the format it declares, and every cell an id of its own."""
    ids = Counter(cell.get("id") for cell in notebook.cells)
    repeated = [name for name, count in ids.items() if count > 1]
    yield from ((name, "cell id used more than once") for name in repeated)
    try:
        nbformat.validate(copy.deepcopy(notebook))  # it gives new ids to cells whose id is repeated
    except nbformat.ValidationError as error:
        yield WHOLE, f"invalid notebook: {error.message}"


def stored_without_outputs(notebook: NotebookNode) -> Problems:
    """No output, execution count or time of a run is stored."""
    for cell in code(notebook):
        if cell.outputs or cell.execution_count is not None:
            yield cell.id, "stored with outputs or an execution count"
        if {"execution", "papermill"} & set(cell.metadata):
            yield cell.id, "stored with metadata of a run"


def imports_come_first(notebook: NotebookNode) -> Problems:
    """The first code cell has all imports, and besides them only calls such as a style."""
    first, *others = code(notebook)
    body = python(first).body
    if not any(isinstance(node, ast.Import | ast.ImportFrom) for node in body):
        yield first.id, "the first code cell imports nothing"
    if not all(isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) for node in body):
        yield first.id, "the first code cell does more than import"
    for cell in others:
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in python(cell).body):
            yield cell.id, "imports belong in the first code cell"


def parameters_have_defaults(notebook: NotebookNode) -> Problems:
    """One cell is tagged `parameters` and sets every parameter to its default."""
    tagged = [cell for cell in code(notebook) if "parameters" in tags(cell)]
    if len(tagged) != 1:
        yield WHOLE, f"{len(tagged)} cells tagged `parameters` instead of one"
        return
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in python(tagged[0]).body
        if isinstance(node, ast.Assign)
    }
    for name, default in DEFAULTS.items():
        if name not in values or values[name] != default:
            yield tagged[0].id, f"parameter {name} is not {default!r}"


def functions_are_short(notebook: NotebookNode) -> Problems:
    """No function or class has more than ten lines."""
    for cell in code(notebook):
        for node in ast.walk(python(cell)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if node.end_lineno - node.lineno >= FUNCTION_LINES:
                    yield cell.id, f"{node.name} is too long: move it to t2v"


def glued_once_and_unseen(notebook: NotebookNode) -> Problems:
    """Cells that glue are removed from the page, and no name is glued twice."""
    names = []
    for cell in code(notebook):
        found = [name for node in ast.walk(python(cell)) for name in glued(node)]
        if found and "remove-cell" not in tags(cell):
            yield cell.id, "glues but is shown"
        names += [(name, cell.id) for name in found]
    counts = Counter(name for name, _ in names)
    yield from ((cell, f"{name} is glued twice") for name, cell in names if counts[name] > 1)


def folded_cells_have_a_prompt(notebook: NotebookNode) -> Problems:
    """A folded cell says what is in it."""
    for cell in code(notebook):
        prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "")
        if tags(cell) & FOLDED and (len(prompt) <= 8 or prompt == "Show code cell source"):
            yield cell.id, "folded without a prompt that says what is in it"


def figures_are_described(notebook: NotebookNode) -> Problems:
    """A figure has a name, a caption and an alternative text of whole sentences."""
    for cell in figures(notebook):
        figure = cell.metadata.mystnb.figure
        caption = figure.get("caption", "").strip()
        alt = cell.metadata.mystnb.get("image", {}).get("alt", "").strip()
        if not figure.get("name", "").startswith("fig-"):
            yield cell.id, "the name of a figure begins with fig-"
        if not SENTENCE.fullmatch(caption):
            yield cell.id, "the caption is not a whole sentence"
        if not SENTENCE.fullmatch(alt) or len(alt) < ALT_CHARACTERS:
            yield cell.id, f"the alternative text is not a whole sentence: {alt!r}"
        if alt and alt == caption:
            yield cell.id, "the alternative text repeats the caption"


def drawings_are_figures(notebook: NotebookNode) -> Problems:
    """A cell that draws is a figure with caption, name and alternative text."""
    named = {cell.id for cell in figures(notebook)}
    for cell in code(notebook):
        if DRAWS.search(cell.source) and not tags(cell) & UNSEEN and cell.id not in named:
            yield cell.id, "draws, but is no figure with caption, name and alternative text"


def opening_is_complete(notebook: NotebookNode) -> Problems:
    """Before any code stand a title, what is learnt, what is needed, and the minutes it takes."""
    texts = prose(notebook)
    if not re.match(r"(\([\w-]+\)=\s*)?# \S", texts[0]):
        yield WHOLE, "does not begin with a title"
    before = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    opening = "\n".join(texts[:before]).lower()
    for part in ("What you will learn", "What you need", "minutes"):
        if part.lower() not in opening:
            yield WHOLE, f"the opening has no {part!r}"


def closing_is_complete(notebook: NotebookNode) -> Problems:
    """After *What was shown* stand two or three exercises."""
    text = "\n".join(prose(notebook))
    if not 0 < text.find("What was shown") < text.find("{exercise"):
        yield WHOLE, "'What was shown' does not come before the exercises"
    if not 2 <= len(re.findall(EXERCISE, text)) <= 3:
        yield WHOLE, "the number of exercises is not two or three"


def exercises_have_solutions(notebook: NotebookNode) -> Problems:
    """Every exercise has a folded solution, and at least one has code, which runs."""
    text = "\n".join(prose(notebook))
    asked = re.findall(EXERCISE + r".*?:label: ([\w-]+)", text, re.DOTALL)
    opened = re.findall(r"\{solution-start\} ([\w-]+)\n(.*?)```", text, re.DOTALL)
    if len(asked) != len(re.findall(EXERCISE, text)):
        yield WHOLE, "an exercise has no label"
    if sorted(asked) != sorted(label for label, _ in opened):
        yield WHOLE, "exercises and solutions differ"
    if not all(":class: dropdown" in options for _, options in opened):
        yield WHOLE, "a solution is not folded"
    if text.count("{solution-end}") != len(opened):
        yield WHOLE, "a solution does not end"
    inside, with_code = False, 0
    for cell in notebook.cells:
        if "{solution-start}" in cell.source:
            inside, has_code = True, False
        if inside and cell.cell_type == "code":
            has_code = True
            if tags(cell) & {"skip-execution", "raises-exception"}:
                yield cell.id, "the code of a solution is not run"
        if inside and "{solution-end}" in cell.source:
            inside, with_code = False, with_code + has_code
    if not with_code:
        yield WHOLE, "no solution has code"


def paths_of_no_machine(notebook: NotebookNode) -> Problems:
    """No cell names a folder of one machine."""
    for cell in notebook.cells:
        if MACHINE_PATH.search(cell.source):
            yield cell.id, "names a folder of one machine"


def directives_are_directives(notebook: NotebookNode) -> Problems:
    """No directive is taken for text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and BROKEN_FENCE.search(cell.source):
            yield cell.id, "a backtick in the first line of a directive: fence it with tildes"


RULES = (
    format_is_valid,
    stored_without_outputs,
    imports_come_first,
    parameters_have_defaults,
    functions_are_short,
    glued_once_and_unseen,
    folded_cells_have_a_prompt,
    figures_are_described,
    drawings_are_figures,
    opening_is_complete,
    closing_is_complete,
    exercises_have_solutions,
    paths_of_no_machine,
    directives_are_directives,
)

OF_CHAPTERS = (closing_is_complete, exercises_have_solutions)  # the tour has no exercises


def code(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> list[str]:
    """Sources of the Markdown cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell: NotebookNode) -> set[str]:
    """Tags of a cell."""
    return set(cell.metadata.get("tags", []))


def figures(notebook: NotebookNode) -> list[NotebookNode]:
    """Cells whose output is a numbered figure."""
    return [cell for cell in code(notebook) if "figure" in cell.metadata.get("mystnb", {})]


def python(cell: NotebookNode) -> ast.Module:
    """Syntax tree of a cell, without the lines that only IPython understands."""
    lines = cell.source.split("\n")
    return ast.parse("\n".join("" if x.lstrip().startswith(("%", "!")) else x for x in lines))


def glued(node: ast.AST) -> list[str]:
    """Names that `glue(name, value)` or `….glue(prefix, name=value)` puts into the text."""
    if not isinstance(node, ast.Call):
        return []
    if getattr(node.func, "id", "") == "glue":
        return [ast.unparse(node.args[0])]
    if getattr(node.func, "attr", "") == "glue":
        prefix = [ast.unparse(argument) for argument in node.args]
        names = [keyword.arg or ast.unparse(keyword.value) for keyword in node.keywords]
        return [" ".join([*prefix, name]) for name in names]
    return []


def problems(paths: Iterable[Path]) -> list[str]:
    """All problems of these notebooks, one line each; names of figures are unique among them."""
    lines, places = [], {}
    for path in paths:
        notebook = nbformat.v4.reads(path.read_text())  # as it is stored, without repairs
        rules = [r for r in RULES if r not in OF_CHAPTERS] if path.name[:2] == "00" else RULES
        for rule in rules:
            for cell, problem in rule(notebook):
                lines.append(f"{path.name}{f', cell {cell}' if cell else ''}: {problem}")
        for cell in figures(notebook):
            places.setdefault(cell.metadata.mystnb.figure.get("name"), []).append(path.name)
    for name, where in places.items():
        if len(where) > 1:
            lines.append(f"{', '.join(where)}: the name {name} is used more than once")
    return lines


if __name__ == "__main__":
    chosen = [Path(name) for name in sys.argv[1:]]
    found = problems(chosen or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
