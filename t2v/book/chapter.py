"""What every chapter of the book starts from, and where its numbers go.

A chapter has five parameters (library, scale, seed, device, data). From them follow its tasks, its
probe, the experts and the errors that several chapters share; all of it is computed when a chapter
first asks for it, and taken from the cache where another chapter asked before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.resources import files
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

import t2v
from t2v.book import plots, tables
from t2v.book.meta_tasks import build_meta_tasks, open_zoo_data_sets, same_data_set
from t2v.book.provenance import inputs_of
from t2v.distances import DEFAULT_PRIOR
from t2v.embedding import Embedding
from t2v.errors import InputError
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import Expert, generic_expert, hog_expert
from t2v.experts.fine_tuning import train_experts
from t2v.experts.training import Schedule
from t2v.libraries import DRAWN, NAMES, PAPER, SCALES, WORLDS, Library
from t2v.libraries.expert_tasks import SCHEDULES, expert_tasks
from t2v.libraries.paper.load import any_miniature
from t2v.libraries.paper.meta_tasks import members
from t2v.many_tasks import embed_tasks
from t2v.meta_task import MetaTask
from t2v.probe import Probe
from t2v.task import Task

BOOK = Path("..") / "book"
"""Folder of the pages, seen from the folder in which chapters run."""

TRAINING_IMAGES = 400
"""Images of an expert's training task that are embedded."""

EPOCH = 10_000
"""Images that the paper draws of a task for an epoch (Supp. C), here also for an embedding."""


