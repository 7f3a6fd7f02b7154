"""Images decoded once into files of the cache, and tasks whose images are read from there.

Memory does not depend on the number of images. They are decoded in chunks, each a file that appears
whole or not at all, so that a killed run goes on where it was, and a second one only looks.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from t2v._run.cache import content_key, folder
from t2v._run.progress import bar
from t2v._run.tensors import write_tensors
from t2v.errors import FileError
from t2v.images import load_images
from t2v.task import Task

FORMAT = "t2v images 1"
CHUNK = 2**24
"""Bytes of images in one file."""


class Store:
    """N decoded images of one size, in files of the cache.

    Args:
        files: names of the files, relative to the folder `images` of the cache.
        per_file: number of images in each file but the last.
    """

    def __init__(self, files: Sequence[str], per_file: int) -> None:
        self.files, self.per_file = tuple(files), per_file

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.files, self.per_file)  # what has been read stays here

    def __getitem__(self, position: int) -> Tensor:
        number, row = divmod(position, self.per_file)
        # opened anew each time: an open file counts with all of its pages that were ever read
        with _open(self.files[number]) as file:
            return file.get_slice("images")[row]

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """Checksums of the images' pixels, `[N, 16]`; zeros for one that cannot be read."""
        parts = []
        for name in self.files:
            with _open(name) as file:
                parts.append(file.get_tensor("digests").numpy())
        return np.concatenate(parts)


def fill_store(
    root: Path, paths: Sequence[str], side: int, progress: bool = False
) -> tuple[Store, dict[int, str]]:
    """Decode the images that the cache does not have yet.

    Args:
        root: folder of the images.
        paths: N paths below it.
        side: side of the decoded images, pixels; see `load_images`.
        progress: whether to show a progress bar.

    Returns:
        The store, and the reason by position for each image that cannot be read.

    Raises:
        FileError: if a file of the cache is damaged.
    """
    per_file = max(1, CHUNK // (3 * side * side))
    starts = range(0, len(paths), per_file)
    names: list[str] = []
    unusable: dict[int, str] = {}
    for start in bar(starts, "reading images", len(starts), progress):
        part = paths[start : start + per_file]
        key = content_key("t2v.images", side, tuple((path, _bytes(root / path)) for path in part))
        names.append(f"{key}.safetensors")
        if not (_folder() / names[-1]).exists():
            _decode([root / path for path in part], side, _folder() / names[-1])
        with _open(names[-1]) as file:
            reasons = json.loads((file.metadata() or {})["unusable"])
        unusable |= {start + int(row): reason for row, reason in reasons.items()}
    return Store(names, per_file), unusable


def _decode(paths: list[Path], side: int, target: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # all are reported together, by `load`
        decoded, skipped = load_images(paths, side, tolerance=1)
    usable = torch.ones(len(paths), dtype=torch.bool)
    usable[[skip.index for skip in skipped]] = False
    images = torch.zeros(len(paths), 3, side, side, dtype=torch.uint8)
    if len(decoded):
        images[usable] = cast("Tensor", decoded)
    digests = torch.zeros(len(paths), 16, dtype=torch.uint8)
    for i in usable.nonzero().flatten().tolist():
        digest = hashlib.blake2b(images[i].numpy().data, digest_size=16).digest()
        digests[i] = torch.frombuffer(bytearray(digest), dtype=torch.uint8)
    unusable = json.dumps({skip.index: skip.reason for skip in skipped})
    write_tensors(target, {"images": images, "digests": digests}, FORMAT, {"unusable": unusable})


def _folder() -> Path:
    return folder("images")


def _bytes(path: Path) -> int | None:
    try:
        return os.path.getsize(path)
    except OSError:
        return None  # it is decoded again once it is there


def _open(name: str) -> Any:
    path = _folder() / name
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error
        raise FileError(f"{path}: damaged ({reason}); remove it and run again") from None


class StoredImages:
    """Some images of a store, a source as `t2v.task.ImageSource`.

    Args:
        store: the store.
        positions: int64 `[n]`, positions of the images in it.
    """

    def __init__(self, store: Store, positions: NDArray[np.int64]) -> None:
        self.store, self.positions = store, positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Tensor:
        """Image uint8 `[3, side, side]`."""
        return self.store[int(self.positions[index])]

    def at(self, index: Tensor) -> StoredImages:
        """The images at some positions, int64 `[m]`."""
        return StoredImages(self.store, self.positions[index.numpy()])

    @property
    def content(self) -> bytes:
        """Checksums of the images, one after the other."""
        return self.store.digests[self.positions].tobytes()


class StoredTask(Task):
    """A task with `StoredImages`: its fingerprint is made of their checksums, not their pixels."""

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest (sha256) of the task's contents; equal for equal contents."""
        identity = (self.name, self.classes, self.lineage, self.group)
        digest = hashlib.sha256(repr(("stored", *identity)).encode())
        for values in (self.labels, self.test):
            digest.update(b"" if values is None else values.numpy().tobytes())
        digest.update(cast("StoredImages", self.images).content)
        return digest.hexdigest()

    def subset(self, index: Tensor | NDArray[Any] | Sequence[int], name: str | None = None) -> Task:
        """The task on some of its images, a bool mask `[N]` or positions; nothing is held out."""
        index = torch.as_tensor(index)
        if index.dtype == torch.bool:
            index = index.nonzero().flatten()
        images = cast("StoredImages", self.images).at(index)
        labels = self.labels[index]
        return replace(self, name=name or self.name, images=images, labels=labels, test=None)
