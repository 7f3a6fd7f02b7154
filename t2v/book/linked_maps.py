"""The interactive map of tasks: linked maps, and for each task its neighbours and pictures.

One piece of HTML with its data inside. Plotly's script draws it, from a file beside the page, so
that nothing is loaded from a network.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from t2v.book.linked_maps_page import PAGE
from t2v.errors import InputError
from t2v.task import Task

# matplotlib's markers as plotly calls them
_SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
}


def four_pictures(task: Task) -> list[tuple[str, np.ndarray]]:
    """Four training images of a task, of as many of its classes as can be: class and picture."""
    train = task.train
    of_class = [np.flatnonzero(train.labels.numpy() == k) for k in range(task.num_classes)]
    turns = [(k, turn) for turn in range(4) for k in range(task.num_classes)]
    chosen = [(k, of_class[k][turn]) for k, turn in turns if turn < len(of_class[k])][:4]
    return [(task.classes[k], np.asarray(train.images[int(i)])) for k, i in chosen]


def linked_maps(
    panels: Mapping[str, np.ndarray],
    names: Sequence[str],
    groups: Sequence[str],
    styles: Mapping[str, tuple[str, str]],
    nearest: Mapping[str, np.ndarray],
    *,
    notes: Sequence[str] = (),
    pictures: Mapping[int, Sequence[tuple[str, np.ndarray]]] | None = None,
    credit: str = "",
    plotly: str = "../_static/plotly.min.js",
    pixels: int = 48,
) -> str:
    """Maps of the same tasks, linked: a task chosen in one is shown in all, with what is near it.

    Args:
        panels: title to points `[N, 2]`.
        names: N, of the tasks.
        groups: N, of the tasks; dots of one group share colour and marker.
        styles: colour and marker of each group, as `plots.group_styles` gives them.
        nearest: title of a panel to distances `[N, N]`; the three nearest tasks are named.
        notes: N lines shown with the tasks, such as numbers of images and classes.
        pictures: index of a task to up to four (caption, uint8 `[3, h, w]`); the others show none.
        credit: whose pictures they are, and under which licence.
        plotly: address of plotly's script, as seen from the page.
        pixels: longer side of a picture.

    Returns:
        HTML to be shown by a notebook.

    Raises:
        InputError: if panels, groups and names do not go together.
    """
    number = len(names)
    if len(groups) != number or any(np.shape(p) != (number, 2) for p in panels.values()):
        raise InputError(f"panels: expected [{number}, 2] each, and {number} groups, as are names")
    pool: dict[str, int] = {}  # tasks on the same images share their pictures
    shown = {
        task: [[caption, pool.setdefault(_data(image, pixels), len(pool))] for caption, image in of]
        for task, of in (pictures or {}).items()
    }
    data = {
        "panels": [
            {"title": title, "points": np.round(p, 2).tolist()} for title, p in panels.items()
        ],
        "names": list(names),
        "groups": list(groups),
        "styles": {g: [colour, _SYMBOLS[marker]] for g, (colour, marker) in styles.items()},
        "nearest": {title: _three_nearest(d) for title, d in nearest.items()},
        "notes": list(notes) or [""] * number,
        "pictures": shown,
        "pool": list(pool),
        "credit": credit,
    }
    text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    return PAGE.replace("__PLOTLY__", plotly).replace("__DATA__", text)


def _three_nearest(distance: np.ndarray) -> list[list[list[float]]]:
    distance = np.array(distance, dtype=float)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :3]
    return [[[int(j), round(float(distance[i, j]), 4)] for j in row] for i, row in enumerate(order)]


def _data(image: np.ndarray, pixels: int) -> str:
    """A picture as an address that holds it."""
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    if max(picture.size) > pixels:
        picture.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    picture.save(kept, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(kept.getvalue()).decode()
