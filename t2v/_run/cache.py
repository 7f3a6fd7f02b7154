"""The cache on disk: what was computed once, by content and by version of the code.

Everything lies under one folder, `T2V_CACHE`. Keys hold a hash of the inputs, and the version of
the module that does the work: a hash of its source and of all that it imports from `t2v`. So a
change of code makes exactly those results stale that it can change.
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

# how work is run and what is said of bad input; results do not depend on these
_WITHOUT_INFLUENCE = ("t2v._run", "t2v.errors")


def folder(*parts: str) -> Path:
    """Absolute path below the cache, `T2V_CACHE` (default `.cache/t2v`); made if need be."""
    path = Path(os.environ.get("T2V_CACHE", Path(".cache") / "t2v"), *parts).resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def content_key(module: str, *content: Hashable) -> str:
    """sha256 of plain values and of the version of a module: the name of a cached file.

    Args:
        module: dotted name of the module whose code decides the file's content.
        *content: what else decides it; told apart by `repr`.

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
    """`work(key, argument)`, or what it returned before for this key.

    Args:
        work: a function of a module.
        key: identifies `argument`; the version of the function's module is added.
        argument: what the function works on; it does not enter the key by itself.
    """
    return _remembered(work)((*key, code_version(work.__module__)), argument)


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
    """`work(key, *item)` for every item, in their order, from the cache where it was done before.

    Each result is kept as soon as it is there, so a run that was killed goes on where it was.

    Args:
        work: a function of a module.
        keys: N keys; each identifies its item. The version of the function's module is added.
        items: N tuples of arguments.
        jobs: processes, see `in_parallel`.
        what: the items are, for the progress bar.
        progress: show it.
        cost: of an item, by its number; the most expensive are started first, so that no process
            is left alone with one at the end.
        prepare: given the numbers of the items that are not cached, a tuple of further arguments
            for each of them.

    Returns:
        N results.
    """
    version = code_version(work.__module__)
    remembered = _remembered(work)
    nothing = [None] * (len(signature(work).parameters) - 1)
    full = [(*key, version) for key in keys]
    missing = [i for i, key in enumerate(full) if not remembered.check_call_in_cache(key, *nothing)]
    results = {i: remembered(full[i], *nothing) for i in set(range(len(full))) - set(missing)}
    if cost is not None:
        missing.sort(key=lambda i: -cost(i))
    more = prepare(missing) if prepare is not None else [()] * len(missing)
    todo = [(full[i], *items[i], *extra) for i, extra in zip(missing, more, strict=True)]
    done = in_parallel(remembered, todo, jobs, total=len(todo), what=what, progress=progress)
    results.update(zip(missing, done, strict=True))
    return [results[i] for i in range(len(full))]


def _remembered(work: Callable[..., Any]) -> Any:
    """The function under joblib's Memory; its first argument, the key, stands for the others."""
    others = list(signature(work).parameters)[1:]
    return Memory(folder(), verbose=0).cache(work, ignore=others)


def _sources(module: str) -> dict[str, str]:
    """Name and source of a module of `t2v` and of those that it imports, directly or not."""
    found: dict[str, str] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found or name.startswith(_WITHOUT_INFLUENCE):
            continue
        found[name] = _file_of(name).read_text(encoding="utf-8")
        todo += _imports(name, found[name])
    return found


def _file_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module}: no such module, so its version cannot be told")
    return Path(spec.origin)


def _imports(name: str, source: str) -> Iterator[str]:
    """Modules of `t2v` in the import statements of a source, also in those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("t2v."))
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise ImportError(f"{name}: relative import; t2v imports by full names")
            if node.module.startswith("t2v."):
                yield node.module
                modules = _modules_in(node.module)
                yield from (f"{node.module}.{a.name}" for a in node.names if a.name in modules)


@cache
def _modules_in(package: str) -> frozenset[str]:
    """Names of the modules of a package; none for a module."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return frozenset(info.name for info in pkgutil.iter_modules(places or []))
