"""Maps of tasks as a still vector graphic, for print and for readers without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

# matplotlib's markers as paths in a box of 12 by 12
MARKERS = {
    "o": "M6 1a5 5 0 1 0 .01 0z",
    "s": "M1.5 1.5h9v9h-9z",
    "D": "M6 0l6 6-6 6-6-6z",
    "^": "M6 1l5.5 10h-11z",
    "v": "M6 11l5.5-10h-11z",
    "P": "M4 0h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "X": "M2 0l4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4-4-4z",
}

_SIZE = np.array([350.0, 290.0])  # of a map, in the units of its graphic: CSS pixels at full size
_MARGIN = np.array([12.0, 24.0])
_TEXT = np.array([6.4, 14.0])  # a letter of the labels: mean width and height


def still_map(
    title: str,
    points: np.ndarray,
    groups: Sequence[str],
    styles: Mapping[str, tuple[str, str]],
    areas: Sequence[str],
) -> str:
    """One map as SVG: a marker for each task, and the names of areas where there is room.

    Args:
        title: text above the map.
        points: places `[N, 2]` in 0..1, y downwards.
        groups: N names; dots of one group share colour and marker.
        styles: colour and marker of each group.
        areas: N names, written once each beside the dots that share it.
    """
    places = _MARGIN + points * (_SIZE - 2 * _MARGIN)
    marks = []
    for (x, y), group in zip(places, groups, strict=True):
        colour, marker = styles[group]
        marks.append(
            f'<path fill="{escape(colour)}" style="--colour:{escape(colour)}" '
            f'transform="translate({x - 5:.1f} {y - 5:.1f}) scale(.83)" d="{MARKERS[marker]}"/>'
        )
    texts = [
        f'<text x="{x:.1f}" y="{y + 4:.1f}">{escape(area)}</text>'
        for area, (x, y) in label_places(places, areas).items()
    ]
    width, height = _SIZE
    return (
        f'<svg viewBox="0 -22 {width:.0f} {height + 22:.0f}" role="img" font-size="12"'
        f' text-anchor="middle" fill="currentColor" aria-label="{escape(title)}">'
        f'<text class="title" x="4" y="-6" font-size="14" text-anchor="start">{escape(title)}'
        f"</text>{''.join(marks)}{''.join(texts)}</svg>"
    )


def label_places(places: np.ndarray, areas: Sequence[str]) -> dict[str, np.ndarray]:
    """Middles of the labels of areas, in the units of `places`, without those that would overlap.

    Args:
        places: dots `[N, 2]` on the map.
        areas: N names; those with more dots are placed first.
    """
    of_area: dict[str, list[int]] = {}
    for i, area in enumerate(areas):
        of_area.setdefault(area, []).append(i)
    placed: dict[str, np.ndarray] = {}
    boxes: list[tuple[np.ndarray, np.ndarray]] = []
    for area, members in sorted(of_area.items(), key=lambda item: -len(item[1])):
        x, y = places[members].T
        reach = _TEXT * (len(area), 1) / 2
        for middle in ([np.median(x), y.min() - 14], [np.median(x), y.max() + 14]):
            middle = np.clip(middle, reach, np.maximum(reach, _SIZE - reach))
            if all((np.abs(middle - at) > reach + half).any() for at, half in boxes):
                placed[area] = middle
                boxes.append((middle, reach))
                break
    return placed
