"""Measures of the scorecard: from the tables of one folder, a number with its interval and a bound.

The first are made for the tables that the chapters write, the last for those of several worlds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from t2v.book import tables
from t2v.evaluation import (
    Estimate,
    bootstrap,
    mean_interval,
    paired_test,
)

NATURE = ("cub", "phylogeny", "living things")
"""Parts of the libraries with tasks of living things; of a table, the first that is in it.

In the library ``open`` they are spread over several data sets, so they have rows of their own.
"""

GARMENTS = ("fashion", "wardrobe", "same images")
"""Parts of the libraries with several tasks on the same images; of a table, the first in it."""

_INTERVAL = re.compile(r"([-+]?[\d.]+) \[([-+]?[\d.]+), ([-+]?[\d.]+)\]")


class NotRun(Exception):
    """A table, or what a claim needs of it, is not there."""


@dataclass(frozen=True)
class Tables:
    """The tables of a folder.

    Attributes:
        folder: folder of `.csv` files with their sidecars.
    """

    folder: Path

    def __call__(self, name: str, *columns: str) -> pd.DataFrame:
        """A table, checked against its sidecar.

        Args:
            name: name without suffix.
            *columns: columns that are needed.

        Raises:
            NotRun: if there is no such table, or one of an older form without these columns.
        """
        path = self.folder / f"{name}.csv"
        if not path.exists():
            raise NotRun(f"no table {name}")
        frame = tables.read(path)
        if missing := [column for column in columns if column not in frame]:
            raise NotRun(f"table {name} has no {', '.join(missing)}")
        return frame


@dataclass(frozen=True)
class Finding:
    """A measured number with its interval, and the bound that it is compared with.

    Attributes:
        estimate: number and interval.
        bound: bound, in the same unit.
        form: format of the number with its unit, if not that of its claim.
    """

    estimate: Estimate
    bound: float = 0.0
    form: str = ""


Measure = Callable[[Tables], Finding]


# ---- tables of chapters ----------------------------------------------------------


def row_of(frame: pd.DataFrame, **values: object) -> pd.Series:
    """The first row with the given values in these columns; `NotRun` if there is none."""
    for column, value in values.items():
        frame = frame[frame[column] == value]
    if frame.empty:
        raise NotRun(f"no row with {values}")
    return frame.iloc[0]


def _interval(row: pd.Series, names: tuple[str, str, str], factor: float = 1.0) -> Estimate:
    return Estimate(*(factor * float(row[name]) for name in names))


def _first(part_of: tuple[str, ...], known: set[str]) -> str:
    for name in part_of:
        if name in known:
            return name
    raise NotRun(f"no tasks of {', '.join(part_of)}")


def same_group(parts: tuple[str, ...], better_than_domain: bool) -> Measure:
    """Tasks whose nearest is of their group, in %; bound: chance, or what domain embeddings reach.

    Of tasks of the open library on the same images, the nearest should be the one whose answers are
    most alike.

    Args:
        parts: parts of libraries, of which the first in the table is taken.
        better_than_domain: whether the domain embedding sets the bound, where it exceeds chance.
    """

    def measure(t: Tables) -> Finding:
        frame = t("map_rates")
        question_of = {question.split(":")[0]: question for question in frame.question}
        question = question_of[_first(parts, set(question_of))]
        row = row_of(frame, question=question, embedding="task")
        domain = row_of(frame, question=question, embedding="domain").rate
        bound = max(row.chance, domain) if better_than_domain else row.chance
        return Finding(_interval(row, ("rate", "low", "high"), 100), 100 * bound)

    return measure


def nearest_in_tree(t: Tables) -> Finding:
    """Taxonomic distance of the nearest task in levels; bound: that of a task at random."""
    row = row_of(t("taxonomic_curve"), k=1)
    return Finding(_interval(row, ("mean", "low", "high")), float(row.chance))


def norm_and_error(t: Tables) -> Finding:
    """Rank correlation of norm and error over the tasks of living things."""
    frame = t("norm_correlations")
    within = _first(NATURE, set(frame.within))
    row = row_of(frame, within=within, against="error")
    return Finding(_interval(row, ("spearman", "low", "high")))


def least_norm_and_error(t: Tables) -> Finding:
    """The same within the data set where it is lowest."""
    frame = t("norm_correlations")
    over_several = ("everything", "living things")
    frame = frame[(frame.against == "error") & ~frame.within.isin(over_several)]
    row = frame.loc[frame.spearman.idxmin()]
    return Finding(_interval(row, ("spearman", "low", "high")))


def generic_beaten(t: Tables) -> Finding:
    """Tasks on which an expert, not the task's own, errs less than the generic network, in %."""
    frame = t("error_matrix")
    generic = frame[frame.expert == "generic"].set_index("task").error
    experts = frame[~frame.expert.isin(["generic", "HOG"]) & ~frame.own]
    best = experts.groupby("task").error.min()
    beaten = best < generic.loc[best.index]
    return Finding(Estimate(*(100 * v for v in bootstrap(beaten.to_numpy(float)))), 50.0)


