"""The forms of the trivial embedding beside each other: sweeps of α, and the default by its rule.

Frames have the columns of the kept table `trivial_forms`; those of one run lack `seed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from t2v._numerics.convolutions import convolutions
from t2v._numerics.trivial import in_form, probe_trivial
from t2v.distances import asymmetric_parts
from t2v.evaluation import bootstrap, errors_of, mean_interval, nearest_eligible, relative_increases
from t2v.meta_task import MetaTask
from t2v.probe import Probe
from t2v.selection import Chance, Generic, Nearest, TaskBlind, combined, leave_one_out

ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
COMMON_SCALES = (0.3, 1.0, 3.0)
OWN = "own"
BASELINES = (Chance(), Generic(), TaskBlind())


def forms_of(probe: Probe, embedding: Any) -> dict[str, dict[str, Any]]:
    """Name of each form to the options of `Nearest` that select by it.

    Args:
        probe: the probe, whose weights give the form "probe" with the default β.
        embedding: an embedding by it, for its layers.
    """
    weights = {n: conv.weight.cpu() for n, conv in convolutions(probe.network).items()}
    floor, _ = probe_trivial(weights)
    of_probe = np.empty(len(embedding.fisher))
    for layer, part in embedding.layers.items():
        of_probe[part] = floor[layer]
    forms: dict[str, dict[str, Any]] = {OWN: {}}
    forms |= {f"common × {c:g}": {"trivial": "common", "scale": c} for c in COMMON_SCALES}
    return forms | {"probe": {"trivial": of_probe}}


def second_term(embeddings: Sequence[Any], options: Mapping[str, Any]) -> np.ndarray:
    """The second term of the asymmetric distance, d_sym(a, t₀), of each source, `[N]`.

    Args:
        embeddings: N embeddings; together the reference set of the form "common".
        options: options of a form, see `forms_of`.
    """
    form, scale = options.get("trivial", OWN), options.get("scale", 1.0)
    sources, _ = in_form(embeddings, embeddings, form, scale)
    return asymmetric_parts(sources[:1], sources)[1]


def sweep(
    metas: Mapping[tuple[str, bool], MetaTask],
    forms: Mapping[str, Mapping[str, Any]],
    alphas: Sequence[float] = ALPHAS,
    **resampling: Any,
) -> pd.DataFrame:
    """What the nearest expert costs by form and α, with the baselines.

    Args:
        metas: name and overlap of each meta-task, to the meta-task.
        forms: name of each form to its options, see `forms_of`.
        alphas: weights of the second term.
        **resampling: keyword arguments of `bootstrap`.

    Returns:
        One row per meta-task, form and α: `meta_task`, `overlap`, `form`, `alpha` (NaN: a baseline)
        and `increase`, with its interval over tasks, `low` and `high`.
    """
    rows = []
    for (name, overlap), meta in metas.items():
        chosen = {
            (b.name, np.nan): leave_one_out(b, meta).errors for b in BASELINES if _has(b, meta)
        }
        for form, options in forms.items():
            chosen |= _picked(meta, form, options, alphas)
        for (form, alpha), errors in chosen.items():
            values = relative_increases(errors, meta.errors, meta.eligible, meta.floor)
            ends = dict(
                zip(("increase", "low", "high"), bootstrap(values, **resampling), strict=True)
            )
            where = {"meta_task": name, "overlap": overlap, "form": form, "alpha": alpha}
            rows.append(where | ends)
    return pd.DataFrame(rows)


def _has(baseline: Any, meta: MetaTask) -> bool:
    return meta.generic is not None or not isinstance(baseline, Generic)


def _picked(
    meta: MetaTask, form: str, options: Mapping[str, Any], alphas: Sequence[float]
) -> dict[tuple[str, float], np.ndarray]:
    """Errors of the nearest experts by α; a distance needs no errors, so all tasks go at once."""
    known = [m for m, expert in enumerate(meta.experts) if expert is not None]
    strategy = Nearest("asymmetric", **options)
    parts = strategy.parts(meta.tasks, [meta.experts[m] for m in known])
    errors, eligible = meta.errors[:, known], meta.eligible[:, known]
    picks = {alpha: nearest_eligible(combined(*parts, alpha), eligible) for alpha in alphas}
    return {(form, alpha): errors_of(errors, p, eligible) for alpha, p in picks.items()}


def over_worlds(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean increase over worlds with Student's 95% interval, in the columns of `sweep`.

    Args:
        frame: table `trivial_forms`; rows of α chosen on other tasks are left out.

    Returns:
        The columns of `sweep`, and `worlds`, their number; for one world, the ends are NaN.
    """
    frame = frame[~frame.form.str.contains("chosen")]
    rows = []
    keys = ["meta_task", "overlap", "form", "alpha"]
    for key, part in frame.groupby(keys, sort=False, dropna=False):
        values = part.increase.to_numpy()
        ends = mean_interval(values) if len(values) > 1 else (values[0], np.nan, np.nan)
        row = dict(zip(keys, key, strict=True)) | {"worlds": len(values)}
        rows.append(row | dict(zip(("increase", "low", "high"), ends, strict=True)))
    return pd.DataFrame(rows, columns=[*keys, "increase", "low", "high", "worlds"])


def default_form(frame: pd.DataFrame, alpha: float = 0.15) -> tuple[str, pd.DataFrame]:
    """The default form by the rule of `data_scripts.claims.trivial_forms`.

    Of the forms that are better than "own" in every world, the one with the smallest mean increase,
    each meta-task with the same weight; "own" if there is none.

    Args:
        frame: table `trivial_forms_dev`, development worlds.
        alpha: weight at which forms are compared.

    Returns:
        The form, and the mean increase by world and form that decides, `[worlds, forms]`.
    """
    means = frame[frame.alpha == alpha].pivot_table("increase", "seed", "form", sort=False)
    others = means.drop(columns=OWN)
    better = others.columns[others.lt(means[OWN], axis=0).all()]
    return (str(others[better].mean().idxmin()) if len(better) else OWN), means
