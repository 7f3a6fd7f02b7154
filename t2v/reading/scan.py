"""Finding the images of a folder that has one sub-folder per class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from t2v._run.names import writable
from t2v.errors import FileError, InputError
from t2v.reading.decode import suffixes
from t2v.reading.found import (
    LINKS,
    LOOSE,
    Found,
    check_no_splits,
    counted,
    hints_of_names,
    split_names,
)
from t2v.reading.groups import groups_by_pattern

SYSTEM = frozenset(
    "__macosx @eadir @recently-snapshot @recycle @tmp #recycle #snapshot $recycle.bin lost+found "
    "__pycache__ recycler".split()
) | {"system volume information"}
"""Folders, in small letters, that systems leave beside images."""
THUMBNAILS = frozenset("thumb thumbnail thumbnails thumbs _thumbnails _thumbs __thumbs".split())
"""Folders, in small letters, of small copies, where they lie inside a class."""
_AT_THE_TOP = SYSTEM | {"thumbnails", "_thumbnails", "_thumbs", "__thumbs"}
_Id = tuple[int, int]


def scan_folder(
    path: str | Path, *, leave_out_empty: bool = False, groups: str | None = None
) -> Found:
    """Find the images of a folder that has one sub-folder per class.

    Sub-folders come in alphabetical order and are searched to any depth, also where links lead,
    each real folder once in a class. Hidden files and folders, those of the system, thumbnails,
    files beside the sub-folders, and endings that Pillow does not read are passed over and counted.

    Args:
        path: the folder.
        leave_out_empty: whether classes without images are left out, not refused.
        groups: regular expression on the path from the folder; images with the same match (of its
            first parentheses, if it has some) belong together.

    Raises:
        FileError: no such folder, or one that cannot be opened.
        InputError: fewer than two sub-folders, one without images, training and test images in the
            place of classes, or a pattern that matches nothing.
    """
    root = Path(path)
    if not root.is_dir():
        raise FileError(f"{root}: no such folder" if not root.exists() else f"{root}: not a folder")
    passed: Counter[str] = Counter()
    folders = _class_folders(root, passed)
    if len(folders) < 2:
        raise InputError(_too_few(root, folders, passed))
    below = {d.name: _sub_folders(d) for d in folders}
    check_no_splits(root, [d.name for d in folders], below)
    above = _ids_above(root)
    of_class: dict[Path, list[Path]] = {}
    hints: list[str] = []
    for folder in folders:
        inside: Counter[str] = Counter()
        images = sorted(_images(folder, above | {_id(folder)}, inside))
        if not images and not leave_out_empty:
            holds = f"it holds {counted(inside)}; " if inside else ""
            raise InputError(
                f"{folder}: class without images; {holds}add some, remove the folder, or leave "
                "such classes out by --skip-bad (skip_bad=True)"
            )
        passed += inside
        if images:
            of_class[folder] = images
        else:
            hints.append(f"class {writable(folder.name)!r} is left out: it has no images")
    if len(of_class) < 2:
        raise InputError(f"{root}: a task needs two classes with images; found {len(of_class)}")
    paths = [p for images in of_class.values() for p in images]
    names = [folder.name for folder in of_class]
    return Found(
        where=root,
        paths=paths,
        labels=[k for k, images in enumerate(of_class.values()) for _ in images],
        classes=[writable(name) for name in names],
        passed=passed,
        groups=groups_by_pattern(paths, root, groups),
        hints=[*hints, *hints_of_names(names, below)],
    )


def find_splits(path: str | Path) -> list[Path]:
    """The sub-folders that hold a split each, such as `train` and `val`; none if they are classes.

    Raises:
        FileError: if the folder cannot be opened.
    """
    root = Path(path)
    folders = _class_folders(root, Counter()) if root.is_dir() else []
    names = split_names([d.name for d in folders], {d.name: _sub_folders(d) for d in folders})
    return [root / name for name in names]


def _class_folders(root: Path, passed: Counter[str]) -> list[Path]:
    """The sub-folders that are classes, by name; what else lies there is counted."""
    folders = []
    for entry in _entries(root):
        folder = root / entry.name
        if entry.name.startswith(".") or entry.name.lower() in _AT_THE_TOP:
            _pass_over(folder, passed)
        elif folder.is_dir():
            folders.append(folder)
        elif folder.suffix.lower() in suffixes():
            passed[LOOSE] += 1
        else:
            passed[_ending(entry.name)] += 1
    return folders


def _images(folder: Path, seen: set[_Id], passed: Counter[str]) -> Iterator[Path]:
    """Images below a folder; `seen` holds the real folders that were entered already."""
    links = []
    for entry in _entries(folder):
        path = folder / entry.name
        try:
            stat = entry.stat()
        except OSError:  # a link to nothing, or to itself
            passed[LINKS] += 1
            continue
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
            _pass_over(path, passed)
        elif entry.is_dir():
            if entry.name.lower() in THUMBNAILS:
                _pass_over(path, passed)
            elif entry.is_symlink():
                links.append((path, (stat.st_dev, stat.st_ino)))
            else:
                seen.add(_id(path))
                yield from _images(path, seen, passed)
        elif path.suffix.lower() not in suffixes():
            passed[_ending(entry.name)] += 1
        elif entry.is_file():
            yield path
        else:
            passed["no files (pipes, devices)"] += 1
    for path, id_ in links:  # after the folders that are really here
        if id_ in seen:
            passed["linked folders that were read already"] += 1
        else:
            seen.add(id_)
            yield from _images(path, seen, passed)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise FileError(f"{folder}: cannot be opened ({error.strerror})") from None


def _pass_over(path: Path, passed: Counter[str]) -> None:
    """Count a hidden file, or the files in a folder that is passed over."""
    if path.is_dir():
        inside = sum(len(files) for _, _, files in os.walk(path))
        passed[f"in {path.name}"] += inside
        if not inside:
            del passed[f"in {path.name}"]
    else:
        passed["hidden"] += 1


def _ending(name: str) -> str:
    return writable(Path(name).suffix.lower()) or "without ending"


def _sub_folders(folder: Path) -> set[str]:
    names = [entry.name for entry in _entries(folder) if (folder / entry.name).is_dir()]
    left_out = SYSTEM | THUMBNAILS
    return {name for name in names if name[0] != "." and name.lower() not in left_out}


def _id(folder: Path) -> _Id:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _ids_above(root: Path) -> set[_Id]:
    """The folder itself and all above it: a link to one of them leads back."""
    real = root.resolve()
    return {_id(folder) for folder in (real, *real.parents)}


def _too_few(root: Path, folders: list[Path], passed: Counter[str]) -> str:
    rule = f"{root}: a task needs one sub-folder of images per class, two at least"
    if not folders:
        loose = f", and {passed[LOOSE]} images {LOOSE}" if passed[LOOSE] else ""
        return f"{rule}; found none{loose}"
    inner = _sub_folders(folders[0])
    hint = f"; is {folders[0]} meant?" if len(inner) > 1 else ""
    return f"{rule}; found only {folders[0].name!r}{hint}"
