"""Images that belong together, such as several of one scene: they stay on one side of a split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from t2v.errors import InputError


def numbered(keys: Sequence[str]) -> list[int]:
    """Numbers of groups, equal for equal keys; an empty key is a group of its own."""
    number: dict[tuple[str, int], int] = {}
    return [number.setdefault((key, -1 if key else i), len(number)) for i, key in enumerate(keys)]


def groups_by_pattern(paths: Sequence[Path], root: Path, pattern: str | None) -> list[int] | None:
    """Groups by a regular expression on the path below a folder; `None` without one.

    Args:
        paths: N files.
        root: the folder from which their paths are taken.
        pattern: files with the same match, of its first parentheses if it has some, belong
            together; a file without a match is a group of its own.

    Raises:
        InputError: for no regular expression, or one that matches no file or all files alike.
    """
    if pattern is None:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"groups {pattern!r}: not a regular expression ({error})") from None
    keys = []
    for path in paths:
        name = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        match = expression.search(name)
        keys.append((match[1] if expression.groups else match[0]) or "" if match else "")
    if not any(keys):
        raise InputError(f"groups {pattern!r}: matches none of the {len(paths)} file names")
    groups = numbered(keys)
    if len(set(groups)) < 2:
        raise InputError(f"groups {pattern!r}: puts all {len(paths)} images into one group")
    return groups
