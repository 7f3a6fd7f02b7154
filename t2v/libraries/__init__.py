"""Libraries of tasks, by name: the procedural worlds and the photographs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from t2v.errors import InputError
from t2v.task import Task

SCALES = ("smoke", "laptop", "paper")

_PROCEDURAL = ("phylogeny", "aviary", "wardrobe")
_PHOTOGRAPHS = ("cub", "tiny_imagenet", "living_things", "fashion", "clothing")
_TOGETHER = {"synthetic": _PROCEDURAL, "real": _PHOTOGRAPHS}

NAMES = (*_PROCEDURAL, *_PHOTOGRAPHS, *_TOGETHER)


@dataclass(frozen=True)
class Library:
    """Tasks that belong together.

    Attributes:
        name: as given to `load_library`.
        tasks: the tasks, in a fixed order.
        taxonomy: nested dict of names, root first, ending in lists of leaves; whatever the
            library's tasks are placed in.
        provenance: source, licence, counts, and what was skipped, as plain values.
    """

    name: str
    tasks: list[Task]
    taxonomy: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self):
        return iter(self.tasks)


def load_library(name: str, scale: str = "laptop", seed: int = 0, data=None) -> Library:
    """Load or draw a library of tasks.

    Args:
        name: one of `NAMES`. ``synthetic`` is phylogeny, aviary and wardrobe together,
            ``real`` the photographs that are on disk.
        scale: ``smoke`` (seconds), ``laptop`` (minutes on two cores) or ``paper``.
        seed: of the world (procedural) or of the choice of images (photographs).
        data: folder of the photographs; the procedural libraries need none.

    Returns:
        The library; the same arguments give the same bytes.

    Raises:
        InputError: unknown name or scale, or a seed that is not a whole number >= 0.
    """
    if name not in NAMES:
        raise InputError(f"library {name!r} is unknown: choose one of {', '.join(NAMES)}")
    if scale not in SCALES:
        raise InputError(f"scale {scale!r} of library {name!r}: choose one of {', '.join(SCALES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed of library {name!r} must be a whole number >= 0, got {seed!r}")
    if name == "synthetic":
        return join(name, [load_library(part, scale, seed, data) for part in _PROCEDURAL])
    if name in _PROCEDURAL:
        return importlib.import_module(f"t2v.libraries.worlds.{name}").load(name, scale, seed, data)
    return importlib.import_module("t2v.libraries.photographs.load").load(name, scale, seed, data)


def join(name: str, parts: list[Library]) -> Library:
    """Libraries as one: tasks in order, taxonomies and provenance by the parts' names."""
    return Library(
        name,
        [task for part in parts for task in part.tasks],
        {part.name: part.taxonomy for part in parts},
        {part.name: part.provenance for part in parts},
    )
