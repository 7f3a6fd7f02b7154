"""Rows of images of tasks: what a figure shows of the tasks that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from t2v.book.plots import image_grid
from t2v.book.sprites import images_and_credits
from t2v.libraries import Library

PIXELS = 64


def task_rows(
    library: Library,
    data_sets: Sequence[str],
    rows: Mapping[str, Sequence[int]],
    title: str = "",
    height: float = 0.82,
) -> Figure:
    """Rows of tasks, up to four images of each, with a gap between two tasks.

    A task whose images a page may not show has white tiles in their place.

    Args:
        library: library of T tasks.
        data_sets: T names of data sets, or of parts of a joint library.
        rows: label of each row to the tasks in it, numbers from 0 to T - 1.
        title: title of the figure, which says what to see.
        height: height of a row, inches.
    """
    strips, _, _ = images_and_credits(library, data_sets)
    gap = np.full((1, 3, PIXELS, PIXELS), 255, dtype=np.uint8)
    shown = {}
    for label, tasks in rows.items():
        parts = [part for i in tasks for part in (gap, _tiles(strips.get(i, ())))]
        shown[label] = np.concatenate(parts[1:])
    return image_grid(shown, columns=max(map(len, shown.values())), title=title, height=height)


def _tiles(strip: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """The images of a task, uint8 `[4, 3, 64, 64]`."""
    tiles = np.full((4, 3, PIXELS, PIXELS), 255, dtype=np.uint8)
    for tile, (_, image) in zip(tiles, strip, strict=False):
        whole = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        fitted = ImageOps.fit(whole, (PIXELS, PIXELS), Image.Resampling.LANCZOS)
        tile[...] = np.asarray(fitted).transpose(2, 0, 1)
    return tiles
