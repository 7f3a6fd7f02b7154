"""Features of images by networks: each image goes through each network once.

What is computed lies under `T2V_CACHE`, in one folder for each network and preprocessing, in files
of up to `CHUNK` images. A run that was killed has lost at most one chunk, an image that was added
costs itself alone, and a larger draw takes over what a smaller one has computed.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from t2v._run.cache import content_key, folder
from t2v._run.files import replacing
from t2v._run.progress import bar
from t2v.candidates.images import Images, fitted
from t2v.candidates.network import HandMade, Network
from t2v.errors import InputError

CHUNK = 64  # images: some seconds of the largest network on two cores
LONG = 10.0  # seconds of work that are announced

Shape = tuple[int, bool]  # side of an image, and whether it is resized by bicubic interpolation
Fitted = dict[Shape, Image.Image]


@dataclass(frozen=True, eq=False)
class Measured:
    """Features of the usable images by all networks.

    Attributes:
        networks: M networks.
        usable: `[N]`, positions of the images that can be used.
        reasons: why each of the others cannot, by position.
        computed: number of images that went through some network; the rest was kept.
        ids: identities of the N images.
    """

    networks: Sequence[Network | HandMade]
    usable: NDArray[np.intp]
    reasons: dict[int, str]
    computed: int
    ids: tuple[str, ...]

    def read(self, m: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Features `[N, D]` by network m and, if it has a head, probabilities `[N, Z]`."""
        return _Store(self.networks[m].key).read(self.ids)

    @property
    def copies(self) -> NDArray[np.bool_]:
        """Whether each usable image has the pixels of an earlier one, as the networks see it."""
        digests = _Store(self.networks[0].key).digests(self.ids)
        first = {digest: i for i, digest in reversed(list(enumerate(digests)))}
        return np.array([first[digest] < i for i, digest in enumerate(digests)], dtype=bool)

    def of(self, keep: NDArray[np.bool_]) -> Measured:
        """The same of some of the usable images, a mask."""
        ids = tuple(i for i, kept in zip(self.ids, keep, strict=True) if kept)
        return replace(self, usable=self.usable[keep], ids=ids)


def measure(
    images: Images,
    networks: Sequence[Network | HandMade],
    *,
    announce: Callable[[float], None] | None = None,
    progress: bool = False,
) -> Measured:
    """Send through each network the images whose features are not kept yet.

    Args:
        images: images with identities.
        networks: networks, or features that are made by hand.
        announce: called once with the seconds that are left, if they are more than `LONG`.
        progress: show a progress bar.

    Raises:
        InputError: naming the network, if its features are not finite or it cannot take the size.
    """
    stores = [_Store(network.key) for network in networks]
    absent = [set(store.absent(images.ids)) for store in stores]
    todo = sorted(set().union(*absent))
    shapes = {(network.resize, network.bicubic) for network in networks}
    chunks = [todo[start : start + CHUNK] for start in range(0, len(todo), CHUNK)]
    reasons: dict[int, str] = {}
    began, forward = time.perf_counter(), _opened(images, chunks, shapes)
    for number, opened in enumerate(bar(forward, "features", len(chunks), progress)):
        reasons |= {i: image for i, image in opened.items() if isinstance(image, str)}
        for network, store, wanted in zip(networks, stores, absent, strict=True):
            shape = (network.resize, network.bicubic)
            of_network = {
                i: image[shape]
                for i, image in opened.items()
                if i in wanted and not isinstance(image, str)
            }
            if of_network:
                squares = list(of_network.values())
                features, probabilities = network.compute(squares)
                if not np.isfinite(features).all():
                    raise InputError(
                        f"{network.name}: features are not finite: look at its weights"
                    )
                digests = [hashlib.sha256(s.tobytes()).hexdigest()[:32] for s in squares]
                computed = [images.ids[i] for i in of_network]
                store.add(computed, digests, features, probabilities)
        if number == 0 and announce is not None:
            left = (time.perf_counter() - began) * (len(chunks) - 1)
            if left > LONG:
                announce(left)
    usable = np.array([i for i in range(len(images.ids)) if i not in reasons], dtype=np.intp)
    ids = tuple(images.ids[i] for i in usable)
    return Measured(networks, usable, reasons, len(todo) - len(reasons), ids)


def _opened(
    images: Images, chunks: Sequence[Sequence[int]], shapes: set[Shape]
) -> Iterator[dict[int, Fitted | str]]:
    """Each chunk's images in all shapes, or why not; the next chunk is read meanwhile."""

    def one(index: int) -> Fitted | str:
        image = images.open(index)
        if isinstance(image, str):
            return image
        return {(side, bicubic): fitted(image, side, bicubic) for side, bicubic in shapes}

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:

        def start(chunk: Sequence[int]) -> dict[int, Future[Fitted | str]]:
            return {i: pool.submit(one, i) for i in chunk}

        coming = start(chunks[0]) if chunks else {}
        for number in range(len(chunks)):
            ready = {i: future.result() for i, future in coming.items()}
            coming = start(chunks[number + 1]) if number + 1 < len(chunks) else {}
            yield ready


class _Store:
    """What is kept of one network: files of identities, features and probabilities."""

    def __init__(self, key: str) -> None:
        self.folder = folder("candidates", content_key(__name__, key)[:32])

    def _files(self) -> Iterator[tuple[Path, NDArray]]:
        for path in sorted(self.folder.glob("*.npz")):
            try:
                with np.load(path) as file:
                    yield path, file["ids"]
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                path.unlink(missing_ok=True)  # a damaged file: computed once more

    def absent(self, ids: Sequence[str]) -> list[int]:
        """Positions of the images that are not kept."""
        known = {str(i) for _, of_file in self._files() for i in of_file}
        return [position for position, i in enumerate(ids) if i not in known]

    def add(
        self,
        ids: Sequence[str],
        digests: Sequence[str],
        features: NDArray[np.float32],
        probabilities: NDArray[np.float16] | None,
    ) -> None:
        """Keep features `[n, D]` and probabilities `[n, Z]` of n images, and of their pixels."""
        arrays = {"ids": np.array(ids), "digests": np.array(digests), "features": features}
        if probabilities is not None:
            arrays["probabilities"] = probabilities
        with replacing(self.folder / f"{content_key(__name__, *ids)[:32]}.npz") as draft:
            np.savez(draft, **arrays)  # type: ignore[arg-type]

    def digests(self, ids: Sequence[str]) -> list[str]:
        """Checksums of the images' pixels, in their order."""
        known: dict[str, str] = {}
        for path, of_file in self._files():
            with np.load(path) as file:
                known |= zip(map(str, of_file), map(str, file["digests"]), strict=True)
        return [known[i] for i in ids]

    def read(self, ids: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Features and probabilities of the images, in their order."""
        wanted: dict[str, list[int]] = {}
        for position, i in enumerate(ids):
            wanted.setdefault(i, []).append(position)
        arrays: dict[str, NDArray] = {}
        for path, of_file in self._files():
            rows = [(row, p) for row, i in enumerate(of_file) for p in wanted.get(str(i), ())]
            if not rows:
                continue
            source, target = np.array(rows).T
            with np.load(path) as file:
                for name in ("features", "probabilities"):
                    if name in file:
                        part = file[name].astype(np.float32)
                        whole = arrays.setdefault(
                            name, np.full((len(ids), part.shape[1]), np.nan, np.float32)
                        )
                        whole[target] = part[source]
        probabilities = arrays.get("probabilities")
        if probabilities is not None:
            probabilities /= probabilities.sum(1, keepdims=True)
        return arrays["features"], probabilities
