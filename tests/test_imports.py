"""Imports go one way: read from the sources by `ast`, so that nothing is run."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
    for p in sorted((ROOT / "t2v").rglob("*.py"))
}
NUMPY_ONLY = (
    *("distances", "pairs", "evaluation", "meta_task", "selection", "recommendation", "report"),
    *("transferability", "tables", "plots"),
)
# whole packages that a module may import from, besides the standard library
ONLY_IN = {
    "matplotlib": {"t2v.plots"},
    "seaborn": {"t2v.plots"},
    "plotly": {"t2v.plots"},
    "pandas": {"t2v.tables"},
}


def imports(path: Path, name: str, *, everywhere: bool) -> set[str]:
    """Modules that a source imports: those run on import, or also those inside functions."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for scope in ast.walk(tree)
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(scope)
    }
    found = set()
    for node in ast.walk(tree):
        if not everywhere and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{a.name}" for a in node.names if f"{module}.{a.name}" in SOURCES}
            found.add(module)
    return found


def reached(name: str) -> set[str]:
    """Everything that importing a module of `t2v` imports, as far as `t2v` itself goes."""
    seen, todo = set(), [name]
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            if module in SOURCES:
                todo += imports(SOURCES[module], module, everywhere=False)
    return seen


@pytest.mark.parametrize("name", SOURCES)
def test_module_knows_nothing_of_book_scripts_and_tests(name):
    outside = {"notebooks", "data_scripts", "tests", "papermill", "myst_nb", "IPython", "nbformat"}
    assert not {m.split(".")[0] for m in imports(SOURCES[name], name, everywhere=True)} & outside


@pytest.mark.parametrize("package", ONLY_IN)
def test_packages_are_imported_only_where_they_belong(package):
    users = {
        name
        for name, path in SOURCES.items()
        if any(m.split(".")[0] == package for m in imports(path, name, everywhere=True))
    }
    assert users <= ONLY_IN[package]


@pytest.mark.parametrize("module", [m for m in NUMPY_ONLY if f"t2v.{m}" in SOURCES])
def test_teachers_modules_need_no_torch(module):
    assert not {m for m in reached(f"t2v.{module}") if m.split(".")[0] in ("torch", "torchvision")}


WITHOUT_TORCH = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
import numpy, t2v
from t2v import distances, evaluation
print(t2v.distance_matrix(numpy.eye(3)).tolist())
"""


def test_teachers_modules_run_where_torch_is_not_installed():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True)
    assert done.stdout.strip() == "[[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]", done.stderr


def test_no_module_imports_one_that_imports_it():
    graph = {
        name: {m for m in imports(path, name, everywhere=False) if m in SOURCES and m != name}
        for name, path in SOURCES.items()
    }
    done: set[str] = set()
    while ready := {n for n in graph if n not in done and graph[n] <= done | {"t2v"}}:
        done |= ready
    assert set(graph) <= done, f"a circle among {sorted(set(graph) - done)}"


# module: the modules of t2v it may import, also inside functions
MAY = {
    "task": {"errors", "images"},
    "logistic": set(),
    "head": {"errors", "logistic"},
    "fisher": {"errors", "precision", "row_norms"},
    "robust": {"errors", "fisher", "precision", "row_norms"},
    "two_layers": {"errors"},
    "pairs": {"errors"},
    "distances": {"errors", "pairs"},
    "plots": {"errors"},
    "tables": {"errors"},
    "meta_task": {"errors"},
    "selection": {"distances", "errors", "evaluation", "meta_task"},
    "classifiers": {"errors", "logistic"},
    "recommendation": {"distances", "errors"},
    "report": {"distances", "errors", "recommendation"},
    "transferability": {"errors"},
}


@pytest.mark.parametrize("module", [m for m in MAY if f"t2v.{m}" in SOURCES])
def test_directions_inside_the_module(module):
    name = f"t2v.{module}"
    own = {m for m in imports(SOURCES[name], name, everywhere=True) if m.startswith("t2v")}
    assert {m.removeprefix("t2v.") for m in own if m in SOURCES and m != "t2v"} <= MAY[module]


def test_nothing_imports_the_command_line():
    users = [
        name
        for name, path in SOURCES.items()
        if "t2v.cli" in imports(path, name, everywhere=True) and name != "t2v.__main__"
    ]
    assert users == []


def test_scripts_do_not_import_the_notebooks_or_tests():
    for path in sorted((ROOT / "data_scripts").rglob("*.py")):
        tops = {
            m.split(".")[0] for m in imports(path, f"data_scripts.{path.stem}", everywhere=True)
        }
        assert not tops & {"notebooks", "tests"}, path