def gain_beyond_luck(t: Tables) -> Finding:
    """Points of error that the best expert gains on the generic network; bound: what luck gives."""
    frame = t("matrix_gains")
    row = frame[frame.tasks == "all"].iloc[0]  # the first pool is the widest
    return Finding(_parsed(row.gain), float(row.luck))


def beaten_beyond_luck(t: Tables) -> Finding:
    """Tasks on which some expert beats the generic network at the level of 5%, in %.

    The bound is a third, which was set before anything was measured.
    """
    frame = t("matrix_worth", "p")
    frame = frame[frame.pool == frame.pool.iloc[0]]
    beyond = (frame.p <= 0.05).to_numpy(float)
    return Finding(Estimate(*(100 * v for v in bootstrap(beyond))), 100 / 3)


def best_picked(t: Tables) -> Finding:
    """Tasks of living things whose pick is the best eligible expert, in %."""
    frame = t("selection_tasks")
    frame = frame[frame.meta_task == "living"]
    right = (frame.picked_error <= frame.best_error).to_numpy(float)
    return Finding(Estimate(*(100 * v for v in bootstrap(right))), 50.0)


def with_most_images(way: str) -> Measure:
    """Pick less generic network with most training images, in points over brute force.

    The two are measured on the same draws; taken as independent, the interval is rather too wide.

    Args:
        way: "fixed" or "fine-tuned".
    """

    def measure(t: Tables) -> Finding:
        frame = t("figure_4_curves")
        frame = frame[frame.images == frame[frame.way == f"Task2Vec {way}"].images.max()]
        pick, generic = (row_of(frame, way=f"{who} {way}") for who in ("Task2Vec", "generic"))
        value = pick["mean"] - generic["mean"]
        half = np.hypot(*((row.high - row.low) / 2 for row in (pick, generic)))
        return Finding(Estimate(float(value), float(value - half), float(value + half)))

    return measure


def worst_probe(t: Tables) -> Finding:
    """Error increase of the probe that recommends worst, less that of the reference, in points."""
    frame = t("choice_of_probe")
    frame = frame[frame["meta-task"] == "living"]
    [column] = [column for column in frame if column.startswith("minus ")]
    found = [_parsed(text) for text in frame[column].dropna() if _INTERVAL.match(str(text))]
    if not found:
        raise NotRun("no other probe")
    return Finding(max(found, key=lambda estimate: estimate.value))


def over_rule(
    meta_task: str, strategy: str, other: str, *, overlap: bool = True, turned: bool = False
) -> Measure:
    """Error increase of a strategy less that of `other` on the same tasks, in points.

    Args:
        meta_task: "living" or "mixed".
        strategy: name of the strategy.
        other: "generic", "blind" or "asymmetric".
        overlap: whether experts are eligible that know a class of the task.
        turned: whether the difference is that of `other` less the strategy.
    """
    names = f"minus_{other}", f"minus_{other}_low", f"minus_{other}_high"

    def measure(t: Tables) -> Finding:
        frame = t("selection_strategies", *names)
        row = row_of(frame, meta_task=meta_task, overlap=overlap, strategy=strategy)
        value, low, high = _interval(row, names, 100)
        return Finding(Estimate(-value, -high, -low) if turned else Estimate(value, low, high))

    return measure


