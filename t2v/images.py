"""Image files: finding and decoding them, and reporting those that cannot be used.

What is converted and what is skipped:

* grey, 16-bit grey, CMYK, palette and other colour modes are converted to RGB; transparent pixels
  are laid on white; an animation gives its first frame; the orientation that a camera wrote into
  the file is applied;
* missing, empty, corrupt and truncated files, files that are no images, and images of more than
  `PIXEL_LIMIT` pixels are skipped, counted and named in one warning;
* more than one skipped image in a hundred is an error: then the folder, not an image, is at fault.
"""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from t2v._run.progress import bar
from t2v.errors import FileError, InputError

PIXEL_LIMIT = 50_000_000
"""Larger images are skipped: 50 megapixels are 150 MB, and several are decoded at a time."""

SUFFIXES = frozenset(".bmp .gif .jpeg .jpg .png .ppm .tif .tiff .webp".split())


@dataclass(frozen=True)
class Skipped:
    """An image that was left out: its position in the list of paths, its path, and the reason."""

    index: int
    path: str
    reason: str


def load_images(
    paths: Sequence[str | Path],
    size: int | None,
    *,
    tolerance: float = 0.01,
    threads: int | None = None,
    progress: bool = False,
) -> tuple[torch.Tensor | list[torch.Tensor], list[Skipped]]:
    """Decode images into memory, in the order of their paths, without those that cannot be used.

    Args:
        paths: N image files.
        size: side in pixels (shorter side resized, bilinear and antialiased; centre crop); `None`:
            the files' own sizes.
        tolerance: largest share of unusable images, in [0, 1].
        threads: number of decoding threads; default: one per core, at most eight.
        progress: whether to show a progress bar.

    Returns:
        The images, uint8 `[M, 3, size, size]` (a list of `[3, h, w]` if their sizes differ), and
        the N - M skipped ones.

    Warns:
        UserWarning: naming the skipped images.

    Raises:
        InputError: no path, a bad `size`, or more than `tolerance` of the images unusable.
    """
    if not len(paths):
        raise InputError("load_images: no image given")
    if size is not None and size < 1:
        raise InputError(f"load_images: size must be at least 1 pixel or None, got {size}")
    threads = threads or min(8, os.cpu_count() or 1)
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        # `PIXEL_LIMIT` is lower and is reported; Pillow's warning would repeat it
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        decoded = pool.map(lambda path: _decode(path, size), paths)
        results = list(bar(decoded, "reading images", len(paths), progress))
    skipped = [
        Skipped(i, str(path), result)
        for i, (path, result) in enumerate(zip(paths, results, strict=True))
        if isinstance(result, str)
    ]
    _report(skipped, len(paths), tolerance)
    images = [torch.from_numpy(result) for result in results if not isinstance(result, str)]
    if len({image.shape for image in images}) == 1:
        return torch.stack(images), skipped
    return images, skipped


def _decode(path: str | Path, size: int | None) -> np.ndarray | str:
    """One image as uint8 `[3, h, w]`, or the reason why it cannot be used."""
    try:
        if os.path.getsize(path) == 0:
            return "empty file"
        with Image.open(path) as file:
            if file.width * file.height > PIXEL_LIMIT:
                return f"{file.width} x {file.height} pixels, more than {PIXEL_LIMIT:,}"
            image = _to_rgb(ImageOps.exif_transpose(file))
            if size is not None and image.size != (size, size):
                image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
            return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
    except FileNotFoundError:
        return "no such file"
    except UnidentifiedImageError:
        return "not an image"
    except Image.DecompressionBombError:
        return f"more than {PIXEL_LIMIT:,} pixels"
    except MemoryError:
        raise
    # Pillow's decoders raise a dozen types on broken files (OSError, SyntaxError, struct.error...);
    # the reason is not lost: it is counted and shown
    except Exception as error:
        return f"corrupt ({type(error).__name__}: {error})"


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535 or image.mode == "F":
            raise ValueError(f"pixels of mode {image.mode} have no known range")
        # Pillow would clip 16-bit grey at 255, that is to white
        return Image.fromarray((values // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _report(skipped: list[Skipped], total: int, tolerance: float) -> None:
    if not skipped:
        return
    reasons = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    summary = f"{len(skipped)} of {total} images cannot be used ({reasons}{more})"
    if len(skipped) > tolerance * total:
        raise InputError(
            f"{summary}: more than {tolerance:.0%}; mend or remove these files, then try again"
        )
    warnings.warn(f"{summary}; they are left out", stacklevel=3)


def scan_folder(path: str | Path) -> tuple[list[Path], torch.Tensor, list[str]]:
    """Find the images of a folder that has one sub-folder per class.

    Sub-folders come in alphabetical order and are searched to any depth; hidden files and files
    with other suffixes than `SUFFIXES` are ignored.

    Returns:
        N paths, their labels (int64 `[N]`), and the K class names.

    Raises:
        FileError: no such folder.
        InputError: fewer than two sub-folders, or one without images.
    """
    root = Path(path)
    if not root.is_dir():
        raise FileError(f"{root}: no such folder" if not root.exists() else f"{root}: not a folder")
    folders = sorted(d for d in root.iterdir() if d.is_dir() and not d.name.startswith("."))
    if len(folders) < 2:
        got = f"only {folders[0].name!r}" if folders else "none"
        raise InputError(
            f"{root}: a task needs one sub-folder of images per class, two at least; found {got}"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        images = sorted(
            p
            for p in folder.rglob("*")
            if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
        )
        if not images:
            raise InputError(
                f"{folder}: class without images (looked for {' '.join(sorted(SUFFIXES))}); "
                "add some or remove the folder"
            )
        paths += images
        labels += [label] * len(images)
    return paths, torch.tensor(labels), [folder.name for folder in folders]


def read_csv(path: str | Path) -> tuple[list[Path], torch.Tensor, list[str]]:
    """Read a table with the columns `path` and `label`, one image per row.

    Paths are relative to the table's own folder, or absolute. Classes are the labels in
    alphabetical order.

    Returns:
        N paths, their labels (int64 `[N]`), and the K class names.

    Raises:
        FileError: no such table, or a row names a file that does not exist.
        InputError: not a CSV in UTF-8, a column or value missing, no row, or a single class.
    """
    table = Path(path)
    if not table.is_file():
        raise FileError(f"{table}: no such file")
    paths: list[Path] = []
    names: list[str] = []
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            missing = [c for c in ("path", "label") if c not in columns]
            if missing:
                raise InputError(
                    f"{table}: no column {' or '.join(missing)}; found: {', '.join(columns)}"
                )
            for row in reader:
                relative, name = (row["path"] or "").strip(), (row["label"] or "").strip()
                if not relative or not name:
                    raise InputError(f"{table}, line {reader.line_num}: path or label is empty")
                image = table.parent / relative
                if not image.is_file():
                    raise FileError(f"{table}, line {reader.line_num}: no such image: {relative}")
                paths.append(image)
                names.append(name)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a CSV table in UTF-8 ({error})") from error
    classes = sorted(set(names))
    if len(classes) < 2:
        got = f"only {classes[0]!r}" if classes else "no row"
        raise InputError(f"{table}: a task needs two classes at least; found {got}")
    number = {name: k for k, name in enumerate(classes)}
    return paths, torch.tensor([number[name] for name in names]), classes
