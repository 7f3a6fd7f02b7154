"""Distances between task embeddings (Sect. 3 of the paper), and between places in a taxonomy.

Every function takes `t2v.Embedding` objects, or anything with their `fisher`, `trivial`, `layers`,
`lineage`, `spec` and `name`; those on vectors also take plain arrays of non-negative numbers.

All distances between embeddings are scale-free: a common factor on both embeddings changes
nothing, so a Fisher information of 1e-12 counts as much as one of 1. Here we depart from the
authors' code, which adds an absolute 1e-8 to the denominators: nothing to embeddings of ordinary
size, everything to small ones. Filters with `0/0` are left out of the sum instead (`symmetric`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v._numerics.pairwise import (
    Array,
    divergence_matrix,
    paired_symmetric,
    symmetric_matrix,
    variance_matrix,
)
from t2v.errors import InputError

ALPHA = 0.15
"""Weight of the distance to the trivial task, as the paper sets it for ResNet-34 on ImageNet."""

DEFAULT_PRIOR = 0.3
"""Multiples of the trivial embedding added to every embedding; 0 is the paper's exact form."""

KINDS = (
    "symmetric",
    "asymmetric",
    "taxonomic",
    "cosine",
    "normalized_cosine",
    "correlation",
    "kl",
    "jensen_shannon",
)


def symmetric(a: Any, b: Any, **options: Any) -> float:
    """Symmetric distance of two embeddings, d_sym of Sect. 3.1.

    The cosine distance between `F_a / (F_a + F_b)` and `F_b / (F_a + F_b)`, all by filter. It is in
    [0, 1]: 0 for the same embedding (and for proportional ones), 1 when no filter matters to both.
    A filter that is 0 in both says nothing and is left out; two embeddings of zeros are at distance
    0, and one of zeros is at distance 1 from any other.

    Args:
        a: embedding, or array of `F` non-negative numbers.
        b: embedding of the same probe, or array of the same length.
        **options: as in `distance_matrix`.

    Returns:
        The distance.

    Raises:
        InputError: for unusable values, or embeddings that cannot be compared.
    """
    return float(distance_matrix([a], [b], kind="symmetric", **options)[0, 0])


def asymmetric(
    source: Any, target: Any, trivial: Any, alpha: float = ALPHA, **options: Any
) -> float:
    """Asymmetric distance from a source task (an expert's) to a target task, d_asym of Sect. 3.1.

    `d_sym(source, target) - alpha * d_sym(source, trivial)`: among sources equally near, one far
    from the trivial task, a complex one, is preferred. May be negative.

    Args:
        source: embedding of the source task, or array `[F]`.
        target: embedding of the target task, or array `[F]`.
        trivial: the trivial embedding, array `[F]` (usually `source.trivial`).
        alpha: weight of the second term.
        **options: as in `distance_matrix`.

    Returns:
        The distance.

    Raises:
        InputError: for unusable values, or embeddings that cannot be compared.
    """
    options = {**options, "alpha": alpha, "trivial": getattr(trivial, "fisher", trivial)}
    return float(distance_matrix([target], [source], kind="asymmetric", **options)[0, 0])


def taxonomic(lineage_a: Sequence[str], lineage_b: Sequence[str]) -> int:
    """Taxonomic distance of two tasks: levels from the tips to their deepest common ancestor.

    With lineages of one depth this is the ultrametric distance in the tree (Sect. 3; the authors
    count 0 for one order, 1 for one class, ...). The deeper of two unequal lineages counts, so a
    task is one level away from its parent, and d = depth when not even the root is shared.

    Args:
        lineage_a: names from the root down, e.g. `("Aves", "Passeriformes")`.
        lineage_b: the same for the other task.

    Returns:
        A whole number from 0 to the depth of the deeper lineage.
    """
    common = 0
    for x, y in zip(lineage_a, lineage_b, strict=False):
        if x != y:
            break
        common += 1
    return max(len(lineage_a), len(lineage_b)) - common


