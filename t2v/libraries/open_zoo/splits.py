"""Which images experts learn from, which are those of tasks, and the folds of the latter.

Images of one group stay together: letters of one drawer, garments from one contributor, flowers of
one photographer, hands of one person. Groceries have no groups, because file names do not tell
which pictures show the same shelf; nor do waste and Caltech-101. None of it depends on a seed, so
that no expert sees an image of a task, whatever the seeds of both.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from t2v.libraries.photographs.plans import Row

EXPERTS, TASKS = "experts", "tasks"
"""Parts of the images: those that experts learn from, and those of tasks."""

FOLDS = 5
OF_EXPERTS = 2  # fifths of the images

GROUP_COLUMNS = {"omniglot": "drawer", "clothing": "group", "flowers": "photographer"}
"""Columns of the index that say which images belong together."""


def divide(source: str, rows: list[Row]) -> list[Row]:
    """The rows of a data set with `group`, `part` and, in the part of tasks, `fold`."""
    for row, group in zip(rows, groups(source, rows), strict=True):
        row["group"] = group
    for row, fifth in zip(rows, deal(rows, f"part/{source}"), strict=True):
        row |= {"part": EXPERTS if fifth < OF_EXPERTS else TASKS, "fold": ""}
    of_tasks = [row for row in rows if row["part"] == TASKS]
    for row, fold in zip(of_tasks, deal(of_tasks, f"fold/{source}"), strict=True):
        row["fold"] = str(fold)
    return rows


def groups(source: str, rows: Sequence[Row]) -> list[str]:
    """The group of each image, its own path where it has none.

    In the data set of hands, each person showed the digits in ascending order, and the camera
    numbered the images: where the digit falls, or ten numbers are missing, another person begins.
    """
    if source in GROUP_COLUMNS:
        return [row[GROUP_COLUMNS[source]] for row in rows]
    if source != "signdigits":
        return [row["path"] for row in rows]
    shots = []
    for row in rows:
        digit, number = re.fullmatch(r"digit_(\d)/IMG_(\d+)\.webp", row["path"]).groups()  # type: ignore[union-attr]
        shots.append((int(number), int(digit), row["path"]))
    person, of_path, last = 0, {}, (0, 0)
    for number, digit, path in sorted(shots):
        if digit <= last[1] or number >= last[0] + 10:
            person += 1
        of_path[path], last = f"person {person}", (number, digit)
    return [of_path[row["path"]] for row in rows]


def stratum(row: Row) -> str:
    """What is spread evenly over parts, folds and draws: labels, and children's garments."""
    return f"{row['label']}/{row.get('kids', '')}"


def deal(rows: Sequence[Row], salt: str) -> list[int]:
    """A number in `0..FOLDS-1` for each image: the same within a group, even over strata.

    The groups are dealt from the largest to the smallest, equally large ones in the order of their
    hashes, each to the number that has fewest images of the group's strata.
    """
    members: dict[str, Counter[str]] = {}
    for row in rows:
        members.setdefault(row["group"], Counter())[stratum(row)] += 1
    dealt: dict[str, list[int]] = {stratum(row): [0] * FOLDS for row in rows}
    total, number = [0] * FOLDS, {}
    for group in sorted(members, key=lambda g: (-members[g].total(), hashed(f"{salt}/{g}"))):
        counts = members[group]
        number[group] = min(
            range(FOLDS), key=lambda k: (sum(n * dealt[s][k] for s, n in counts.items()), total[k])
        )
        for s, n in counts.items():
            dealt[s][number[group]] += n
        total[number[group]] += counts.total()
    return [number[row["group"]] for row in rows]


def hashed(key: str) -> str:
    """A hash as good as random and the same on every machine."""
    return hashlib.sha256(key.encode()).hexdigest()