def over_chance(meta_task: str) -> Measure:
    """Error increase of the asymmetric distance less that of chance, in points."""

    def measure(t: Tables) -> Finding:
        frame = t("selection_tasks")
        frame = frame[frame.meta_task == meta_task]
        if frame.empty:
            raise NotRun(f"no meta-task {meta_task}")
        return Finding(paired_test(frame.asymmetric, frame.chance).difference)

    return measure


def over_symmetric(column: str) -> Measure:
    """Error increase of the asymmetric distance less that of the symmetric one, in points.

    Args:
        column: column of the meta-task in the table of chapter 12.
    """

    def measure(t: Tables) -> Finding:
        frame = t("distance_pairs_shown", column)
        return Finding(_parsed(row_of(frame, distance="asymmetric")[column]))

    return measure


def boundary_and_norm(t: Tables) -> Finding:
    """Rank correlation of the norm and the length of the class boundary in the toy."""
    what = "size and length of the boundary"
    row = row_of(t("toy"), features="ReLU features", what=what)
    return Finding(_interval(row, ("mean", "low", "high")))


def _parsed(text: str) -> Estimate:
    match = _INTERVAL.match(str(text))
    if match is None:
        raise NotRun(f"no interval in {text!r}")
    return Estimate(*map(float, match.groups()))


# ---- measures on the tables of several worlds ----------------------------------------------------


def level(claim: str, bound: float | None = None, factor: float = 1, form: str = "") -> Measure:
    """Mean over worlds of one of the claims about embeddings.

    Args:
        claim: its name in the table `claims`.
        bound: what it must exceed; `None`: the level that the table states.
        factor: what both are multiplied by: 100 for per cent.
        form: see `Finding`.
    """

    def measure(t: Tables) -> Finding:
        frame = t("claims")
        frame = frame[frame.claim == claim]
        if frame.seed.nunique() < 2:
            raise NotRun("an interval needs two worlds")
        least = float(frame.level.iloc[0]) if bound is None else bound
        return Finding(mean_interval(factor * frame.value), factor * least, form)

    return measure


def least_level(*claims: str) -> Measure:
    """The lowest of several such means; each must exceed 0."""

    def measure(t: Tables) -> Finding:
        found = [level(claim, 0.0)(t) for claim in claims]
        return min(found, key=lambda finding: finding.estimate.value)

    return measure


def by_world(meta_task: str, one: str, other: str, *, overlap: bool = True) -> Measure:
    """Error increase of one strategy less that of another, in points: mean over worlds.

    Args:
        meta_task: "living" or "mixed".
        one: name of the strategy.
        other: name of the strategy or baseline it is compared with.
        overlap: whether experts are eligible that know a class of the task.
    """

    def measure(t: Tables) -> Finding:
        frame = t("selection")
        frame = frame[(frame.meta_task == meta_task) & (frame.overlap == overlap)]
        increase = frame.pivot(index="seed", columns="strategy", values="increase")
        if missing := [name for name in (one, other) if name not in increase]:
            raise NotRun(f"no strategy {', '.join(missing)}")
        difference = 100 * (increase[one] - increase[other]).dropna()
        if len(difference) < 2:
            raise NotRun("an interval needs two worlds")
        return Finding(mean_interval(difference))

    return measure


def share_by_world(column: str, strategy: str) -> Measure:
    """Mean over worlds of a share of the tasks of living things, in %; bound: half of them."""

    def measure(t: Tables) -> Finding:
        frame = t("selection", column)
        chosen = (frame.meta_task == "living") & frame.overlap & (frame.strategy == strategy)
        if chosen.sum() < 2:
            raise NotRun("an interval needs two worlds")
        return Finding(mean_interval(100 * frame[chosen][column]), 50.0)

    return measure