def distance_matrix(
    embeddings: Sequence[Any] | ArrayLike,
    others: Sequence[Any] | ArrayLike | None = None,
    kind: str = "symmetric",
    *,
    alpha: float = ALPHA,
    prior: float | None = None,
    trivial: ArrayLike | None = None,
    layers: Sequence[str] | None = None,
    local_scaling: int | None = None,
    jobs: int | None = None,
) -> Array:
    """Distances between all pairs of tasks.

    Kinds: `symmetric`; `asymmetric` (rows are targets, columns are sources); `taxonomic`; and those
    of the authors' code, with v = 1/F the variance that they attach to a filter:

    - `cosine`: their name for `symmetric`;
    - `normalized_cosine`: cosine distance of v over the prior's variance, that is of trivial/F;
    - `correlation`: 1 minus Pearson's correlation of the v;
    - `kl`: sum over filters of the larger of the two KL(N(0, v_a), N(0, v_b));
    - `jensen_shannon` (their `jsd`): mean over filters of the two KL to N(0, (v_a + v_b)/2).

    In the last four F = 0 is an infinite variance. A filter that is 0 in both embeddings is left
    out; one that is 0 in one of them is left out of the second and third as well (where it alone
    would decide) and makes the last two infinite. `prior` avoids both.

    Args:
        embeddings: A embeddings, or an array `[A, F]`: the rows (targets).
        others: B embeddings or `[B, F]`: the columns (sources); `None`: the same as the rows.
        kind: one of `KINDS`.
        alpha: weight of the distance to the trivial task in `asymmetric`.
        prior: each embedding becomes `fisher + prior * trivial` before anything else, in units of
            its own trivial embedding; `None`: `DEFAULT_PRIOR` (plain arrays are taken as they are).
        trivial: trivial embedding `[F]` for all, instead of each embedding's own (in `asymmetric`
            between two lists, for the columns); plain arrays need it in `asymmetric`, in
            `normalized_cosine` and with a prior.
        layers: only the filters of these layers; `None`: all.
        local_scaling: k; each distance is divided by the geometric mean of the two tasks' distances
            to their k-th nearest task (Zelnik-Manor & Perona 2004; against hubs: Schnitzer et al.
            2012). Not for `asymmetric` and `taxonomic`.
        jobs: threads; `None`: one per core.

    Returns:
        float64 `[A, B]`.

    Raises:
        InputError: for an unknown kind or option, negative or non-finite values, or embeddings of
            different probes or layers.
    """
    if kind not in KINDS:
        raise InputError(f"kind={kind!r} is not a distance; choose one of {', '.join(KINDS)}")
    if local_scaling is not None and kind in ("asymmetric", "taxonomic"):
        raise InputError(f"local_scaling is not defined for kind={kind!r}; leave it None")
    same = others is None
    if kind == "taxonomic":
        rows = _lineages(embeddings)
        return _taxonomic_matrix(rows, rows if same else _lineages(others))

    # in `asymmetric` it is the source's: a target needs none but for the prior, and has its own
    of_rows = None if kind == "asymmetric" and not same and _objects(embeddings) else trivial
    rows, row_trivial = _stack(embeddings, prior, of_rows, layers)
    if same:
        columns, column_trivial = rows, row_trivial
    else:
        _check_comparable([*_objects(embeddings)[:1], *_objects(others)])
        columns, column_trivial = _stack(others, prior, trivial, layers)
        if rows.shape[1] != columns.shape[1]:
            raise InputError(
                f"embeddings of {rows.shape[1]} and of {columns.shape[1]} filters: compare those "
                "of one probe"
            )
    if kind in ("symmetric", "cosine", "asymmetric"):
        distance = symmetric_matrix(rows, None if same else columns, jobs)
    elif kind in ("normalized_cosine", "correlation"):
        if kind == "normalized_cosine":
            row_scale = _needed(row_trivial, kind)
            column_scale = _needed(column_trivial, kind)
        else:
            row_scale = column_scale = np.float64(1.0)
        distance = variance_matrix(
            rows, columns, row_scale, column_scale, centred=kind == "correlation"
        )
    else:
        distance = divergence_matrix(rows, None if same else columns, kind, jobs)
    if same:
        np.fill_diagonal(distance, 0.0)
    if kind == "asymmetric":
        own = _needed(column_trivial, kind)
        distance -= alpha * paired_symmetric(columns, np.broadcast_to(own, columns.shape))
    if local_scaling is not None:
        distance = scale_locally(distance, local_scaling, same=same)
    return distance