class Chapter:
    """The set-up that chapters share, and the places of their numbers.

    Args:
        library: name for `load_library`.
        scale: "smoke", "laptop" or "paper".
        seed: seed of the library, the experts, and all resampling.
        device: "auto", "cpu" or "cuda".
        data: folder of the photographs; drawn worlds need none.
        results: folder of the tables that the chapter writes.
        training_seed: seed of the experts' training, default `seed`.

    Attributes:
        photographs: whether the library's images are photographs.
        ours: kind of the chapter's own numbers, "photographs" or "synthetic" (see `number_kind`).
        theirs: the other of the two, whose tables are kept in the repository.
        other: library of these tables, "synthetic" or "open".
        resampling: `resamples` and `seed` for bootstraps and permutation tests.

    Raises:
        InputError: for an unknown library or scale.
    """

    def __init__(
        self,
        library: str,
        scale: str = "laptop",
        seed: int = 0,
        device: str = "auto",
        data: str | Path | None = None,
        results: str | Path = "results",
        training_seed: int | None = None,
    ) -> None:
        for what, value, known in (("library", library, NAMES), ("scale", scale, SCALES)):
            if value not in known:
                raise InputError(f"{what} {value!r}: choose one of {', '.join(known)}")
        self.name, self.scale, self.seed = library, scale, seed
        self.device, self.data, self.results = device, data, Path(results)
        self.training_seed = seed if training_seed is None else training_seed
        self.photographs = library not in (*WORLDS, *DRAWN)
        order = 1 if self.photographs else -1
        self.ours, self.theirs = ("photographs", "synthetic")[::order]
        self.other = "synthetic" if self.photographs else "open"
        # experts are trained on all libraries of a kind together
        drawn = not self.photographs
        self._whole = "open" if library == "open" else "synthetic" if drawn else "real"
        if library in (*PAPER, "paper"):
            self._whole = "paper"
        self.resampling = {"resamples": 999 if scale == "smoke" else 9999, "seed": seed}
        plots.use_style()

    # ---- tasks, probe, experts -------------------------------------------------------------------

    @cached_property
    def library(self) -> Library:
        """The library of tasks."""
        return t2v.load_library(self.name, self.scale, self.seed, self.data)

    @property
    def tasks(self) -> list[Task]:
        """Its T tasks."""
        return self.library.tasks

    @cached_property
    def data_sets(self) -> list[str]:
        """Name of the part of the library to which each task belongs, `[T]`."""
        if paths := self.library.paths:  # those of the open zoo begin with the data set
            return [paths[task.name][0].split("/")[0] for task in self.tasks]
        return [_data_set_of(task) for task in self.tasks]

    @property
    def training_data_sets(self) -> dict[str, Collection[str]]:
        """Name of each training task to the data sets that its images come from."""
        if self._whole == "open":
            return dict(open_zoo_data_sets())
        return {task.name: (_data_set_of(task),) for task in self.training_tasks}

    @cached_property
    def about(self) -> pd.DataFrame:
        """One row for each task: `task`, `source` (its data set), `group`, `classes`, `images`."""
        rows = [
            (task.name, data_set, task.group, task.num_classes, len(task.train))
            for task, data_set in zip(self.tasks, self.data_sets, strict=True)
        ]
        return pd.DataFrame(rows, columns=["task", "source", "group", "classes", "images"])

    @cached_property
    def probe(self) -> Probe:
        """The packaged network for the library's images; ResNet-18 for photographs to fetch.

        For the paper's own data sets it is the paper's ResNet-34 at scale `paper`, and the packaged
        network at others and for miniatures.
        """
        if self.name == "open":
            return t2v.load_probe("imagenet", image_size=64, device=self.device)
        if self._whole == "paper":
            name, side = ("resnet34", 224) if self._as_printed else ("imagenet", 64)
            return t2v.load_probe(name, image_size=side, device=self.device)
        if self.photographs:
            return t2v.load_probe("resnet18", image_size=64, device=self.device)
        return t2v.load_probe("synthetic", device=self.device)

    @cached_property
    def training_tasks(self) -> list[Task]:
        """What the experts are trained on."""
        return expert_tasks(self._whole, self.scale, self.seed, self.data)

    @property
    def schedule(self) -> Schedule:
        """How the experts are trained."""
        tiny = self._whole == "paper" and self.scale == "paper" and not self._as_printed
        return Schedule(**SCHEDULES[self._whole]["smoke" if tiny else self.scale])

    @cached_property
    def _as_printed(self) -> bool:
        """Whether the paper's data sets are used as the paper does; not so with miniatures."""
        return self.scale == "paper" and not any_miniature(self.data)

    @cached_property
    def experts(self) -> list[Expert]:
        """One expert for each training task, in their order."""
        return train_experts(
            self.training_tasks, self.probe, schedule=self.schedule, seed=self.training_seed
        )

    @cached_property
    def generic(self) -> Expert:
        """The generic expert: the probe as it is."""
        return generic_expert(self.probe)

    @cached_property
    def hog(self) -> Expert:
        """The black box: histograms of oriented gradients."""
        return hog_expert(self.probe.image_size)

    @cached_property
    def matrix(self) -> Any:
        """Errors of all tasks on the generic expert, HOG, and the experts, in this order."""
        return error_matrix(self.tasks, [self.generic, self.hog, *self.experts])

    def embed(self, domain: str | None = None) -> tuple[list[Embedding], list[Embedding]]:
        """Embeddings of the tasks and of the training tasks.

        Args:
            domain: "mean" or "second" for domain embeddings; `None` for Task2Vec.
        """
        if domain is not None:
            of_tasks = embed_tasks(self.tasks, self.probe, domain=domain)
            return of_tasks, embed_tasks(self.training_tasks, self.probe, domain=domain)
        if self._whole == "paper":  # as many as an epoch of the paper's training
            of_tasks = embed_tasks(self.tasks, self.probe, max_images=EPOCH)
            return of_tasks, embed_tasks(self.training_tasks, self.probe, max_images=EPOCH)
        of_tasks = embed_tasks(self.tasks, self.probe)
        return of_tasks, embed_tasks(self.training_tasks, self.probe, max_images=TRAINING_IMAGES)

    def meta_tasks(
        self,
        embeddings: tuple[Sequence[Embedding], Sequence[Embedding]] | None = None,
        *,
        overlap: bool = True,
        own_data_set: bool = True,
        domain: str = "second",
        black_boxes: Sequence[str] = (),
    ) -> dict[str, MetaTask]:
        """The meta-tasks of the library, "living" and "mixed", see `build_meta_tasks`.

        In the open zoo, where no training task is large, all experts are in the pool of "mixed".

        Args:
            embeddings: embeddings of the tasks and of the training tasks, for meta-tasks without
                domain embeddings; default: `embed()`.
            overlap: whether experts are eligible that know a class of the task.
            own_data_set: whether experts are eligible that were trained on images of the task's
                data set.
            domain: moment of the domain embeddings.
            black_boxes: names of experts without training task that are in the pool.
        """
        barred = None
        if not own_data_set:
            barred = same_data_set(self.matrix, self.data_sets, self.training_data_sets)
        return build_meta_tasks(
            self.matrix,
            self.tasks,
            self.training_tasks,
            self.embed() if embeddings is None else embeddings,
            domains=self.embed(domain) if embeddings is None else None,
            overlap=overlap,
            barred=barred,
            broad=0.0 if self._whole == "open" else 0.5,
            printed=members(self.scale, self.seed, self.data) if self._whole == "paper" else None,
            black_boxes=black_boxes,
        )

    # ---- numbers and tables ----------------------------------------------------------------------

    def glue(self, prefix: str, /, **values: Any) -> None:
        """Put numbers into the text: `glue("matrix", tasks=20)` glues `matrix-tasks`.

        Args:
            prefix: first part of the names; `_` in a key becomes `-`.
            **values: text or numbers; an interval (value, low, high) becomes three numbers, the
                second and third with `-low` and `-high` after the name.
        """
        from myst_nb import glue

        for key, value in values.items():
            name = f"{prefix}-{key}".replace("_", "-")
            parts = {name: value}
            if isinstance(value, tuple):
                parts = dict(zip((name, f"{name}-low", f"{name}-high"), value, strict=True))
            for part, number in parts.items():
                if not isinstance(number, str):
                    number = int(number) if isinstance(number, Integral) else float(number)
                glue(part, number, display=False)

    def table(self, name: str, frame: pd.DataFrame, *, limits: str, **more: Any) -> pd.DataFrame:
        """Write a table and its sidecar, with columns described by `columns.csv`, to `results`.

        Args:
            name: name of the table, without suffix.
            frame: one row per observation.
            limits: what the numbers do not show.
            **more: further facts for the sidecar; they replace those of the chapter.

        Returns:
            The frame.

        Raises:
            InputError: if a column is not described.
        """
        note: dict[str, Any] = {"seed": self.seed, "library": self.name, "scale": self.scale}
        note["kind"] = plots.number_kind(self.ours)["label"]
        if "probe" in self.__dict__:  # the chapter asked for it, so it entered the numbers
            weights = f"weights {self.probe.sha256[:12]}"
            note["device"] = str(self.probe.device)
            note["inputs"] = inputs_of(self.library, self.probe)
            note["probe"] = f"{self.probe.name}, {self.probe.image_size} px, {weights}"
            note["prior"] = DEFAULT_PRIOR
        path, columns = self.results / f"{name}.csv", describe(name, frame.columns)
        tables.write(frame, path, columns=columns, limits=limits, **note | more)
        return frame

    def kept(self, name: str, folder: str | None = None) -> pd.DataFrame | None:
        """A table that is kept in the repository; `None` if it is not.

        Args:
            name: name of the table, without suffix.
            folder: folder below `book/results`; default: `<other>-laptop`.
        """
        path = BOOK / "results" / (folder or f"{self.other}-laptop") / f"{name}.csv"
        return tables.read(path) if path.exists() else None

    def kept_markdown(self, name: str, title: str) -> str:
        """A kept table of the other kind of number as Markdown, or a line that there is none.

        Args:
            name: name of the table, without suffix.
            title: what it shows; the kind of number is added.
        """
        label = plots.number_kind(self.theirs)["label"]
        path = BOOK / "results" / f"{self.other}-laptop" / f"{name}.csv"
        return tables.as_markdown(path, f"{title}, {label}")

    def paper(self, name: str) -> pd.DataFrame:
        """A table of the paper's own numbers, `book/paper/<name>.csv`."""
        return tables.read(BOOK / "paper" / f"{name}.csv")


def describe(table: str, columns: Iterable[str]) -> dict[str, dict[str, str]]:
    """Unit and meaning of the columns of a table, from `columns.csv`.

    Args:
        table: name of the table.
        columns: its columns; a row of `columns.csv` may describe several by a pattern with `*`.

    Raises:
        InputError: naming the columns that are not described.
    """
    rows = _dictionary().query("table == @table")
    described = {}
    for column in columns:
        fits = rows[[column == p or fnmatchcase(column, p) for p in rows.column]]
        if len(fits):
            described[column] = {"unit": fits.unit.iloc[0], "meaning": fits.meaning.iloc[0]}
    if missing := [column for column in columns if column not in described]:
        raise InputError(f"table {table!r}: columns not described in columns.csv: {missing}")
    return described


def _dictionary() -> pd.DataFrame:
    with (files("t2v.book") / "columns.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def _data_set_of(task: Task) -> str:
    """Name of the library that a task comes from: first word of its name, or its root."""
    first, *_ = task.name.replace("/", " ").split()  # cub/Parulidae, aviary Corvus, dress
    known = [name for name in (first, task.lineage[0]) if name in NAMES]
    return known[0] if known else "phylogeny"
