"""The interactive map: two maps of the same tasks, a switch between them, a card for each task.

`maps.js` and `maps.css` in `book/_static` draw it from the data in the fragment. Without a script,
and in print, the fragment is a still picture of both maps. Nothing is loaded from a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components

from t2v._run.files import replacing
from t2v.book.plots import group_styles
from t2v.book.sprites import Strip, pack
from t2v.book.still_maps import MARKERS, still_map
from t2v.errors import InputError

_FRAGMENT = """<div class="t2v-map">
<link rel="stylesheet" href="{static}/maps.css">
<div class="still">{still}</div>
<div class="live" hidden>
<div class="bar">
<div class="switch" role="group" aria-label="Place the tasks">{buttons}</div>
<input type="search" placeholder="find a task" aria-label="Find a task by name or group"
 autocomplete="off" spellcheck="false">
</div>
<div class="plane" role="group" aria-label="Map of {number} tasks. Arrow keys go from task to task,
 Enter pins one, Escape releases it."><svg class="lines" aria-hidden="true"></svg></div>
<p class="note"></p>
<div class="told" aria-live="polite"></div>
</div>
<ul class="key">{key}</ul>
<script type="application/json">{data}</script>
</div>
<script src="{static}/maps.js"></script>
"""


@dataclass(frozen=True)
class Layout:
    """One of the two maps.

    Attributes:
        label: text of its button, such as "by what is asked".
        points: places `[N, 2]` of the tasks, such as those of a t-SNE.
        distance: distances `[N, N]`, from which the nearest tasks are taken.
        areas: N names that are written on the map, each beside the dots that share it; default:
            the groups.
        note: sentence that is shown with this map.
    """

    label: str
    points: np.ndarray
    distance: np.ndarray
    areas: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True)
class MapSwitch:
    """An interactive map as a fragment of HTML, which a cell of a chapter shows.

    Attributes:
        html: the fragment.
    """

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def write(self, path: str | Path) -> Path:
        """Write the fragment for a page on which no code runs; returns its path."""
        with replacing(Path(path)) as draft:
            draft.write_text(self.html, encoding="utf-8")
        return Path(path)


def map_switch(
    names: Sequence[str],
    groups: Sequence[str],
    layouts: Sequence[Layout],
    *,
    styles: Mapping[str, tuple[str, str]] | None = None,
    norms: Sequence[float] | np.ndarray | None = None,
    strips: Mapping[int, Strip] | None = None,
    notes: Sequence[str] = (),
    credits: Sequence[str] = (),
    links: Sequence[str] = (),
    one_spot: float = 1e-6,
    pixels: int = 48,
    static: str = "../_static",
) -> MapSwitch:
    """Two maps of the same tasks in one place, with a switch, a search, and a card for each task.

    Args:
        names: N names of tasks.
        groups: N names of groups; dots of one group share colour and marker.
        layouts: the two maps.
        styles: colour and marker of each group; default: `plots.group_styles(groups)`.
        norms: N positive numbers; the area of a dot grows with them. Default: dots of one size.
        strips: index of a task to a few of its images; the first of them is its dot.
        notes: N lines of the cards, such as numbers of images and classes.
        credits: N lines: who made the images, and their licence.
        links: N addresses of the credits; "" for none.
        one_spot: distance up to which tasks are drawn on one spot, since no map of these distances
            can tell them apart.
        pixels: side of an image.
        static: address of the folder with the scripts, relative to the page.

    Raises:
        InputError: if lengths differ, a group has no style, a norm is not positive, or a link is
            no web address.
    """
    number = len(names)
    of_tasks = {"groups": groups, "notes": notes, "credits": credits, "links": links}
    for what, values in (of_tasks | {"norms": () if norms is None else norms}).items():
        if len(values) not in ((number,) if what == "groups" else (0, number)):
            raise InputError(f"{what}: expected {number}, as there are names, got {len(values)}")
    if len(layouts) != 2:
        raise InputError(f"layouts: the switch is between two maps, got {len(layouts)}")
    for link in links:
        if link and not re.match(r"https?://\S+$|[\w./#-]+$", link):
            raise InputError(f"link {link!r}: expected an address with http or https, or a path")
    styles = dict(styles or group_styles(groups))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    for group in numbers:
        if group not in styles or styles[group][1] not in MARKERS:
            raise InputError(f"group {group!r}: expected a colour and a marker of {[*MARKERS]}")
    of_groups = [(g, styles[g][0], MARKERS[styles[g][1]]) for g in numbers]
    maps = [_map(layout, groups, one_spot) for layout in layouts]
    credit_of = list(zip(credits, links or [""] * number, strict=True)) if credits else []
    distinct = list(dict.fromkeys(credit_of))
    sprite = pack(strips, pixels) if strips else None
    data = {
        "names": list(names),
        "groups": of_groups,
        "group": [numbers[g] for g in groups],
        "sizes": _sizes(number, norms),
        "notes": list(notes),
        "credits": distinct,
        "credit": [distinct.index(c) for c in credit_of],
        "maps": maps,
        "sprite": sprite and sprite.address,
        "columns": sprite and sprite.columns,
        "tiles": sprite.tiles if sprite else {},
        "faces": sprite.faces if sprite else {},
    }
    still = "".join(
        still_map(m["label"], np.array(m["points"]), groups, styles, m["areas"]) for m in maps
    )
    key = "".join(
        f'<li><svg viewBox="0 0 12 12" width="11" height="11"><path fill="{escape(colour)}" '
        f'style="--colour:{escape(colour)}" d="{path}"/></svg>{escape(g)}</li>'
        for g, colour, path in of_groups
    )
    buttons = "".join(f'<button type="button">{escape(m["label"])}</button>' for m in maps)
    # no name may open or close a tag within the script
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    html = _FRAGMENT.format(
        static=escape(static), still=still, buttons=buttons, number=number, key=key, data=text
    )
    return MapSwitch(html)


def _map(layout: Layout, groups: Sequence[str], one_spot: float) -> dict:
    """One map as the script reads it."""
    number = len(groups)
    points, distance = np.array(layout.points, float), np.array(layout.distance, float)
    areas = list(layout.areas) or list(groups)
    if points.shape != (number, 2) or distance.shape != (number, number) or len(areas) != number:
        raise InputError(
            f"map {layout.label!r}: expected points [{number}, 2], distances [{number}, {number}] "
            f"and {number} areas, got {points.shape}, {distance.shape} and {len(areas)}"
        )
    _, spot = connected_components(distance <= one_spot, directed=False)
    for s in np.flatnonzero(np.bincount(spot) > 1):
        points[spot == s] = np.median(points[spot == s], axis=0)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :3]
    return {
        "label": layout.label,
        "note": layout.note,
        "points": _in_unit_square(points).round(4).tolist(),
        "areas": areas,
        "same": (np.bincount(spot)[spot] - 1).tolist(),  # tasks on the same spot
        "near": [
            [[int(j), round(float(distance[i, j]), 4)] for j in row if j != i]
            for i, row in enumerate(nearest)
        ],
    }


def _in_unit_square(points: np.ndarray) -> np.ndarray:
    """Places in 0..1, y downwards; what lies far outside is pulled in to leave room."""
    low, high = np.percentile(points, [2, 98], axis=0)
    points = np.clip(points, low - 0.15 * (high - low), high + 0.15 * (high - low))
    span = np.ptp(points, axis=0)
    points = np.where(span > 0, (points - points.min(axis=0)) / np.where(span > 0, span, 1), 0.5)
    return points * (1, -1) + (0, 1)


def _sizes(number: int, norms: Sequence[float] | np.ndarray | None) -> list[float]:
    """Diameters of the dots, 1 for the median norm."""
    if norms is None:
        return [1.0] * number
    norms = np.asarray(norms, float)
    if not (np.isfinite(norms) & (norms > 0)).all():
        raise InputError("norms: expected finite, positive numbers")
    return np.sqrt(norms / np.median(norms)).clip(0.7, 1.4).round(2).tolist()