def scale_locally(distance: Array, k: int, *, same: bool = True) -> Array:
    """Divide distances by the geometric mean of both tasks' distance to their k-th nearest.

    Args:
        distance: `[A, B]`, not negative.
        k: which nearest task sets the scale, from 1.
        same: rows and columns are the same tasks; then the diagonal is left out of the search.

    Returns:
        `[A, B]`, where 1 is as far as the two tasks' usual neighbours.

    Raises:
        InputError: if there are fewer than k neighbours, or k of them are at distance 0.
    """
    smallest = min(distance.shape) - (1 if same else 0)
    if not 1 <= k <= smallest:
        raise InputError(f"local_scaling={k}: must be from 1 to {smallest}, the tasks to search")
    searched = np.array(distance, dtype=np.float64)
    if same:
        np.fill_diagonal(searched, np.inf)
    row_scale = np.partition(searched, k - 1, axis=1)[:, k - 1]
    column_scale = np.partition(searched, k - 1, axis=0)[k - 1]
    for scale, axis in ((row_scale, "row"), (column_scale, "column")):
        if not np.all((scale > 0) & np.isfinite(scale)):
            at = int(np.flatnonzero(~((scale > 0) & np.isfinite(scale)))[0])
            raise InputError(
                f"local_scaling={k}: the {k} nearest of {axis} {at} are at distance {scale[at]}; "
                "take a larger k or leave out copies of a task"
            )
    return distance / np.sqrt(row_scale[:, None] * column_scale)


# ---- what was given -----------------------------------------------------------------------------


def _objects(given: Any) -> list[Any]:
    """The embeddings given as objects; none if they are numbers."""
    if isinstance(given, np.ndarray) and given.dtype != object:
        return []
    return [e for e in given if hasattr(e, "fisher")]


def _name(embedding: Any, number: int) -> str:
    return repr(getattr(embedding, "name", "") or f"number {number}")


def _stack(
    given: Any, prior: float | None, trivial: ArrayLike | None, layers: Sequence[str] | None
) -> tuple[Array, Array | None]:
    """Fisher and trivial embeddings `[N, F]`, checked, with prior and choice of layers applied."""
    objects = _objects(given)
    if len(given) == 0:
        raise InputError("no embeddings given: a distance needs at least one on each side")
    if objects and len(objects) < len(given):
        raise InputError("a mixture of embeddings and arrays: give one or the other")
    _check_comparable(objects)
    lengths = {len(np.asarray(e.fisher if objects else e)) for e in given}
    if len(lengths) > 1:
        raise InputError(f"embeddings of {sorted(lengths)} filters: compare those of one probe")
    fisher = np.array([e.fisher if objects else e for e in given], dtype=np.float64)
    if fisher.ndim != 2:
        raise InputError(f"embeddings have shape {fisher.shape}: expected [tasks, filters]")
    for i in np.flatnonzero(~np.all(np.isfinite(fisher) & (fisher >= 0), axis=1))[:1]:
        bad = fisher[i][~(np.isfinite(fisher[i]) & (fisher[i] >= 0))][0]
        raise InputError(
            f"embedding {_name(given[i], i)} holds {bad}: expected finite values >= 0 (signed "
            "domain embeddings: take moment='second')"
        )
    fisher[fisher < np.finfo(np.float64).tiny] = 0  # subnormal: no digits left
    base = None
    if trivial is not None:
        base = np.broadcast_to(np.asarray(trivial, dtype=np.float64), fisher.shape)
    elif objects:
        base = np.array([e.trivial for e in given], dtype=np.float64)
    if prior is None:
        # a robust embedding has its prior in it
        robust = any(_spec(e, "estimator") == "robust" for e in objects)
        prior = DEFAULT_PRIOR if objects and not robust else 0.0
    if not prior >= 0:
        raise InputError(f"prior={prior}: expected a number of trivial embeddings >= 0")
    if prior > 0:
        fisher += prior * _needed(base, f"prior={prior}")
    if layers is not None:
        columns = _columns(objects, layers)
        fisher, base = fisher[:, columns], None if base is None else base[:, columns]
    return fisher, base


