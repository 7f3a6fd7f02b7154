"""A task: images, their labels, and what is known about it (name, classes, place in a taxonomy)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from t2v.errors import InputError
from t2v.images import load_images, read_csv, scan_folder


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
        return replace(self, name=name, images=images, labels=labels, test=None, folds=None)

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
        cls,
        path: str | Path,
        size: int = 256,
        name: str | None = None,
        *,
        max_images: int | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> Task:
        """A folder with one sub-folder of images per class.

        Args:
            path: the folder.
            size: side of the images in memory, pixels (shorter side resized, centre crop).
            name: default: the folder's name.
            max_images: largest number of images to read, drawn evenly over the classes; default:
                all.
            seed: random seed of that draw.
            progress: whether to show a progress bar.

        Warns:
            UserWarning: naming files that cannot be decoded; they are left out.

        Raises:
            FileError: if the folder cannot be read.
            InputError: if it has fewer than two classes, an empty class, or more than 1% of files
                that cannot be decoded.
        """
        name = name or Path(path).resolve().name
        return cls._from_files(scan_folder(path), size, name, max_images, seed, progress)

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        size: int = 256,
        name: str | None = None,
        *,
        max_images: int | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> Task:
        """A table with the columns `path` (relative to the table) and `label`.

        The other parameters, warnings and errors are those of `from_folder`; the default of `name`
        is the file's name without suffix.
        """
        name = name or Path(path).stem
        return cls._from_files(read_csv(path), size, name, max_images, seed, progress)

    @classmethod
    def _from_files(
        cls,
        files: tuple[list[Path], Tensor, list[str]],
        size: int,
        name: str,
        max_images: int | None,
        seed: int,
        progress: bool,
    ) -> Task:
        paths, labels, classes = files
        if max_images is not None and max_images < len(paths):
            drawn = draw_evenly(labels, max_images, seed).sort().values
            paths, labels = [paths[i] for i in drawn.tolist()], labels[drawn]
        images, skipped = load_images(paths, size, progress=progress)
        usable = torch.ones(len(paths), dtype=torch.bool)
        usable[[skip.index for skip in skipped]] = False
        return cls(name, images, labels[usable], classes)

    @classmethod
    def from_dataset(cls, dataset: Any, name: str | None = None) -> Task:
        """A map-style torch dataset that yields `(image, label)`.

        Images may be PIL images, uint8 tensors `[3, h, w]` or float tensors in [0, 1]. Labels are
        read from `dataset.targets` if it exists, else by one pass over the data.

        Raises:
            InputError: if an image is none of these, or labels are not integers.
        """
        name = name or type(dataset).__name__
        targets = getattr(dataset, "targets", None)
        if targets is None:
            targets = [dataset[i][1] for i in range(len(dataset))]
        labels = torch.as_tensor(np.asarray(targets))
        classes = getattr(dataset, "classes", None) or [
            str(k) for k in range(int(labels.max()) + 1 if len(labels) else 0)
        ]
        return cls(name, _DatasetImages(dataset, name), labels, list(classes))


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


@dataclass(frozen=True)
class _DatasetImages:
    dataset: Any
    name: str

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Tensor:
        from torchvision.transforms.v2 import functional as tv

        try:
            image = tv.to_image(self.dataset[i][0]).as_subclass(Tensor)
        except TypeError as error:
            raise InputError(f"task {self.name!r}: item {i} is no image ({error})") from None
        if image.dim() != 3 or image.shape[0] not in (1, 3):
            raise InputError(
                f"task {self.name!r}: image {i} must be [3, h, w]; got {list(image.shape)}"
            )
        return tv.to_dtype(image, torch.uint8, scale=True).expand(3, -1, -1)
