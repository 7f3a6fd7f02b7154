"""The forms of the trivial embedding t₀ (Sect. 3.1); `book/robust.md` says which is the paper's.

- `own`: the mean of each layer of a task's own embedding, different for every task;
- `probe`: βλ² with λ² = 1 / mean w² of each layer of the probe, the same for all tasks;
- `common`: the mean of the trivial embeddings of a reference set, or any other array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError

FORMS = ("own", "probe")  # of `task2vec`


def form_of(embedding: Any) -> str:
    """The form of an embedding's `trivial`; files that do not say are of the form `own`."""
    return str(getattr(embedding, "spec", {}).get("trivial", "own"))


def probe_trivial(
    weights: Mapping[str, ArrayLike], beta: float | None = None
) -> tuple[dict[str, float], float]:
    """The trivial embedding of the paper for small β: ``β / mean w²`` of each layer.

    Args:
        weights: weights of the probe's convolutions, by layer.
        beta: weight of the KL term, nats; `None`: 1 / number of weights, at which it costs half a
            nat to make all weights e times as precise.

    Returns:
        Layer name to the entry of its filters, nats per squared weight; and β.

    Raises:
        InputError: for ``beta <= 0``, or a layer of zeros.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in weights.items()}
    beta = 1 / sum(values.size for values in arrays.values()) if beta is None else beta
    if not beta > 0:
        raise InputError(f"beta: got {beta}, expected a positive number")
    power = {name: float(np.square(values).mean()) for name, values in arrays.items()}
    for name, value in power.items():
        if value == 0:
            raise InputError(f"layer {name}: all weights are 0, so that it has no prior")
    return {name: beta / value for name, value in power.items()}, float(beta)


def common_trivial(embeddings: Sequence[Any]) -> NDArray[np.float64]:
    """The mean of the trivial embeddings of a reference set, `[F]`.

    Args:
        embeddings: reference set, embeddings of one probe; for a selection the experts' training
            tasks, so that no target has a part in it.

    Raises:
        InputError: for an empty reference set, or embeddings of different lengths.
    """
    lengths = {len(e.trivial) for e in embeddings}
    if len(lengths) != 1:
        raise InputError(
            f"the common trivial embedding needs embeddings of one probe; got {len(embeddings)} "
            f"of {sorted(lengths)} filters"
        )
    return np.mean([e.trivial for e in embeddings], axis=0, dtype=np.float64)


def with_trivial(embeddings: Sequence[Any], trivial: ArrayLike, form: str = "common") -> list[Any]:
    """The same embeddings with one trivial embedding for all of them.

    `distance_matrix` adds it once to each embedding by default, as the paper does, on both sides.

    Args:
        embeddings: embeddings (dataclasses) of one probe.
        trivial: `[F]`, positive numbers in the units of `fisher`.
        form: name of the form, for `spec["trivial"]`.

    Raises:
        InputError: if `trivial` does not fit the embeddings.
    """
    trivial = np.asarray(trivial, dtype=np.float64)
    for e in embeddings:
        if trivial.shape != e.fisher.shape:
            raise InputError(f"trivial: got shape {trivial.shape}, expected {e.fisher.shape}")
    if not (np.isfinite(trivial).all() and (trivial >= 0).all()):
        raise InputError("trivial: expected finite numbers >= 0")
    return [replace(e, trivial=trivial, spec=e.spec | {"trivial": form}) for e in embeddings]


def in_form(
    targets: Sequence[Any], sources: Sequence[Any], form: str | ArrayLike, scale: float = 1.0
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Targets and sources with the trivial embedding of a form.

    Args:
        targets: A embeddings.
        sources: B embeddings, the reference set of "common".
        form: "own" or "probe", what the embeddings carry; "common"; or an array `[F]`.
        scale: multiple c of the trivial embedding; without effect on "own".

    Raises:
        InputError: if embeddings carry another form than the named one.
    """
    if not isinstance(form, str):
        trivial, name = np.asarray(form, dtype=np.float64), "common"
    elif form == "common":
        trivial, name = common_trivial(sources), form
    else:
        for e in (*targets, *sources):
            if form_of(e) != form:
                raise InputError(
                    f"embedding {getattr(e, 'name', '') or 'without a name'} carries a trivial "
                    f"embedding of the form {form_of(e)}, not {form}: take the form it carries, or "
                    "embed it again"
                )
        if form == "own" or scale == 1:
            return targets, sources
        trivial, name = sources[0].trivial, form
    trivial = scale * trivial
    return with_trivial(targets, trivial, name), with_trivial(sources, trivial, name)
