"""The interactive map of tasks: linked maps, and for each task its neighbours and images.

`maps.js` and `maps.css` in `book/_static` draw the page and plotly its dots. All data are in the
page and all scripts beside it, so that nothing is loaded from a network.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from t2v.errors import InputError
from t2v.task import Task

_PAGE = """<div class="t2v-maps">
<link rel="stylesheet" href="{static}/maps.css">
<div class="panels">The maps are drawn in the built book: make book, then make serve.</div>
<div class="key" aria-hidden="true"></div>
<label>Task <select aria-label="Choose a task"></select></label>
<div class="details" aria-live="polite"><div class="words"></div><div class="images"></div></div>
<p class="credit"></p>
<noscript>The interactive map needs JavaScript; the figure above shows the same points.</noscript>
<script type="application/json">{data}</script>
</div>
<script src="{static}/plotly.min.js"></script>
<script src="{static}/maps.js"></script>
"""


def four_images(task: Task) -> list[tuple[str, np.ndarray]]:
    """Up to four training images from as many classes as possible: name and uint8 `[3, h, w]`."""
    train = task.train
    of_class = [np.flatnonzero(train.labels.numpy() == k) for k in range(task.num_classes)]
    places = [(k, place) for place in range(4) for k in range(task.num_classes)]
    chosen = [(k, of_class[k][place]) for k, place in places if place < len(of_class[k])][:4]
    return [(task.classes[k], np.asarray(train.images[int(i)])) for k, i in chosen]


def linked_maps(
    panels: Mapping[str, np.ndarray],
    names: Sequence[str],
    groups: Sequence[str],
    styles: Mapping[str, tuple[str, str]],
    nearest: Mapping[str, np.ndarray],
    *,
    notes: Sequence[str] = (),
    images: Mapping[int, Sequence[tuple[str, np.ndarray]]] | None = None,
    credit: str = "",
    static: str = "../_static",
    pixels: int = 48,
) -> str:
    """Linked maps of the same tasks: a chosen task is marked in all maps, with its neighbours.

    Args:
        panels: title to points `[N, 2]`.
        names: N names of tasks.
        groups: N names of groups; dots of one group share colour and marker.
        styles: colour and marker of each group, from `plots.group_styles`.
        nearest: title of a panel to distances `[N, N]`; the three nearest tasks are named.
        notes: N lines shown with the tasks, such as numbers of images and classes.
        images: index of a task to up to four pairs (caption, uint8 `[3, h, w]`); tasks that are
            missing show none.
        credit: origin and licence of the images.
        static: address of the folder with the scripts, relative to the page.
        pixels: longer side of an image on the page.

    Returns:
        HTML for a cell's output.

    Raises:
        InputError: if the lengths of panels, groups and names differ.
    """
    number = len(names)
    if len(groups) != number or any(np.shape(p) != (number, 2) for p in panels.values()):
        raise InputError(f"panels: expected [{number}, 2] each, and {number} groups, as are names")
    pool: dict[str, int] = {}  # tasks on the same images share them
    captions = {
        task: [[caption, pool.setdefault(_jpeg(image, pixels), len(pool))] for caption, image in of]
        for task, of in (images or {}).items()
    }
    data = {
        "panels": [
            {"title": title, "points": np.round(p, 2).tolist()} for title, p in panels.items()
        ],
        "names": list(names),
        "groups": list(groups),
        "styles": dict(styles),
        "nearest": {title: _three_nearest(d) for title, d in nearest.items()},
        "notes": list(notes) or [""] * number,
        "images": captions,
        "pool": list(pool),
        "credit": credit,
    }
    # no name may open or close a tag within the script
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return _PAGE.format(static=static, data=text)


def _three_nearest(distance: np.ndarray) -> list[list[list[float]]]:
    distance = np.array(distance, dtype=float)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :3]
    return [[[int(j), round(float(distance[i, j]), 4)] for j in row] for i, row in enumerate(order)]


def _jpeg(image: np.ndarray, pixels: int) -> str:
    """An image as a `data:` address."""
    small = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    if max(small.size) > pixels:
        small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
