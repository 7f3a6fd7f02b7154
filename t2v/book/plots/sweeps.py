"""Sweeps of the weight α, by form of the trivial embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2v.book.plots.style import INK, MARKERS, OKABE_ITO, PAGE_WIDTH, QUIET, readable

POOLS = {True: "all experts but its own", False: "no class in common"}
_DASHES = ("--", ":", "-.")


def alpha_sweeps(frame: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """The cost of a choice against α, one line for each form, a panel for each meta-task.

    Args:
        frame: `sweep` or `over_worlds` of `t2v.book.trivial_forms`; rows without α are drawn as
            horizontal lines.
        titles: name of a meta-task to its title.
    """
    names, pools = list(dict.fromkeys(frame.meta_task)), list(dict.fromkeys(frame.overlap))
    figure, axes = plt.subplots(
        len(pools), len(names), figsize=(PAGE_WIDTH, 0.7 + 2.6 * len(pools)), squeeze=False,
        sharex=True,
    )  # fmt: skip
    for row, overlap in zip(axes, pools, strict=True):
        for ax, name in zip(row, names, strict=True):
            part = frame[(frame.meta_task == name) & (frame.overlap == overlap)]
            if len(part):
                _sweep_panel(ax, part)
            ax.set_title(f"{titles.get(name, name)},\n{POOLS[bool(overlap)]}", fontsize=9)
        row[0].set_ylabel("relative error\nincrease (%)")
    for ax in axes[-1]:
        ax.set_xlabel("weight α of the second term")
    legend_below(figure)
    return figure


def _sweep_panel(ax: Axes, part: pd.DataFrame) -> None:
    lines = part[part.alpha.notna()]
    alphas = sorted(lines.alpha.unique())
    forms = list(dict.fromkeys(lines.form))
    for number, form in enumerate(forms):
        rows = lines[lines.form == form].sort_values("alpha")
        shift = 0.12 * (number - (len(forms) - 1) / 2)
        x = np.searchsorted(alphas, rows.alpha) + shift
        colour = OKABE_ITO[number % 7]
        look: dict[str, Any] = {
            "color": colour,
            "marker": MARKERS[number % 7],
            "mec": readable(colour),
        }
        ax.vlines(x, 100 * rows.low, 100 * rows.high, color=colour, lw=1, alpha=0.5)
        ax.plot(x, 100 * rows.increase, ms=4.5, lw=1.3, label=form, **look)
    for (form, rows), dash in zip(part[part.alpha.isna()].groupby("form", sort=False), _DASHES,
                                  strict=False):  # fmt: skip
        colour = INK if form == "generic" else QUIET
        ax.axhline(100 * rows.increase.iloc[0], color=colour, ls=dash, lw=1.1, label=form, zorder=0)
    ax.set_xticks(range(len(alphas)), [f"{a:g}".replace("0.", ".") for a in alphas])
    shown = 100 * part.increase[part.alpha.notna() | (part.form == "generic")]
    # wide intervals and baselines far above the forms may leave the panel
    ax.set_ylim(min(0, 1.2 * shown.min()), 1.3 * max(shown.max(), 1.0))


def legend_below(figure: Figure) -> None:
    """One legend below a figure for all its panels, each label once."""
    key: dict[str, Artist] = {}
    for ax in figure.axes:
        handles, labels = ax.get_legend_handles_labels()
        key |= dict(zip(labels, handles, strict=True))
    figure.legend(list(key.values()), list(key), loc="outside lower left", ncols=4)
