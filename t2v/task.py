"""A task: images, their labels, and what is known about it (name, classes, place in a taxonomy)."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from t2v._numerics.group_splits import group_folds
from t2v._run.names import writable
from t2v.errors import InputError
from t2v.images import load_images
from t2v.reading.copies import check_labels
from t2v.reading.dataset import DatasetImages, dataset_labels
from t2v.reading.found import Found
from t2v.reading.scan import scan_folder
from t2v.reading.table import read_csv


class ImageSource(Protocol):
    """Anything map-style whose `[i]` is a uint8 tensor `[3, h, w]`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Task:
    """A visual classification task (Sect. 2 of the paper: D = {(x_i, y_i)}).

    Args:
        name: label in figures and errors.
        images: uint8 tensor `[N, 3, H, W]`, or a map-style source whose `[i]` is a uint8 tensor
            `[3, h, w]`; sizes may then differ from image to image.
        labels: `[N]` integers in `0..K-1`; stored as int64.
        classes: the K class names.
        lineage: path in a taxonomy, root first; empty where there is none.
        group: family of tasks that this one belongs to, e.g. a taxonomic class.
        test: bool `[N]`, True for images held out from training; None if nothing is held out.
        class_lineages: K paths in the taxonomy, one for each class; empty where they are unknown.
        folds: int64 `[N]`, the fold of each image where errors are cross-validated: every image is
            tested once, by a classifier trained on the other folds; None, or instead of `test`.
        groups: int64 `[N]`, equal for images that belong together, such as those of one scene;
            splits keep them on one side. None: each image is on its own.

    Raises:
        InputError: naming the task, if shapes, types or label values do not fit together.

    Examples:
        >>> images = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
        >>> test = torch.tensor([False, False, False, False, True, True])
        >>> task = Task("owls or ducks", images, [0, 1] * 3, ["owl", "duck"], test=test)
        >>> task
        Task('owls or ducks', 4 training images, 2 held out, 2 classes)
        >>> task.train.labels
        tensor([0, 1, 0, 1])
    """

    name: str
    images: Tensor | ImageSource
    labels: Tensor
    classes: Sequence[str]
    lineage: Sequence[str] = ()
    group: str = ""
    test: Tensor | None = None
    class_lineages: Sequence[Sequence[str]] = ()
    folds: Tensor | None = None
    groups: Tensor | None = None

    def __post_init__(self) -> None:
        labels = torch.as_tensor(self.labels)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "lineage", tuple(self.lineage))
        object.__setattr__(self, "class_lineages", tuple(map(tuple, self.class_lineages)))
        if self.class_lineages and len(self.class_lineages) != self.num_classes:
            paths = f"{self.num_classes} classes and {len(self.class_lineages)} paths"
            self._refuse("one lineage per class", paths)
        count = len(self.images)
        if isinstance(self.images, Tensor) and (
            self.images.dtype != torch.uint8 or self.images.dim() != 4 or self.images.shape[1] != 3
        ):
            self._refuse(
                "images must be a uint8 tensor [N, 3, H, W]",
                f"{self.images.dtype} {list(self.images.shape)}",
            )
        if labels.dim() != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
            self._refuse("labels must be integers [N]", f"{labels.dtype} {list(labels.shape)}")
        if len(labels) != count:
            self._refuse("one label per image", f"{count} images and {len(labels)} labels")
        if count and not (0 <= int(labels.min()) and int(labels.max()) < len(self.classes)):
            self._refuse(
                f"labels must lie in 0..{len(self.classes) - 1}",
                f"{int(labels.min())}..{int(labels.max())}",
            )
        object.__setattr__(self, "labels", labels.to(torch.int64))
        if self.test is not None:
            test = torch.as_tensor(self.test)
            if test.dtype != torch.bool or test.shape != labels.shape:
                self._refuse("test must be bool [N]", f"{test.dtype} {list(test.shape)}")
            object.__setattr__(self, "test", test)
        if self.folds is not None:
            self._check_folds(torch.as_tensor(self.folds))
        if self.groups is not None:
            self._check_groups(torch.as_tensor(self.groups))

    def _check_folds(self, folds: Tensor) -> None:
        if self.test is not None:
            self._refuse("either a `test` mask or folds", "both")
        if folds.dtype != torch.int64 or folds.shape != self.labels.shape:
            self._refuse("folds must be int64 [N]", f"{folds.dtype} {list(folds.shape)}")
        object.__setattr__(self, "folds", folds)
        for k, name in enumerate(self.classes):
            of_class = folds[self.labels == k]
            if len(of_class) and len(of_class.unique()) < 2:
                rule = "each class must be in two folds, to be trained on when one is tested"
                self._refuse(rule, f"{name!r} in fold {int(of_class[0])} only")

    def _check_groups(self, groups: Tensor) -> None:
        if groups.dtype != torch.int64 or groups.shape != self.labels.shape:
            self._refuse("groups must be int64 [N]", f"{groups.dtype} {list(groups.shape)}")
        object.__setattr__(self, "groups", groups)
        side = self.test if self.folds is None else self.folds
        if side is not None:
            pairs = torch.stack([groups, side.long()]).unique(dim=1)
            if pairs.shape[1] > len(groups.unique()):
                self._refuse("a group must be on one side of the split", "one on both")

    def _refuse(self, rule: str, got: str) -> None:
        raise InputError(f"task {self.name!r}: {rule}; got {got}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        if self.folds is not None:
            images = f"{len(self)} images in {len(self.folds.unique())} folds"
            return f"Task({self.name!r}, {images}, {self.num_classes} classes)"
        held_out = int(self.test.sum()) if self.test is not None else 0
        return (
            f"Task({self.name!r}, {len(self) - held_out} training images, {held_out} held out, "
            f"{self.num_classes} classes)"
        )

    @property
    def num_classes(self) -> int:
        """K, classes without images included."""
        return len(self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest (sha256) of the task's contents; equal for equal contents.

        Without `class_lineages`: no result that is kept under the fingerprint depends on them.
        """
        digest = hashlib.sha256(repr((self.name, self.classes, self.lineage, self.group)).encode())
        digest.update(self.labels.numpy().tobytes())
        digest.update(b"" if self.test is None else self.test.numpy().tobytes())
        if self.folds is not None:
            digest.update(b"folds" + self.folds.numpy().tobytes())
        if self.groups is not None:
            digest.update(b"groups" + self.groups.numpy().tobytes())
        if isinstance(self.images, Tensor):
            digest.update(repr(list(self.images.shape)).encode())
            digest.update(np.ascontiguousarray(self.images.numpy()).data)
        else:
            for i in range(len(self)):
                digest.update(np.ascontiguousarray(self.images[i].numpy()).data)
        return digest.hexdigest()

    def subset(self, index: Tensor | np.ndarray | Sequence[int], name: str | None = None) -> Task:
        """The task on some of its images, a bool mask `[N]` or positions; nothing is held out.

        Folds are dropped, because a class may be left in one of them only.
        """
        index = torch.as_tensor(index)
        if index.dtype == torch.bool:
            index = index.nonzero().flatten()
        source = self.images
        images = source[index] if isinstance(source, Tensor) else _View(source, index)
        name, labels = name or self.name, self.labels[index]
        groups = None if self.groups is None else self.groups[index]
        kept = replace(self, test=None, folds=None, groups=None)
        return replace(kept, name=name, images=images, labels=labels, groups=groups)

    def split(self, share: float = 0.25, seed: int = 0) -> Task:
        """The task with a share of the images of each class held out, at least one, at random.

        Images of one group stay on one side.

        Args:
            share: share of the images that are held out, in (0, 1/2].
            seed: random seed.

        Raises:
            InputError: for another share, or classes that have one group of images each.
        """
        if not 0 < share <= 0.5:
            raise InputError(f"task {self.name!r}: share must be in (0, 1/2]; got {share}")
        generator = torch.Generator().manual_seed(seed)
        test = torch.zeros(len(self), dtype=torch.bool)
        if self.groups is not None:
            test = self._folds(round(1 / share), seed) == 0
            for k in (self.labels[~test].bincount(minlength=self.num_classes) == 0).nonzero():
                self._refuse("each class must be trained on", f"none of {self.classes[int(k)]!r}")
        for k in range(self.num_classes if self.groups is None else 0):
            of_class = (self.labels == k).nonzero().flatten()
            drawn = of_class[torch.randperm(len(of_class), generator=generator)]
            test[drawn[: max(1, round(share * len(drawn)))]] = True
        return replace(self, test=test, folds=None)

    def halves(self, generator: torch.Generator) -> tuple[Task, Task]:
        """Two halves of every class of the training images; of an odd number, chance decides.

        Images of one group stay in one half, so halves of a task with groups differ more in size.
        """
        train = self.train
        first = torch.zeros(len(train), dtype=torch.bool)
        if train.groups is not None:
            seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
            first = train._folds(2, seed) == 0
            return train.subset(first), train.subset(~first)
        for k in range(train.num_classes):
            of_class = (train.labels == k).nonzero().flatten()
            shuffled = of_class[torch.randperm(len(of_class), generator=generator)]
            extra = len(of_class) % 2 * int(torch.randint(2, (1,), generator=generator))
            first[shuffled[: len(of_class) // 2 + extra]] = True
        return train.subset(first), train.subset(~first)

    def _folds(self, count: int, seed: int) -> Tensor:
        groups = torch.arange(len(self)) if self.groups is None else self.groups
        labels = self.labels.numpy()
        return torch.from_numpy(group_folds(labels, groups.numpy(), count, seed, self.name))

    def cross_validated(self, count: int = 5, seed: int = 0) -> Task:
        """The task with `folds`: each image is tested once; images of one group in one fold.

        Args:
            count: number of folds.
            seed: random seed.

        Raises:
            InputError: if a class has one image, or images of one group, only.
        """
        return replace(self, test=None, folds=self._folds(count, seed))

    @property
    def train(self) -> Task:
        """The images that are not held out; all images of a task with folds."""
        return self if self.test is None else self.subset(~self.test)

    @property
    def held_out_mask(self) -> Tensor:
        """The images on which errors are measured, bool `[N]`: `test`, or with folds all.

        Raises:
            InputError: if the task holds no images out.
        """
        return torch.stack([test for _, test in self.splits]).any(0)

    @property
    def splits(self) -> list[tuple[Tensor, Tensor]]:
        """Masks, bool `[N]`, of training and tested images: one pair, or one for each fold.

        Raises:
            InputError: if the task holds no images out.
        """
        if self.folds is not None:
            return [(self.folds != k, self.folds == k) for k in self.folds.unique()]
        if self.test is None:
            raise InputError(f"task {self.name!r} holds no images out: give it a `test` mask")
        return [(~self.test, self.test)]

    @property
    def held_out(self) -> Task:
        """The held-out images, all images of a task with folds; raises as `held_out_mask`."""
        return self if self.folds is not None else self.subset(self.held_out_mask)

    def balanced(self, count: int, seed: int = 0) -> Task:
        """At most `count` images, drawn as evenly over the classes as their sizes allow."""
        if len(self) <= count:
            return self
        return self.subset(draw_evenly(self.labels, count, seed).sort().values)

    @classmethod
    def from_folder(
        cls, path: str | Path, size: int = 256, name: str | None = None, **options: Any
    ) -> Task:
        """A folder with one sub-folder of images per class.

        Args:
            path: the folder.
            size: side of the images in memory, pixels (shorter side resized, centre crop).
            name: default: the folder's name.
            **options: `groups`, a regular expression, see `t2v.reading.scan.scan_folder`; others
                see `from_files`.

        Warns:
            UserWarning: naming files that cannot be decoded, images that are passed over, and equal
                images with several labels.

        Raises:
            FileError: if the folder cannot be read.
            InputError: if it has fewer than two classes, an empty class, splits in place of
                classes, or more than one, and more than 1%, of files that cannot be decoded.
        """
        groups, lenient = options.pop("groups", None), options.get("skip_bad", False)
        found = scan_folder(path, leave_out_empty=lenient, groups=groups)
        return cls.from_files(found, size, name or default_name(path), **options)

    @classmethod
    def from_csv(
        cls, path: str | Path, size: int = 256, name: str | None = None, **options: Any
    ) -> Task:
        """A table with the columns `path` (relative to the table) and `label`.

        Parameters, warnings and errors are those of `from_folder`; the default of `name` is the
        file's name without suffix, and `groups` may also name a column.
        """
        groups, lenient = options.pop("groups", None), options.get("skip_bad", False)
        found = read_csv(path, leave_out_missing=lenient, groups=groups)
        return cls.from_files(found, size, name or writable(Path(path).stem), **options)

    @classmethod
    def from_files(
        cls,
        found: Found,
        size: int,
        name: str,
        *,
        max_images: int | None = None,
        seed: int = 0,
        skip_bad: bool = False,
        progress: bool = False,
        tell: Callable[[str], None] | None = None,
    ) -> Task:
        """The images that a folder or a table was found to hold.

        Args:
            found: result of `scan_folder` or `read_csv`.
            size: side of the images in memory, pixels (shorter side resized, centre crop).
            name: name of the task.
            max_images: largest number of images to read, drawn evenly over the classes; default:
                all.
            seed: random seed of that draw.
            skip_bad: whether to leave out any number of images that cannot be decoded, and classes
                that have no others.
            progress: whether to show a progress bar.
            tell: receives a line on what was taken and what was passed over; default: a warning if
                something may be lost.
        """
        total = len(found.paths)
        if max_images is not None and max_images < len(found.classes):
            raise InputError(
                f"{found.where}: {max_images} images are too few for {len(found.classes)} classes"
            )
        if max_images is not None and max_images < total:
            drawn = draw_evenly(torch.tensor(found.labels), max_images, seed).sort().values
            found = found.subset(drawn.tolist())
        images, skipped = load_images(
            found.paths, size, tolerance=1.0 if skip_bad else 0.01, progress=progress
        )
        bad = {skip.index for skip in skipped}
        found = found.subset(i for i in range(len(found.paths)) if i not in bad)
        found = found.without_empty_classes(refuse=not skip_bad and bool(bad))
        check_labels(found, images)
        passed = dict(found.passed)
        if bad:
            passed["that cannot be used"] = len(bad)
        if tell is not None:
            tell(found.line(name, total - len(bad), passed))
        elif found.doubts:
            warnings.warn(f"{found.where}: {found.doubts}", stacklevel=3)
        groups = None if found.groups is None else torch.tensor(found.groups)
        return cls(name, images, torch.tensor(found.labels), found.classes, groups=groups)

    @classmethod
    def from_dataset(cls, dataset: Any, name: str | None = None) -> Task:
        """A map-style torch dataset that yields `(image, label)`.

        Images may be PIL images, uint8 tensors `[3, h, w]` or float tensors in [0, 1]. Labels are
        read from `dataset.targets` if it exists, else by one pass over the data. Without
        `dataset.classes` they may be any integers or strings, which then name the classes.

        Raises:
            InputError: if an image is none of these, or labels are neither integers nor strings.
        """
        name = name or type(dataset).__name__
        labels, classes = dataset_labels(dataset, name)
        return cls(name, DatasetImages(dataset, name), labels, classes)


def default_name(path: str | Path) -> str:
    """The name of a folder as it was given; a link has its own name, not that of its target."""
    return writable(Path(os.path.abspath(path)).name) or "images"


def draw_evenly(labels: Tensor, count: int, seed: int) -> Tensor:
    """Positions of `count` labels, drawn as evenly over the classes as their sizes allow.

    They come in the order of the draw: with one seed, a smaller draw is the start of a larger one.
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    drawn = labels[shuffled]
    rank_in_class = torch.empty_like(drawn)  # from 0
    for k in drawn.unique():
        of_class = drawn == k
        rank_in_class[of_class] = torch.arange(int(of_class.sum()))
    return shuffled[torch.argsort(rank_in_class, stable=True)[:count]]


@dataclass(frozen=True)
class _View:
    source: ImageSource
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> Tensor:
        return self.source[int(self.index[i])]
