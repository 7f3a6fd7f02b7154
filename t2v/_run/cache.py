"""Cache of results on disk, keyed by content of the inputs and version of the code.

Everything is in one folder, `T2V_CACHE`. A key has a hash of the inputs and the version of the
module that computes: a hash of its source and of the sources of all modules of `t2v` that it
imports, directly or not. A change of code makes exactly those results stale that it can change.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import pkgutil
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

from joblib import Memory

from t2v._run.parallel import in_parallel

# results do not depend on how work is run, nor on messages about bad input
_IGNORED = ("t2v._run", "t2v.errors")


def folder(*parts: str) -> Path:
    """Path of a folder in the cache, `T2V_CACHE` (default `.cache/t2v`); made if needed."""
    path = Path(os.environ.get("T2V_CACHE", Path(".cache") / "t2v"), *parts).resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def content_key(module: str, *content: Hashable) -> str:
    """Name of a cached file: sha256 of plain values and of the version of a module.

    Args:
        module: dotted name of the module whose code decides the file's content.
        *content: values that decide it; values are equal if their `repr` is.

    Raises:
        ModuleNotFoundError: if there is no such module.
    """
    return hashlib.sha256(repr((code_version(module), content)).encode()).hexdigest()


@cache
def code_version(module: str) -> str:
    """sha256 of the sources of a module of `t2v` and of all that it imports from `t2v`.

    Raises:
        ModuleNotFoundError: if there is no such module.
    """
    digest = hashlib.sha256()
    for name, source in sorted(_sources(module).items()):
        digest.update(f"{name}\n{source}\n".encode())
    return digest.hexdigest()


def cached_call(work: Callable[[tuple, Any], Any], key: tuple[Hashable, ...], argument: Any) -> Any:
    """The result of `work(key, argument)`, from the cache if it is there.

    Args:
        work: a function at the top level of a module.
        key: values that identify `argument`; the version of the function's module is added.
        argument: input of the function; not part of the key by itself.
    """
    return _memorised(work)((*key, code_version(work.__module__)), argument)


def cached_map(
    work: Callable[..., Any],
    keys: Sequence[tuple[Hashable, ...]],
    items: Sequence[tuple],
    *,
    jobs: int,
    what: str,
    progress: bool = False,
    cost: Callable[[int], float] | None = None,
    prepare: Callable[[list[int]], list[tuple]] | None = None,
) -> list[Any]:
    """Results of `work(key, *item)` for every item, in order, from the cache if they are there.

    Each result is cached as soon as it is computed, so a killed run continues where it stopped.

    Args:
        work: a function at the top level of a module.
        keys: N tuples of values, each of which identifies its item; the version of the function's
            module is added.
        items: N tuples of arguments.
        jobs: number of processes, see `in_parallel`.
        what: text of the progress bar.
        progress: show a progress bar.
        cost: relative cost of an item by its index; the most expensive item is started first, so
            that no process is left alone with it at the end.
        prepare: function from the indices of the items to compute to a tuple of further arguments
            for each of them.

    Returns:
        N results.
    """
    version = code_version(work.__module__)
    memorised = _memorised(work)
    nothing = [None] * (len(signature(work).parameters) - 1)
    full = [(*key, version) for key in keys]
    missing = [i for i, key in enumerate(full) if not memorised.check_call_in_cache(key, *nothing)]
    results = {i: memorised(full[i], *nothing) for i in set(range(len(full))) - set(missing)}
    if cost is not None:
        missing.sort(key=lambda i: -cost(i))
    more = prepare(missing) if prepare is not None else [()] * len(missing)
    todo = [(full[i], *items[i], *extra) for i, extra in zip(missing, more, strict=True)]
    done = in_parallel(memorised, todo, jobs, total=len(todo), what=what, progress=progress)
    results.update(zip(missing, done, strict=True))
    return [results[i] for i in range(len(full))]


def _memorised(work: Callable[..., Any]) -> Any:
    """The function under joblib's Memory; of its arguments only the first, the key, counts."""
    ignored = list(signature(work).parameters)[1:]
    return Memory(folder(), verbose=0).cache(work, ignore=ignored)


def _sources(module: str) -> dict[str, str]:
    """Sources by name of a module and of the modules of `t2v` that it imports, directly or not."""
    sources: dict[str, str] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name in sources or any(name == i or name.startswith(f"{i}.") for i in _IGNORED):
            continue
        sources[name] = _file_of(name).read_text(encoding="utf-8")
        todo += _imports(name, sources[name])
    return sources


def _file_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module}: no such module, so it has no version")
    return Path(spec.origin)


def _imports(name: str, source: str) -> Iterator[str]:
    """Modules of `t2v` in the import statements of a source, also in those inside functions.

    Raises:
        ImportError: for an import whose module cannot be read off.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            yield from (imported for imported in names if imported.startswith("t2v."))
            lazy = "t2v" in names  # names of t2v itself are loaded on first use, from anywhere
        elif node.level or node.module is None:
            raise ImportError(f"{name}: relative import; t2v imports by full names")
        elif f"{node.module}.".startswith("t2v."):
            modules = _modules_in(node.module)
            yield from (f"{node.module}.{submodule}" for submodule in names & modules)
            lazy = node.module == "t2v" and not names <= modules
            if node.module != "t2v":
                yield node.module
        else:
            lazy = False
        if lazy and name.startswith("t2v."):
            raise ImportError(f"{name}: import a module of t2v, or a name from its module")


@cache
def _modules_in(package: str) -> frozenset[str]:
    """Names of the modules of a package; none for a module."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    return frozenset(info.name for info in pkgutil.iter_modules(folders or []))
