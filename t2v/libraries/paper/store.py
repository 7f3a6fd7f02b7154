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
from torch import Tensor

from t2v._run.cache import content_key, folder
from t2v._run.files import replacing
from t2v._run.progress import bar
from t2v.errors import FileError
from t2v.images import load_images
from t2v.task import Task

CHUNK = 2**23
"""Bytes of images in one file."""


class Store:
    """N decoded images of one size, in files of the cache.

    A chunk of images is a file of plain bytes, and one with the checksums of its images and the
    reasons why some cannot be used, which is written last.

    Args:
        chunks: names of the chunks in the folder `images` of the cache.
        per_chunk: number of images in each chunk but the last.
        side: side of the images, pixels.
    """

    def __init__(self, chunks: Sequence[str], per_chunk: int, side: int) -> None:
        self.chunks, self.per_chunk, self.side = tuple(chunks), per_chunk, side

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.chunks, self.per_chunk, self.side)  # what has been read stays here

    def __getitem__(self, position: int) -> Tensor:
        number, row = divmod(position, self.per_chunk)
        path, size = self._folder / f"{self.chunks[number]}.pixels", 3 * self.side**2
        try:
            # read, not mapped: pages of a mapped file would count as memory of this process
            image = np.fromfile(path, np.uint8, count=size, offset=row * size)
        except OSError as error:
            raise FileError(f"{path}: cannot be read ({error.strerror}); run again") from None
        if len(image) != size:
            raise FileError(f"{path}: truncated; remove it and run again")
        return torch.from_numpy(image.reshape(3, self.side, self.side))

    @cached_property
    def _folder(self) -> Path:
        return folder("images")

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """Checksums of the images' pixels, `[N, 16]`; zeros for one that cannot be used."""
        texts = "".join(_about(name)["digests"] for name in self.chunks)
        return np.frombuffer(bytes.fromhex(texts), np.uint8).reshape(-1, 16)


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
    per_chunk = max(1, CHUNK // (3 * side * side))
    starts = range(0, len(paths), per_chunk)
    names: list[str] = []
    unusable: dict[int, str] = {}
    for start in bar(starts, "reading images", len(starts), progress):
        part = paths[start : start + per_chunk]
        sizes = tuple((path, _bytes(root / path)) for path in part)
        names.append(content_key("t2v.images", side, sizes))
        if not (_text(names[-1]).exists() and _pixels(names[-1]).exists()):
            _decode([root / path for path in part], side, names[-1])
        reasons = _about(names[-1])["unusable"]
        unusable |= {start + int(row): reason for row, reason in reasons.items()}
    return Store(names, per_chunk, side), unusable


def _decode(paths: list[Path], side: int, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # all are reported together, by `load`
        decoded, skipped = load_images(paths, side, tolerance=1)
    unusable = {skip.index: skip.reason for skip in skipped}
    usable, nothing = iter(decoded), torch.zeros(3, side, side, dtype=torch.uint8)
    digests = []
    with replacing(_pixels(name)) as draft, draft.open("wb") as file:
        for i in range(len(paths)):
            pixels = (nothing if i in unusable else next(usable)).numpy().tobytes()
            file.write(pixels)
            digest = hashlib.blake2b(pixels, digest_size=16).hexdigest()
            digests.append("0" * 32 if i in unusable else digest)
    with replacing(_text(name)) as draft:
        about = {"unusable": unusable, "digests": "".join(digests)}
        draft.write_text(json.dumps(about), encoding="utf-8")


def _pixels(name: str) -> Path:
    return folder("images") / f"{name}.pixels"


def _text(name: str) -> Path:
    return folder("images") / f"{name}.json"


def _about(name: str) -> dict[str, Any]:
    path = _text(name)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: damaged ({error}); remove it and run again") from None


def _bytes(path: Path) -> int | None:
    try:
        return os.path.getsize(path)
    except OSError:
        return None  # it is decoded again once it is there


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

    def __getitem__(self, index: Any) -> Tensor:
        """Image uint8 `[3, side, side]`; of a slice or m positions, `[m, 3, side, side]`."""
        positions = self.positions[index if isinstance(index, slice) else np.asarray(index)]
        if positions.ndim == 0:
            return self.store[int(positions)]
        images = [self.store[int(position)] for position in positions]
        return torch.stack(images) if images else torch.empty(0, 3, 1, 1, dtype=torch.uint8)

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
