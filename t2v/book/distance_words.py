"""Tables and sentences of the chapter on the choice of a distance, from the numbers of a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from t2v import distances
from t2v.book import differences, trivial_forms
from t2v.book.choosing_words import Titles, markdown
from t2v.evaluation import paired_test

Increases = Mapping[tuple[str, str], np.ndarray]
"""Name of the meta-task and of the distance, to relative error increases by task, ratios `[T]`."""


def against(increases: Increases, reference: str, **resampling: Any) -> pd.DataFrame:
    """Every distance against one of them, task by task.

    Args:
        increases: relative error increases by task.
        reference: name of the distance that is subtracted.
        **resampling: keyword arguments of `paired_test`.

    Returns:
        `meta_task`, `value` (the distance), `p` (paired permutation test), `minus`, `minus_low` and
        `minus_high`.
    """
    rows = []
    for (name, label), values in increases.items():
        test = paired_test(values, increases[name, reference], **resampling)
        ends = dict(zip(("minus", "minus_low", "minus_high"), test.difference, strict=True))
        rows.append({"meta_task": name, "value": label, "p": test.permutation_p} | ends)
    return pd.DataFrame(rows)


def pairs_shown(kinds: pd.DataFrame, reference: str, titles: Titles) -> pd.DataFrame:
    """The table `distance_pairs_shown`.

    Args:
        kinds: `against`.
        reference: the distance that is subtracted.
        titles: titles of the meta-tasks.
    """
    shown = pd.DataFrame({"distance": kinds.value.unique()})
    for name, part in kinds.groupby("meta_task", sort=False):
        shown[titles[str(name)]] = [
            "–" if row["value"] == reference else _pair(row) for row in part.to_dict("records")
        ]
    return shown


def _pair(row: Mapping[str, Any]) -> str:
    ends = [round(100 * row[k], 1) + 0.0 for k in ("minus", "minus_low", "minus_high")]  # no -0.0
    p = f"p {row['p']:.3f}" if row["p"] >= 0.001 else "p < 0.001"
    return "{:+.1f} [{:+.1f}, {:+.1f}], ".format(*ends) + p


def told_apart(kinds: pd.DataFrame, reference: str, titles: Titles) -> str:
    """The distances that are better or worse than the reference beyond all comparisons.

    Args:
        kinds: `against`.
        reference: the distance that is subtracted.
        titles: titles of the meta-tasks.
    """
    lines = []
    for name, part in kinds.groupby("meta_task", sort=False):
        rows = part[part.value != reference]
        certain = rows[rows.p < 0.05 / len(rows)]
        better = ", ".join(certain.value[certain.minus < 0]) or "none"
        worse = ", ".join(certain.value[certain.minus > 0]) or "none"
        lines.append(f"- *{titles[str(name)]}*: better than {reference}: {better}; worse: {worse}.")
    return (
        "With p-values held to 0.05 over all comparisons of a meta-task (Bonferroni):\n\n"
        + "\n".join(lines)
    )


def by_form(swept: pd.DataFrame, titles: Titles) -> str:
    """Increase without the second term of the asymmetric distance and with it, by form of t₀.

    Args:
        swept: `trivial_forms.sweep`.
        titles: titles of the meta-tasks.
    """
    pools = list(dict.fromkeys(zip(swept.meta_task, swept.overlap, strict=True)))
    keyed = (100 * swept.set_index(["form", "alpha", "meta_task", "overlap"]).increase).sort_index()
    rows = [
        [form, *(f"{keyed[(form, 0.0, *pool)]:+.0f} → {keyed[(form, distances.ALPHA, *pool)]:+.0f}"
                 for pool in pools)]
        for form in dict.fromkeys(swept.form[swept.alpha.notna()])
    ]  # fmt: skip
    return markdown(("form", *(pool_title(titles, *key) for key in pools)), rows)


def second_term(frame: pd.DataFrame, forms: Sequence[str], titles: Titles) -> str:
    """What the second term of the asymmetric distance is worth over several worlds, by form.

    Args:
        frame: kept table `trivial_forms`, of two worlds or more.
        forms: names of the forms.
        titles: titles of the meta-tasks.
    """
    columns = list(dict.fromkeys(zip(frame.meta_task, frame.overlap, strict=True)))
    rows = []
    for form in forms:
        of_form = frame.form == form
        one, zero = of_form & (frame.alpha == distances.ALPHA), of_form & (frame.alpha == 0)
        gaps = differences.over_worlds(frame, "increase", one, zero)
        said = {(row["meta_task"], row["overlap"]): _gap(row) for row in gaps.to_dict("records")}
        rows.append([form, *(said.get(key, "–") for key in columns)])
    return markdown(("form", *(pool_title(titles, *key) for key in columns)), rows)


def _gap(row: Mapping[str, Any]) -> str:
    ends = tuple(100 * row[key] for key in ("value", "low", "high"))
    return "{:+.1f} [{:+.1f}, {:+.1f}]: ".format(*ends) + differences.words(ends)


def default_form(dev: pd.DataFrame) -> str:
    """Which form the rule of `data_scripts.claims.trivial_forms` takes as the default.

    Args:
        dev: kept table `trivial_forms_dev`.
    """
    form, means = trivial_forms.default_form(dev, distances.ALPHA)
    numbers = (100 * means).round(1).astype(str)
    said = "; ".join(f"*{name}* {' and '.join(numbers[name])}%" for name in means)
    worlds = " and ".join(map(str, means.index))
    still = (
        ""
        if form == trivial_forms.OWN
        else f" The module's default is still *{trivial_forms.OWN}*, and all tables of this book "
        'were made with it; `task2vec(..., trivial="probe")` gives the paper\'s form.'
    )
    return (
        f"The rule for the default was stated before anything was run: at α = {distances.ALPHA}, "
        "another form must be better than *own* in every development world, with all meta-tasks "
        f"weighing the same. On worlds {worlds} the means are: {said}. So the rule "
        f"{'keeps' if form == trivial_forms.OWN else 'takes'} *{form}*.{still}"
    )


def scaled(frame: pd.DataFrame, titles: Titles) -> str:
    """Increases by what the embeddings are divided by, and whether a common t₀ gains from it.

    Args:
        frame: rows of `trivial_forms.sweep` at one α, with `rule`.
        titles: titles of the meta-tasks.
    """
    pools = list(dict.fromkeys(zip(frame.meta_task, frame.overlap, strict=True)))
    keyed = frame.set_index(["form", "rule", "meta_task", "overlap"])
    rows = []
    for form, rule in itertools.product(dict.fromkeys(frame.form), dict.fromkeys(frame.rule)):
        cells = [
            100 * keyed.loc[(form, rule, *pool), ["increase", "low", "high"]] for pool in pools
        ]
        rows.append([form, rule, *("{:+.0f} [{:.0f}, {:.0f}]".format(*cell) for cell in cells)])
    means = 100 * frame.pivot_table("increase", "rule", "form", sort=False)
    common, own = means["common × 1"], means["own"]["nothing"]
    listed = ", ".join(f"{rule} {value:+.0f}%" for rule, value in common.items())
    return (
        markdown(("form", "divided by", *(pool_title(titles, *key) for key in pools)), rows)
        + "\n\nAveraged over the columns, the form *common × 1* has, by what it was divided by: "
        f"{listed}. The form *own*, divided by nothing, has {own:+.0f}%. The lowest of the common "
        f"ones, with *{common.idxmin()}*, is {'below' if common.min() < own else 'not below'} it. "
        "This is one run with wide intervals, so only a difference that is large beside them means "
        "something."
    )


def pool_title(titles: Titles, name: str, overlap: bool) -> str:
    """Title of a meta-task with one of its two pools."""
    return f"{titles[name]}, {'' if overlap else 'no '}overlap"
