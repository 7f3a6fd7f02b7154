"""An audit of a folder or a table of images: what would be read, and what to look at before."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2v._numerics.components import connected
from t2v.audit.mislabelled import Doubts, doubtful_labels
from t2v.audit.near_copies import near_copies
from t2v.errors import InputError
from t2v.images import Skipped, load_images
from t2v.probe import Probe
from t2v.reading.copies import same_pixels
from t2v.reading.found import Found
from t2v.reading.scan import find_splits, scan_folder
from t2v.reading.table import is_table, read_csv
from t2v.task import draw_evenly

TIMED = 32
"""Number of images from which the time of all is estimated."""


@dataclass(frozen=True, eq=False)
class Copies:
    """Two images that are the same.

    Attributes:
        images: positions of the two.
        alike: correlation of their pixels; 1 for equal images.
        exact: whether they are equal to the last pixel, at the size at which they were read.
    """

    images: tuple[int, int]
    alike: float
    exact: bool


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found in a folder.

    Attributes:
        found: the N images that can be used, and what was passed over.
        splits: split of each image, `[N]`; empty names where the folder has none.
        images: the images themselves, uint8 `[N, 3, S, S]`.
        unusable: images that cannot be decoded.
        remarks: what was not taken as it is, one sentence each.
        copies: pairs of equal and of nearly equal images.
        doubts: labels that a head doubts; `None` if none could be trained.
        no_doubts: why none could be trained.
    """

    found: Found
    splits: Sequence[str]
    images: Tensor
    unusable: Sequence[Skipped]
    remarks: Sequence[str]
    copies: Sequence[Copies]
    doubts: Doubts | None
    no_doubts: str = ""

    def label(self, i: int) -> str:
        """The class of an image."""
        return self.found.classes[self.found.labels[i]]

    def across_classes(self, pair: Copies) -> bool:
        """Whether the two images have different labels."""
        i, j = pair.images
        return self.found.labels[i] != self.found.labels[j]

    def across_splits(self, pair: Copies) -> bool:
        """Whether the two images are in different splits."""
        i, j = pair.images
        return self.splits[i] != self.splits[j]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images of each class."""
        counts = Counter(self.found.labels)
        return {name: counts[k] for k, name in enumerate(self.found.classes)}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = self.found

        def suspect(i: int, doubts: Doubts) -> dict[str, Any]:
            k = int(doubts.suggested[i])
            return {
                "path": found.short(i),
                "label": self.label(i),
                "probability": float(doubts.probabilities[i, found.labels[i]]),
                "suggested": found.classes[k],
                "suggested_probability": float(doubts.probabilities[i, k]),
            }

        return {
            "folder": str(found.where),
            "images": len(found.paths),
            "classes": self.sizes,
            "splits": dict(Counter(self.splits)) if any(self.splits) else {},
            "groups": None if found.groups is None else len(set(found.groups)),
            "passed_over": dict(found.passed),
            "hints": list(found.hints),
            "unusable": [{"path": s.path, "reason": s.reason} for s in self.unusable],
            "remarks": list(self.remarks),
            "copies": [
                {
                    "paths": [found.short(i) for i in pair.images],
                    "labels": [self.label(i) for i in pair.images],
                    "exact": pair.exact,
                    "correlation": pair.alike,
                    "across_classes": self.across_classes(pair),
                    "across_splits": self.across_splits(pair),
                }
                for pair in self.copies
            ],
            "head_error": None if self.doubts is None else self.doubts.error,
            "suspects": []
            if self.doubts is None
            else [suspect(i, self.doubts) for i in self.doubts.suspects],
        }


def audit(
    path: str | Path,
    probe: Probe,
    *,
    max_images: int | None = None,
    groups: str | None = None,
    seed: int = 0,
    progress: bool = False,
    tell: Callable[[float], None] | None = None,
) -> Audit:
    """Look through a folder or a table of images, without stopping at a bad one.

    Args:
        path: folder with one sub-folder per class, or with one such folder per split; or a CSV.
        probe: probe whose features the head is trained on, and at whose size images are read.
        max_images: largest number of images to look at, drawn evenly over the classes; default:
            all.
        groups: see `t2v.reading.scan.scan_folder`, or a column of the table.
        seed: seed of the draw and of the folds.
        progress: whether to show progress bars.
        tell: receives an estimate of the time, in seconds, before long work starts.

    Raises:
        FileError: if the folder or the table cannot be read.
        InputError: if it holds fewer than two classes, or no image that can be used.
    """
    found, splits = _find(Path(path), groups)
    if max_images is not None and max_images < len(found.paths):
        drawn = draw_evenly(torch.tensor(found.labels), max_images, seed).sort().values.tolist()
        found, splits = found.subset(drawn), [splits[i] for i in drawn]
    if tell is not None:
        tell(_seconds(found.paths, probe))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images, unusable = load_images(
            found.paths, probe.image_size, tolerance=1.0, progress=progress
        )
    assert isinstance(images, Tensor)  # all of one size
    bad = {skip.index for skip in unusable}
    kept = [i for i in range(len(found.paths)) if i not in bad]
    found, splits = found.subset(kept), [splits[i] for i in kept]
    found = found.without_empty_classes(refuse=False)
    remarks = [str(w.message) for w in caught if "cannot be used" not in str(w.message)]
    copies = _copies(images)
    doubts, no_doubts = None, ""
    try:
        doubts = _doubts(found, images, copies, probe, seed)
    except InputError as error:  # too few images: all else can be said
        no_doubts = str(error)
    return Audit(found, splits, images, unusable, remarks, copies, doubts, no_doubts)


def _find(path: Path, groups: str | None) -> tuple[Found, list[str]]:
    """The images, and the split of each; splits are put together."""
    if is_table(path):
        found = read_csv(path, leave_out_missing=True, groups=groups)
        return found, [""] * len(found.paths)
    folders = find_splits(path)
    if not folders:
        found = scan_folder(path, leave_out_empty=True, groups=groups)
        return found, [""] * len(found.paths)
    parts: dict[str, Found] = {}
    hints = [f"{', '.join(f.name for f in folders)} are splits: `t2v embed` takes one of them"]
    for folder in folders:
        try:
            parts[folder.name] = scan_folder(folder, leave_out_empty=True, groups=groups)
        except InputError as error:  # often a split without labels
            hints.append(str(error))
    if not parts:
        raise InputError(hints[1])
    return _together(path, parts, hints)


def _together(root: Path, parts: dict[str, Found], hints: list[str]) -> tuple[Found, list[str]]:
    classes = sorted({name for part in parts.values() for name in part.classes})
    number = {name: k for k, name in enumerate(classes)}
    passed: Counter[str] = Counter()
    groups: list[int] = []
    for part in parts.values():
        passed.update(part.passed)
        first = max(groups, default=-1) + 1
        groups += [first + group for group in part.groups or ()]
    found = Found(
        where=root,
        paths=[p for part in parts.values() for p in part.paths],
        labels=[number[part.classes[k]] for part in parts.values() for k in part.labels],
        classes=classes,
        passed=passed,
        groups=groups or None,
        hints=[*hints, *(hint for part in parts.values() for hint in part.hints)],
    )
    return found, [name for name, part in parts.items() for _ in part.paths]


def _seconds(paths: Sequence[Path], probe: Probe) -> float:
    """Time for all images, from a few that lie evenly among them."""
    few = list(paths[:: max(1, len(paths) // TIMED)])[:TIMED]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            images, _ = load_images(few, probe.image_size, tolerance=1.0)
        except InputError:  # none of these can be used; others may
            return 0.0
    probe.features(images if isinstance(images, Tensor) else torch.stack(images))
    return (time.perf_counter() - start) * len(paths) / len(few)


def _copies(images: Tensor) -> list[Copies]:
    """Equal images, each with the first of its kind, then nearly equal ones."""
    equal = [(group[0], i) for group in same_pixels(images) for i in group[1:]]
    again = {i for _, i in equal}
    near = [(i, j, r) for i, j, r in near_copies(images) if not {i, j} & again]
    return [
        *(Copies(pair, 1.0, True) for pair in equal),
        *(Copies((i, j), r, False) for i, j, r in near),
    ]


def _doubts(
    found: Found, images: Tensor, copies: Sequence[Copies], probe: Probe, seed: int
) -> Doubts:
    pairs = [pair.images for pair in copies]
    if found.groups is not None:  # images of a group are linked to the first of it
        first: dict[int, int] = {}
        pairs += [(first.setdefault(g, i), i) for i, g in enumerate(found.groups)]
    together = connected(len(images), pairs)
    return doubtful_labels(
        probe.features(images), torch.tensor(found.labels), together, seed, found.where.name
    )
