"""What a folder or a table of images holds, in numbers and in one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from t2v.errors import InputError

SHOWN = 6  # classes, or reasons, that are named one by one
LOST = frozenset(
    ".ai .arw .cr2 .cr3 .dcm .dng .eps .exr .gz .h5 .hdf .heic .heif .jxl .mat .mov .mp4 .nef .nii "
    ".npy .npz .orf .parquet .pdf .raf .rw2 .svg .tar .tfrecord .xcf .zip".split()
)
"""Endings of files that hold images which Pillow does not read."""
LOOSE, LINKS = "loose beside the folders of the classes", "broken links"

_SPLIT = re.compile(
    r"(train(ing)?|val(id(ation)?)?|test(ing)?|dev|eval(uation)?|hold[-_ ]?out|trainval|fold)"
    r"([-_ ]?(set|data|images|split|full|small|mini))?[-_ ]?\d*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """Images of a folder or a table, before any of them is opened.

    Attributes:
        where: the folder or the table.
        paths: N files.
        labels: N numbers of classes.
        classes: K names.
        passed: number of files that are passed over, by reason or ending.
        groups: N numbers of groups of images that belong together; `None`: each on its own.
        hints: what looks like a mistake, one sentence each.
    """

    where: Path
    paths: Sequence[Path]
    labels: Sequence[int]
    classes: Sequence[str]
    passed: Mapping[str, int] = field(default_factory=dict)
    groups: Sequence[int] | None = None
    hints: Sequence[str] = ()

    def subset(self, index: Iterable[int]) -> Found:
        """Some of the images, by position, with the same classes."""
        index = list(index)
        return Found(
            self.where,
            [self.paths[i] for i in index],
            [self.labels[i] for i in index],
            self.classes,
            self.passed,
            None if self.groups is None else [self.groups[i] for i in index],
            self.hints,
        )

    def short(self, i: int) -> str:
        """The path of an image below the folder, or the folder of the table."""
        path, root = self.paths[i], self.where if self.where.is_dir() else self.where.parent
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def without_empty_classes(self, *, refuse: bool) -> Found:
        """The classes that have images left.

        Args:
            refuse: whether a class without images is an error.

        Raises:
            InputError: naming a class without images, or if fewer than two have some.
        """
        there = sorted(set(self.labels))
        gone = [name for k, name in enumerate(self.classes) if k not in there]
        if gone and refuse:
            raise InputError(
                f"{self.where}: class {gone[0]!r} has no image that can be used; mend its "
                "files, or leave the class out by --skip-bad (skip_bad=True)"
            )
        if len(there) < 2:
            raise InputError(
                f"{self.where}: a task needs two classes with images that can be used; found "
                f"{len(there)}"
            )
        number = {k: new for new, k in enumerate(there)}
        labels, classes = [number[k] for k in self.labels], [self.classes[k] for k in there]
        hints = [*self.hints, *(f"class {name!r} is left out" for name in gone)]
        return replace(self, labels=labels, classes=classes, hints=hints)

    def line(self, name: str, total: int, passed: Mapping[str, int]) -> str:
        """What was taken and what was passed over, in one line.

        Args:
            name: name of the task.
            total: number of images that could have been taken.
            passed: number of files that were passed over, by reason or ending.
        """
        count = len(self.paths)
        drawn = "" if count == total else f" of {total:,}"
        parts = [
            f"{name}: {count:,}{drawn} images in {len(self.classes)} classes "
            f"({sizes(self.labels, self.classes)})"
        ]
        if self.groups is not None:
            parts.append(f"{len(set(self.groups)):,} groups")
        if passed:
            parts.append(f"passed over: {counted(passed)}")
        return "; ".join([*parts, *self.hints])

    @property
    def doubts(self) -> str:
        """What may be lost or mistaken, in one line; empty if nothing looks so."""
        lost = {k: n for k, n in self.passed.items() if k in LOST or k in (LOOSE, LINKS)}
        return "; ".join([*([f"passed over: {counted(lost)}"] if lost else []), *self.hints])


def counted(counts: Mapping[str, int]) -> str:
    """Counts in words, the largest first: `12 .txt, 3 hidden`."""
    most = Counter(counts).most_common()
    words = [f"{count:,} {what}" for what, count in most[:SHOWN]]
    rest = sum(count for _, count in most[SHOWN:])
    return ", ".join([*words, *([f"{rest:,} others"] if rest else [])])


def sizes(labels: Iterable[int], classes: Sequence[str]) -> str:
    """The number of images of each class; of many classes the smallest and the largest."""
    counts = Counter(labels)
    by_class = {name: counts[k] for k, name in enumerate(classes)}
    if len(classes) <= SHOWN:
        return ", ".join(f"{name} {count:,}" for name, count in by_class.items())
    small, large = (pick(by_class, key=lambda name: by_class[name]) for pick in (min, max))
    return f"from {by_class[small]:,} of {small} to {by_class[large]:,} of {large}"


def check_no_splits(where: Path, names: Collection[str], below: Mapping[str, set[str]]) -> None:
    """Refuse folders of training and test images in the place of classes.

    Args:
        where: folder or table.
        names: names of its classes.
        below: names of the sub-folders in each of them.

    Raises:
        InputError: if all names are those of splits, or two of them are and hold the same classes.
    """
    splits = split_names(names, below)
    if splits:
        first = next((s for s in splits if re.match("train", s, re.IGNORECASE)), splits[0])
        raise InputError(
            f"{where}: {', '.join(map(repr, splits))} are splits, not classes; take "
            + (f"{where / first}" if below else "the column of the classes as label")
        )


def split_names(names: Collection[str], below: Mapping[str, set[str]]) -> list[str]:
    """The folders that are splits, not classes; none if they can be classes; arguments as above."""
    splits = [name for name in names if _SPLIT.fullmatch(name)]
    same = [s for s in splits if len(below.get(s, ())) > 1 and below[s] == below[splits[0]]]
    return splits if len(splits) > 1 and (len(splits) == len(names) or len(same) > 1) else []


def hints_of_names(classes: Sequence[str], below: Mapping[str, set[str]]) -> list[str]:
    """Sentences on names of classes that look like a mistake; arguments as above."""
    hints = []
    folded: dict[str, str] = {}
    for name in classes:
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            hints.append(f"classes {twin!r} and {name!r} differ in capitals only")
    inner = [below.get(name, set()) for name in classes]
    if inner and len(inner[0]) > 1 and all(names == inner[0] for names in inner):
        which = ", ".join(sorted(inner[0])[:SHOWN])
        hints.append(f"every class has the same sub-folders ({which}): are these the classes?")
    return hints
