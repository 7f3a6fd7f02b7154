"""Libraries: collections of tasks by name, drawn or made of photographs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2v.errors import InputError

if TYPE_CHECKING:
    from t2v.task import Task

SCALES = ("smoke", "laptop", "paper")

DRAWN = ("phylogeny", "aviary", "wardrobe")
"""Names of the libraries that are drawn, each a module of `t2v.libraries.worlds`."""

PHOTOGRAPHS = ("cub", "tiny_imagenet", "living_things", "fashion", "clothing")
"""Names of the sets of photographs, each a module of `t2v.libraries.photographs`."""

PAPER = ("inaturalist", "cub200", "imaterialist", "deepfashion")
"""Names of the paper's own data sets, each a module of `t2v.libraries.paper`."""

WORLDS = ("worlds", "synthetic")
"""The two names of all drawn libraries together."""

NAMES = (*DRAWN, *PHOTOGRAPHS, *PAPER, "open", *WORLDS, "real", "paper")

OF_ATTRIBUTES = (
    *("wardrobe", "fashion", "imaterialist", "deepfashion"),
    *("garments", "packages", "waste", "hands", "letters"),
)
"""Roots of lineages under which classes may be values of attributes (a colour, a material).

The first four are libraries, the others roots of the library ``open``. The name of a class under
one of them means something else elsewhere: the *apple* of a juice is no apple.
"""


@dataclass(frozen=True)
class Library:
    """A collection of tasks.

    Attributes:
        name: the name given to `load_library`.
        tasks: the tasks, in a fixed order.
        taxonomy: nested dict of names, root first, ending in lists of leaves, in which the tasks
            have their places.
        provenance: plain values by key; of a joint library, those of each part by its name. Every
            library has `title`, `licence`, `scale`, `seed`, and numbers of `tasks`, of different
            `images` in them, of images among these that are `held_out`, and of `pixels` on a side;
            `skipped` lists path and reason of each image that cannot be read. Photographs also
            have `page`, `credit`, `origin`, `archives`, `what_was_changed`, `images_in_set` and
            `pictures_allowed`, the names of the tasks whose images a published page may show.
            Of ``open``, these are under `sources`, by data set; `by_hand` names the tasks whose
            classes were assigned here.
        photographs: whether the images are photographs, not drawn.
        paths: paths of the images of each task by its name, in their order, for `credit_of`; of
            the library ``open`` only.
    """

    name: str
    tasks: list[Task]
    taxonomy: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    photographs: bool = False
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)


@dataclass(frozen=True)
class Credit:
    """Whom to name beside an image, and under which terms it may be shown.

    Attributes:
        path: path of the image, as in `Library.paths`.
        source: title of the data set.
        licence: name and address of the licence.
        credit: the line to print; it names the photographer where one is known.
        page: address of the photograph, else of the data set.
    """

    path: str
    source: str
    licence: str
    credit: str
    page: str


def load_library(
    name: str, scale: str = "laptop", seed: int = 0, data: str | Path | None = None
) -> Library:
    """Load or draw a library of tasks.

    Args:
        name: one of `NAMES`. ``worlds``, or ``synthetic``, is phylogeny, aviary and wardrobe
            together, ``real`` all sets of photographs that are on disk, ``paper`` those of the
            paper's own data sets that are; ``open`` needs no files beside the package.
        scale: ``smoke`` (seconds), ``laptop`` (minutes on two cores) or ``paper``.
        seed: seed of the world, or of the choice of photographs.
        data: folder of the photographs, default `T2V_DATA`, else `data`; used by neither
            drawn libraries nor ``open``.

    Returns:
        The library; the same arguments give the same bytes.

    Raises:
        InputError: for an unknown name or scale, or a seed that is not a whole number >= 0.
        FileError: if the photographs are not on disk or their index is damaged.
    """
    if name not in NAMES:
        raise InputError(f"library {name!r} is unknown: choose one of {', '.join(NAMES)}")
    if scale not in SCALES:
        raise InputError(f"scale {scale!r} of library {name!r}: choose one of {', '.join(SCALES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed of library {name!r} must be a whole number >= 0, got {seed!r}")
    if name in WORLDS:
        return join("synthetic", [load_library(part, scale, seed, data) for part in DRAWN])
    if name in DRAWN:
        return importlib.import_module(f"t2v.libraries.worlds.{name}").load(scale, seed)
    if name in PAPER or name == "paper":
        return importlib.import_module("t2v.libraries.paper.load").load(name, scale, seed, data)
    if name == "open":
        return importlib.import_module("t2v.libraries.open_zoo.load").load(scale, seed)
    return importlib.import_module("t2v.libraries.photographs.load").load(name, scale, seed, data)


def credit_of(path: str) -> Credit:
    """Licence and credit of an image of the library ``open``.

    Args:
        path: path of an image, as in `Library.paths`.

    Raises:
        InputError: if there is no such image.
    """
    return importlib.import_module("t2v.libraries.open_zoo.credits").credit_of(path)


def join(name: str, parts: list[Library]) -> Library:
    """Libraries as one: tasks in order, taxonomies and provenance by the names of the parts."""
    return Library(
        name,
        [task for part in parts for task in part.tasks],
        {part.name: part.taxonomy for part in parts},
        {part.name: part.provenance for part in parts},
        all(part.photographs for part in parts),
    )
