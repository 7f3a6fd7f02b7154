"""The style of all figures: page width, at least 9 pt, colours, and the three kinds of number.

The colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; groups
differ by marker as well. Figures are drawn on a light card, which the book also puts under them in
dark mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.colors import to_hex, to_rgb
from matplotlib.rcsetup import cycler

from t2v.errors import InputError

PAGE_WIDTH = 7.2  # inches
CARD = "#ffffff"
INK = "#1f2328"
QUIET = "#6b7280"
OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#555555")
BLUE, ORANGE, GREEN, RED, PINK, SKY, GREY = OKABE_ITO
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# kind of number: colour, edge (for contrast on the card), marker, label
_KINDS = {
    "paper": ("#000000", "#000000", "D", "the paper's"),
    "photographs": ("#0072b2", "#00456b", "o", "ours, on photographs"),
    "synthetic": ("#e69f00", "#7a5200", "s", "ours, on the synthetic library"),
}


def use_style() -> None:
    """Set matplotlib to the style of the book, once at the top of a chapter."""
    mpl.rcParams.update(
        {
            "figure.figsize": (PAGE_WIDTH, 4.2),
            "figure.dpi": 144,
            "figure.facecolor": CARD,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": CARD,
            "savefig.dpi": 144,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 8,
            "axes.labelsize": 10,
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "axes.prop_cycle": cycler(color=OKABE_ITO),
            "text.color": INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": "#e5e7eb",
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "image.cmap": "viridis",
            "svg.hashsalt": "t2v",
        }
    )


def number_kind(kind: str, *, line: bool = False) -> dict[str, Any]:
    """Keyword arguments for `Axes.plot` that show which kind of number is drawn.

    Args:
        kind: "paper" (black diamonds), "photographs" (blue circles) or "synthetic" (orange
            squares).
        line: whether a line connects the points.

    Raises:
        InputError: for another kind.
    """
    if kind not in _KINDS:
        raise InputError(f"kind of number {kind!r}: one of {', '.join(_KINDS)}")
    colour, edge, marker, label = _KINDS[kind]
    return {
        "color": colour,
        "marker": marker,
        "markeredgecolor": edge,
        "markersize": 6,
        "linestyle": "-" if line else "none",
        "label": label,
    }


def pool_looks(pools: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Keyword arguments for `Axes.plot` that tell up to three pools of experts apart.

    They go on top of those of `number_kind`: filled, white, and grey marks.
    """
    faces: tuple[dict[str, Any], ...] = ({}, {"markerfacecolor": CARD, "linestyle": "--"},
             {"markerfacecolor": "#c4c9d0", "linestyle": ":"})  # fmt: skip
    return dict(zip(dict.fromkeys(pools), faces, strict=False))


def group_styles(groups: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each group, in order of first appearance.

    The seven colours come first; further groups take darker, then lighter shades and other markers.
    """
    styles = {}
    for i, group in enumerate(dict.fromkeys(groups)):
        base = np.array(to_rgb(OKABE_ITO[i % 7]))
        cycle = i // 7
        shade = [base, 0.6 * base, 0.6 * base + 0.4][cycle % 3]
        styles[group] = (to_hex(tuple(shade)), MARKERS[(i + 3 * cycle) % 7])
    return styles


def halo(text: mpl.text.Annotation) -> mpl.text.Annotation:
    """Outline a text in the colour of the card, so that it can be read on top of dots."""
    text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground=CARD)])
    return text


def readable(colour: str) -> str:
    """A shade of the colour in which 9 pt text can be read on the card (4.5:1)."""
    rgb = np.array(to_rgb(colour))
    while contrast(to_hex(tuple(rgb)), CARD) < 4.5:
        rgb = 0.92 * rgb
    return to_hex(tuple(rgb))


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21, as in the Web Content Accessibility Guidelines 2.1."""
    luminances = []
    for colour in (one, other):
        c = np.array(to_rgb(colour))
        c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        luminances.append(float(c @ [0.2126, 0.7152, 0.0722]))
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)
