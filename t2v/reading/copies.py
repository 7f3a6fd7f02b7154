"""Images that are the same to the last pixel, and the labels they have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from hashlib import blake2b
from itertools import combinations

from torch import Tensor

from t2v.errors import InputError
from t2v.reading.found import Found

SHOWN = 3


def same_pixels(images: Tensor | Sequence[Tensor]) -> list[list[int]]:
    """Positions of uint8 images `[N, 3, h, w]` that are equal, in groups of two or more."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i in range(len(images)):
        pixels = images[i].contiguous().numpy()
        key = (pixels.shape, blake2b(pixels.data, digest_size=16).digest())
        groups.setdefault(key, []).append(i)
    return [group for group in groups.values() if len(group) > 1]


def check_labels(found: Found, images: Tensor | Sequence[Tensor]) -> None:
    """Warn of equal images in several classes.

    Args:
        found: names and labels of the N images.
        images: N uint8 images `[3, h, w]`.

    Warns:
        UserWarning: naming such images.

    Raises:
        InputError: if two classes hold the same images, so that nothing can tell them apart.
    """
    unique: dict[int, set[int]] = {k: set() for k in range(len(found.classes))}
    first_of = list(range(len(found.paths)))
    groups = same_pixels(images)
    for group in groups:
        for i in group:
            first_of[i] = group[0]
    for first, label in zip(first_of, found.labels, strict=True):
        unique[label].add(first)
    shared = {first_of[group[0]] for group in groups}
    whole = [k for k, firsts in unique.items() if firsts and firsts <= shared]
    for a, b in combinations(whole, 2):
        if unique[a] == unique[b]:
            raise InputError(
                f"{found.where}: classes {found.classes[a]!r} and {found.classes[b]!r} hold the "
                "same images, so nothing can tell them apart; remove one"
            )
    mixed = [group for group in groups if len({found.labels[i] for i in group}) > 1]
    if mixed:
        pairs = []
        for group in mixed[:SHOWN]:
            other = next(i for i in group if found.labels[i] != found.labels[group[0]])
            pairs.append(f"{found.short(group[0])} = {found.short(other)}")
        more = f"; and {len(mixed) - SHOWN} more" if len(mixed) > SHOWN else ""
        warnings.warn(
            f"{found.where}: {len(mixed)} images have several labels ({'; '.join(pairs)}{more})",
            stacklevel=4,
        )
