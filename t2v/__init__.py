"""Task2Vec: embed visual classification tasks by the Fisher information of a probe network.

Achille et al., *Task2Vec: Task Embedding for Meta-Learning*, ICCV 2019, arXiv 1902.03545.

The names below are loaded on first use, so that `t2v.distances`, `t2v.evaluation` and the other
numpy-only modules can be used where torch is not installed.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

_HOME = {
    "Task": "task",
    "Probe": "probe",
    "load_probe": "probe",
    "Head": "head",
    "fit_head": "head",
    "filter_fisher": "fisher",
    "robust_fisher": "robust",
    "Embedding": "embedding",
    "task2vec": "embedding",
    "domain2vec": "embedding",
    "embed_tasks": "many_tasks",
    "distance_matrix": "distances",
    "Library": "libraries",
    "load_library": "libraries",
    "InputError": "errors",
    "FileError": "errors",
}

__version__ = version("t2v")  # that of pyproject.toml
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"t2v.{_HOME[name]}"), name)
    if not name.startswith("_") and find_spec(f"t2v.{name}") is not None:
        return import_module(f"t2v.{name}")
    raise AttributeError(f"module 't2v' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
