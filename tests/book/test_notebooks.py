"""The chapters as they are stored: their form, and that nothing in them was made elsewhere."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
DEFAULTS = {
    "library": "synthetic",
    "scale": "laptop",
    "seed": 0,
    "device": "auto",
    "data": None,
    "results": "results",
}
SENTENCE = re.compile(r"[A-Z0-9].*[a-z].* .*[.!?]", re.DOTALL)
DRAWS = re.compile(r"\b(plt\.show|plt\.subplots|task_map|distance_heatmap|image_grid)\(")
EXERCISE = r"\{exercise(?:-start)?\}"
FOLDED = {"hide-input", "hide-cell", "hide-output"}
UNSEEN = {"remove-cell", "remove-output"}

pytestmark = pytest.mark.skipif(not CHAPTERS, reason="no chapter yet")


@pytest.fixture(scope="module", params=CHAPTERS, ids=lambda p: p.stem)
def chapter(request):
    return nbformat.read(request.param, as_version=4)


def code(chapter):
    return [cell for cell in chapter.cells if cell.cell_type == "code"]


def prose(chapter):
    return [cell.source for cell in chapter.cells if cell.cell_type == "markdown"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def python(cell):
    """The cell's code as a tree, without the lines that only IPython understands."""
    lines = [
        "" if line.lstrip().startswith(("%", "!")) else line for line in cell.source.split("\n")
    ]
    return ast.parse("\n".join(lines))


def figures(chapter):
    return [c for c in code(chapter) if "figure" in c.metadata.get("mystnb", {})]


def test_is_valid_and_its_cells_keep_their_names(chapter):
    nbformat.validate(chapter)
    names = [cell.id for cell in chapter.cells]
    assert len(set(names)) == len(names)


def test_is_stored_without_outputs(chapter):
    for cell in code(chapter):
        assert not cell.outputs and cell.execution_count is None, cell.id
        assert not {"execution", "papermill"} & set(cell.metadata), cell.id


def test_first_code_cell_is_the_imports_and_the_only_one(chapter):
    first, *others = code(chapter)
    kinds = ast.Import | ast.ImportFrom | ast.Expr  # Expr: plots.use_style()
    assert any(isinstance(n, ast.Import | ast.ImportFrom) for n in python(first).body)
    assert all(isinstance(node, kinds) for node in python(first).body), first.source
    for cell in others:
        assert not any(isinstance(n, ast.Import | ast.ImportFrom) for n in python(cell).body), (
            f"cell {cell.id} imports: its place is the first cell"
        )


def test_parameters_have_their_defaults(chapter):
    [cell] = [cell for cell in code(chapter) if "parameters" in tags(cell)]
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in python(cell).body
        if isinstance(node, ast.Assign)
    }
    assert {name: values.get(name, "missing") for name in DEFAULTS} == DEFAULTS


def test_no_function_is_longer_than_ten_lines(chapter):
    for cell in code(chapter):
        for node in ast.walk(python(cell)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assert node.end_lineno - node.lineno < 10, f"{node.name}: move it to t2v"


def test_what_is_glued_is_not_shown_and_only_once(chapter):
    keys = []
    for cell in code(chapter):
        for node in ast.walk(python(cell)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "glue":
                assert "remove-cell" in tags(cell), f"cell {cell.id} glues but is shown"
                keys += [ast.unparse(node.args[0])]
    assert len(set(keys)) == len(keys)


def test_folded_cells_say_what_is_in_them(chapter):
    for cell in code(chapter):
        if tags(cell) & FOLDED:
            prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "")
            assert len(prompt) > 8 and prompt != "Show code cell source", cell.id


def test_every_figure_has_caption_name_and_alternative_text(chapter):
    for cell in figures(chapter):
        given = cell.metadata.mystnb
        assert given.figure.get("name", "").startswith("fig-"), cell.id
        assert SENTENCE.fullmatch(given.figure.get("caption", "").strip()), f"{cell.id}: caption"
        alt = given.get("image", {}).get("alt", "").strip()
        assert SENTENCE.fullmatch(alt) and len(alt) >= 40, f"{cell.id}: alternative text {alt!r}"
        assert alt != given.figure["caption"].strip(), f"{cell.id}: alt repeats the caption"


def test_every_cell_that_draws_is_a_figure(chapter):
    named = {cell.id for cell in figures(chapter)}
    for cell in code(chapter):
        if DRAWS.search(cell.source) and not tags(cell) & UNSEEN:
            assert cell.id in named, f"cell {cell.id} draws without caption, name, alt"


def test_opens_as_every_chapter_does(chapter):
    texts = prose(chapter)
    assert re.match(r"(\([\w-]+\)=\s*)?# \S", texts[0])
    opening = "\n".join(
        texts[: next(i for i, c in enumerate(chapter.cells) if c.cell_type == "code")]
    )
    for part in ("What you will learn", "What you need", "minutes"):
        assert part.lower() in opening.lower(), f"the opening lacks {part!r}"


def test_closes_with_what_was_shown_and_exercises(chapter):
    text = "\n".join(prose(chapter))
    shown, exercises = text.find("What was shown"), text.find("{exercise")
    assert 0 < shown < exercises, "What was shown comes before the exercises"
    assert 2 <= len(re.findall(EXERCISE, text)) <= 3


def test_every_exercise_has_a_folded_solution_whose_code_runs(chapter):
    text = "\n".join(prose(chapter))
    asked = re.findall(EXERCISE + r".*?:label: ([\w-]+)", text, re.DOTALL)
    opened = re.findall(r"\{solution-start\} ([\w-]+)\n(.*?)```", text, re.DOTALL)
    assert len(asked) == len(re.findall(EXERCISE, text))
    assert sorted(asked) == sorted(label for label, _ in opened)
    assert all(":class: dropdown" in options for _, options in opened)
    assert text.count("{solution-end}") == len(opened)
    inside, with_code = False, 0
    for cell in chapter.cells:
        if "{solution-start}" in cell.source:
            inside, has_code = True, False
        if inside and cell.cell_type == "code":
            has_code = True
            assert not tags(cell) & {"skip-execution", "raises-exception"}, cell.id
        if inside and "{solution-end}" in cell.source:
            inside, with_code = False, with_code + has_code
    assert not inside and with_code > 0


def test_names_no_place_of_one_machine(chapter):
    for cell in chapter.cells:
        assert not re.search(r"(?<![\w.])/(home|work|root|tmp|Users)/", cell.source), cell.id


def test_no_directive_is_taken_for_text(chapter):
    # a fence of backticks is none if its first line holds another; one of tildes is
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"^```\{[\w-]+\}.*`", cell.source, re.MULTILINE), cell.id


def test_labels_are_those_of_one_figure_each():
    names = [
        cell.metadata.mystnb.figure.get("name")
        for path in CHAPTERS
        for cell in figures(nbformat.read(path, as_version=4))
    ]
    assert len(set(names)) == len(names)
