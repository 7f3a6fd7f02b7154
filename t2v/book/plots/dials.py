"""What the nearest expert costs as a prior grows, or with a part of the probe only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from t2v.book.plots.style import BLUE, GREEN, PAGE_WIDTH, QUIET, RED, number_kind
from t2v.evaluation import bootstrap

LINES = (("-", GREEN), ("--", RED), (":", BLUE))


def prior_figure(
    increases: Mapping[tuple[str, float, float], np.ndarray],
    generic: Mapping[str, float],
    titles: Mapping[str, str],
    **resampling: Any,
) -> Figure:
    """The cost of a choice against the prior, a line for each α, the first with its interval.

    Args:
        increases: meta-task, α and prior to the increases by task, in % `[T]`.
        generic: meta-task to the mean increase of the generic network, in %.
        titles: titles of the meta-tasks, of which there is a panel each.
        **resampling: keyword arguments of `bootstrap`.
    """
    weights = sorted({alpha for _, alpha, _ in increases})
    priors = sorted({prior for _, _, prior in increases})
    figure, axes = plt.subplots(1, len(titles), figsize=(PAGE_WIDTH, 3.6), squeeze=False)
    x = np.arange(len(priors))
    for ax, (name, title) in zip(axes[0], titles.items(), strict=True):
        for alpha, (line, colour) in zip(weights, LINES, strict=False):
            ends = np.array([bootstrap(increases[name, alpha, p], **resampling) for p in priors])
            if alpha == weights[0]:
                ax.fill_between(x, ends[:, 1], ends[:, 2], color=colour, alpha=0.15, lw=0)
            ax.plot(x, ends[:, 0], ls=line, color=colour, marker="o", ms=4, label=f"α = {alpha:g}")
        ax.axhline(generic[name], color=QUIET, ls="--", lw=1, label="generic network")
        ax.set_xticks(x, [f"{prior:g}" for prior in priors])
        ax.set(title=title, xlabel="prior (multiples of the layer's mean)", ylim=(0, None))
    axes[0, 0].set_ylabel("relative error increase (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def stages_figure(
    increases: Mapping[tuple[str, str, float], np.ndarray],
    generic: Mapping[str, float],
    titles: Mapping[str, str],
    stages: Sequence[str],
    kind: str,
    **resampling: Any,
) -> Figure:
    """The cost of a choice by the filters of one stage, without a prior (white) and with it.

    Args:
        increases: meta-task, stage and prior to the increases by task, in % `[T]`; two priors, of
            which the first is 0.
        generic: meta-task to the mean increase of the generic network, in %.
        titles: titles of the meta-tasks, of which there is a panel each.
        stages: names of the stages, in order.
        kind: kind of number.
        **resampling: keyword arguments of `bootstrap`.
    """
    priors = sorted({prior for _, _, prior in increases})
    figure, axes = plt.subplots(1, len(titles), figsize=(PAGE_WIDTH, 3.6), squeeze=False)
    for ax, (name, title) in zip(axes[0], titles.items(), strict=True):
        for number, prior in enumerate(priors):
            hollow = {} if prior else {"markerfacecolor": "white"}
            look = number_kind(kind) | hollow | {"label": f"prior {prior:g}"}
            at = np.arange(len(stages)) + 0.24 * number - 0.12
            ends = np.array([bootstrap(increases[name, s, prior], **resampling) for s in stages])
            ax.vlines(at, ends[:, 1], ends[:, 2], color=look["color"], lw=4, alpha=0.35)
            ax.plot(at, ends[:, 0], **look)
        ax.axhline(generic[name], color=QUIET, ls="--", lw=1, label="generic network")
        ax.set_xticks(range(len(stages)), stages, rotation=60, ha="right", rotation_mode="anchor")
        ax.set(title=title, ylim=(0, None), xlabel="filters that are compared")
    axes[0, 0].set_ylabel("relative error increase (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