def _needed(trivial: Array | None, wanted_by: str) -> Array:
    if trivial is None:
        raise InputError(f"{wanted_by} needs trivial embeddings: give embeddings, or trivial=[F]")
    return trivial


def _columns(objects: list[Any], layers: Sequence[str]) -> NDArray[np.intp]:
    if not objects:
        raise InputError(f"layers={list(layers)!r}: plain arrays have no layers; give embeddings")
    known = objects[0].layers
    unknown = [name for name in layers if name not in known]
    if unknown or isinstance(layers, str) or not len(layers):
        raise InputError(f"layers={layers!r}: expected a list out of {', '.join(known)}")
    everything = np.arange(len(objects[0].fisher))
    return np.concatenate([everything[known[name]] for name in layers])


def _check_comparable(objects: list[Any]) -> None:
    """Refuse embeddings of different probes or layers, naming both."""
    for number, other in enumerate(objects[1:], start=1):
        first = objects[0]
        pair = f"{_name(first, 0)} and {_name(other, number)}"
        for field in ("probe", "weights", "weights_sha256", "sha256", "image_size", "kind"):
            x, y = (_what(e) if field == "kind" else _spec(e, field) for e in (first, other))
            if x != y:
                raise InputError(
                    f"embeddings {pair} differ in {field} ({x} and {y}): embed both tasks "
                    "in the same way"
                )
        if list(first.layers.items()) != list(other.layers.items()):
            raise InputError(
                f"embeddings {pair} hold different layers: embed both with the same layers"
            )


def _what(embedding: Any) -> str:
    """What the numbers are: estimators of one quantity can be compared."""
    estimator = str(_spec(embedding, "estimator"))
    return estimator if estimator == "robust" or estimator.startswith("domain-") else "Fisher"


def _spec(embedding: Any, field: str) -> Any:
    spec = embedding.spec
    return spec.get(field) if isinstance(spec, dict) else getattr(spec, field, None)


def _lineages(embeddings: Sequence[Any]) -> list[tuple[str, ...]]:
    lineages = [tuple(getattr(e, "lineage", e)) for e in embeddings]
    for i, lineage in enumerate(lineages):
        if not lineage:
            raise InputError(f"task {_name(embeddings[i], i)} has no lineage: no place in a tree")
    return lineages


def _taxonomic_matrix(rows: list[tuple[str, ...]], columns: list[tuple[str, ...]]) -> Array:
    depth_a = np.array([len(x) for x in rows])
    depth_b = np.array([len(x) for x in columns])
    common = np.zeros((len(rows), len(columns)))
    for level in range(1, 1 + min(depth_a.max(), depth_b.max())):
        prefixes: dict[tuple[str, ...], int] = {}
        codes = [
            np.array([prefixes.setdefault(x[:level], len(prefixes)) for x in lineages])
            for lineages in (rows, columns)
        ]
        deep = (depth_a >= level)[:, None] & (depth_b >= level)
        common += deep & (codes[0][:, None] == codes[1])
    return np.maximum(depth_a[:, None], depth_b) - common
