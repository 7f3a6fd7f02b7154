"""Distances between task embeddings (Sect. 3 of the paper), and between places in a taxonomy.

Every function takes `t2v.Embedding` objects, or anything with their `fisher`, `trivial`, `layers`,
`lineage`, `spec` and `name`; those on vectors also take plain arrays of non-negative numbers.

All distances between embeddings are scale-free: a common factor on both embeddings changes
nothing, so a Fisher information of 1e-12 counts as much as one of 1. The authors' code differs: it
adds an absolute 1e-8 to the denominators, which is negligible for embeddings of ordinary magnitude
and dominant for small ones. Filters with `0/0` are left out of the sum instead (`symmetric`).
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
from t2v._numerics.taxonomy import Path, paths_of, taxonomic_matrix
from t2v._numerics.trivial import common_trivial, form_of, with_trivial  # noqa: F401
from t2v.errors import InputError

ALPHA = 0.15
"""Weight of the distance to the trivial task, as the paper sets it for ResNet-34 on ImageNet."""

DEFAULT_PRIOR = 0.3
"""Multiple of the trivial embedding added to every embedding; 0 is the paper's exact form."""

KINDS = (
    "symmetric",
    "asymmetric",
    "taxonomic",
    "taxonomic_classes",
    "cosine",
    "normalized_cosine",
    "correlation",
    "kl",
    "jensen_shannon",
)


def symmetric(a: Any, b: Any, **options: Any) -> float:
    """Symmetric distance of two embeddings, d_sym of Sect. 3.1.

    The cosine distance between `F_a / (F_a + F_b)` and `F_b / (F_a + F_b)`, by filter. It is in
    [0, 1]: 0 for equal and for proportional embeddings, 1 if no filter matters to both. A filter
    that is 0 in both is left out; two embeddings of zeros are at distance 0, and one of zeros is at
    distance 1 from any other.

    Args:
        a: embedding, or array of `F` non-negative numbers.
        b: embedding of the same probe, or array of the same length.
        **options: keyword arguments of `distance_matrix`.

    Returns:
        The distance.

    Raises:
        InputError: for unusable values, or embeddings that cannot be compared.

    Examples:
        >>> symmetric([4.0, 2.0, 0.0], [8.0, 4.0, 0.0])
        0.0
        >>> symmetric([4.0, 0.0], [0.0, 4.0])
        1.0
    """
    return float(distance_matrix([a], [b], kind="symmetric", **options)[0, 0])


def asymmetric(
    source: Any, target: Any, trivial: Any, alpha: float = ALPHA, **options: Any
) -> float:
    """Asymmetric distance from a source task (an expert's) to a target task, d_asym of Sect. 3.1.

    `d_sym(source, target) - alpha * d_sym(source, trivial)`: among sources at one symmetric
    distance, the complex ones, far from the trivial task, are nearer. It may be negative.

    Args:
        source: embedding of the source task, or array `[F]`.
        target: embedding of the target task, or array `[F]`.
        trivial: the trivial embedding, array `[F]` (usually `source.trivial`).
        alpha: weight of the second term.
        **options: keyword arguments of `distance_matrix`.

    Returns:
        The distance.

    Raises:
        InputError: for unusable values, or embeddings that cannot be compared.

    Examples:
        >>> simple, complex_, target, trivial = [4.0, 1.0], [1.0, 4.0], [2.0, 2.0], [3.0, 1.0]
        >>> [round(symmetric(source, target), 3) for source in (simple, complex_)]
        [0.2, 0.2]
        >>> [round(asymmetric(source, target, trivial), 3) for source in (simple, complex_)]
        [0.198, 0.13]
    """
    options = {**options, "alpha": alpha, "trivial": getattr(trivial, "fisher", trivial)}
    return float(distance_matrix([target], [source], kind="asymmetric", **options)[0, 0])


def taxonomic(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Taxonomic distance: levels from the tips to their deepest common ancestor.

    With paths of one depth this is the ultrametric distance in the tree (Sect. 3; the authors count
    0 for one order, 1 for one class, ...). Of two unequal paths the deeper one counts, so a task is
    one level away from its parent, and d = depth if not even the root is shared.

    Args:
        a: path of a task's place, names from the root; or several, one for each of its classes.
        b: path or paths of the other task.

    Returns:
        A whole number from 0 to the depth of the deeper path. Between several paths, the minimum
        over all pairs: D_tax of Sect. 3.

    Examples:
        >>> owls, ducks = ("life", "birds", "owls"), ("life", "birds", "ducks")
        >>> taxonomic(owls, ducks)
        1
        >>> taxonomic([owls, ("life", "insects", "ants")], [ducks, owls])
        0
    """
    return int(taxonomic_matrix([paths_of(a)], [paths_of(b)])[0, 0])


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

    Kinds: `symmetric`; `asymmetric` (rows are targets, columns are sources); `taxonomic`, between
    the tasks' places; `taxonomic_classes`, the minimum over pairs of their classes (of tasks, not
    embeddings; a task without `class_lineages` counts with its place); and those of the authors'
    code, with v = 1/F the variance that they attach to a filter:

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
        prior: multiple of its own trivial embedding that is added to each embedding before anything
            else; `None`: `DEFAULT_PRIOR` (0 for plain arrays and robust embeddings; 1 if all have
            one trivial embedding, by `with_trivial` or `task2vec(trivial="probe")`).
        trivial: trivial embedding `[F]` for all, instead of each embedding's own (in `asymmetric`
            between two lists, for the columns only; `with_trivial` sets it for both); required for
            plain arrays in `asymmetric`, in `normalized_cosine` and with a prior.
        layers: names of the layers whose filters count; `None`: all.
        local_scaling: k; each distance is divided by the geometric mean of the two tasks' distances
            to their k-th nearest task (Zelnik-Manor & Perona 2004; against hubs: Schnitzer et al.
            2012). Not for `asymmetric` and the taxonomic kinds.
        jobs: number of threads; `None`: one per core.

    Returns:
        float64 `[A, B]`.

    Raises:
        InputError: for an unknown kind or option, negative or non-finite values, or embeddings of
            different probes or layers.

    Examples:
        >>> distance_matrix([[4.0, 2.0, 1.0], [1.0, 2.0, 4.0]]).round(2)
        array([[0.  , 0.39],
               [0.39, 0.  ]])
    """
    if kind not in KINDS:
        raise InputError(f"kind={kind!r} is not a distance; choose one of {', '.join(KINDS)}")
    if local_scaling is not None and kind.startswith(("asymmetric", "taxonomic")):
        raise InputError(f"local_scaling is not defined for kind={kind!r}; leave it None")
    same = others is None
    if kind.startswith("taxonomic"):
        places = _places(embeddings, kind)
        return taxonomic_matrix(places, places if same else _places(others, kind))
    if kind == "asymmetric":
        distance, offset = asymmetric_parts(
            embeddings, others, prior=prior, trivial=trivial, layers=layers, jobs=jobs
        )
        return distance - alpha * offset

    rows, row_trivial = _stack(embeddings, prior, trivial, layers)
    columns, column_trivial = rows, row_trivial
    if not same:
        columns, column_trivial = _stack(others, prior, trivial, layers)
        _check_sides(embeddings, others, rows, columns)
    if kind in ("symmetric", "cosine"):
        distance = symmetric_matrix(rows, None if same else columns, jobs)
    elif kind in ("normalized_cosine", "correlation"):
        scales: list[ArrayLike] = [1.0, 1.0]
        if kind == "normalized_cosine":
            scales = [_required(row_trivial, kind), _required(column_trivial, kind)]
        distance = variance_matrix(rows, columns, *scales, centred=kind == "correlation")
    else:
        distance = divergence_matrix(rows, None if same else columns, kind, jobs)
    if same:
        np.fill_diagonal(distance, 0.0)
    if local_scaling is not None:
        distance = scale_locally(distance, local_scaling, same=same)
    return distance


def asymmetric_parts(
    targets: Sequence[Any] | ArrayLike,
    sources: Sequence[Any] | ArrayLike | None = None,
    *,
    prior: float | None = None,
    trivial: ArrayLike | None = None,
    layers: Sequence[str] | None = None,
    jobs: int | None = None,
) -> tuple[Array, Array]:
    """The two parts of the asymmetric distance, which is `symmetric - alpha * offset` for any α.

    Args:
        targets: A embeddings, or an array `[A, F]`.
        sources: B embeddings, or an array `[B, F]`; `None`: the targets.
        prior: multiple of the trivial embedding, see `distance_matrix`.
        trivial: trivial embedding `[F]` of all sources, or `[B, F]` of each, instead of their own;
            required for plain arrays. With plain arrays and a prior it is the targets' too.
        layers: names of the layers whose filters count; `None`: all.
        jobs: number of threads; `None`: one per core.

    Returns:
        d_sym(source, target), float64 `[A, B]`, and d_sym(source, trivial), float64 `[B]`.

    Raises:
        InputError: for the reasons of `distance_matrix`.

    Examples:
        >>> sources, trivial = [[4.0, 1.0], [1.0, 4.0]], [3.0, 1.0]
        >>> symmetric, offset = asymmetric_parts([[2.0, 2.0]], sources, trivial=trivial)
        >>> (symmetric - 0.15 * offset).round(3)
        array([[0.198, 0.13 ]])
    """
    if same := sources is None:
        columns, column_trivial = rows, _ = _stack(targets, prior, trivial, layers)
    else:
        # a target needs a trivial embedding for the prior only
        of_targets = trivial if prior and not _objects(targets) else None
        rows, _ = _stack(targets, prior, of_targets, layers)
        columns, column_trivial = _stack(sources, prior, trivial, layers)
        _check_sides(targets, sources, rows, columns)
    symmetric = symmetric_matrix(rows, None if same else columns, jobs)
    if same:
        np.fill_diagonal(symmetric, 0.0)
    return symmetric, paired_symmetric(columns, _required(column_trivial, "asymmetric"))


def with_prior(fisher: Array, trivial: Array, prior: float) -> Array:
    """An embedding, or several, `[..., F]` plus a multiple of the trivial embedding."""
    return fisher + prior * trivial


def scale_locally(distance: Array, k: int, *, same: bool = True) -> Array:
    """Distances divided by the geometric mean of both tasks' distances to their k-th nearest task.

    Args:
        distance: `[A, B]`, not negative.
        k: rank of the neighbour that sets the scale, from 1.
        same: whether rows and columns are the same tasks; then the diagonal is no neighbour.

    Returns:
        `[A, B]`; 1 is the distance at which the two tasks usually have their neighbours.

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


# ---- reading the arguments ----------------------------------------------------------------------


def _objects(embeddings: Any) -> list[Any]:
    """The embeddings that are objects; none if they are numbers."""
    if isinstance(embeddings, np.ndarray) and embeddings.dtype != object:
        return []
    return [e for e in embeddings if hasattr(e, "fisher")]


def _name(embedding: Any, number: int) -> str:
    return repr(getattr(embedding, "name", "") or f"number {number}")


def _stack(
    embeddings: Any, prior: float | None, trivial: ArrayLike | None, layers: Sequence[str] | None
) -> tuple[Array, Array | None]:
    """Fisher and trivial embeddings `[N, F]`, checked, with prior and choice of layers applied."""
    objects = _objects(embeddings)
    if len(embeddings) == 0:
        raise InputError("no embeddings given: a distance needs at least one on each side")
    if objects and len(objects) < len(embeddings):
        raise InputError("a mixture of embeddings and arrays: give one or the other")
    _check_comparable(objects)
    lengths = {len(np.asarray(e.fisher if objects else e)) for e in embeddings}
    if len(lengths) > 1:
        raise InputError(f"embeddings of {sorted(lengths)} filters: compare those of one probe")
    fisher = np.array([e.fisher if objects else e for e in embeddings], dtype=np.float64)
    if fisher.ndim != 2:
        raise InputError(f"embeddings have shape {fisher.shape}: expected [tasks, filters]")
    for i in np.flatnonzero(~np.all(np.isfinite(fisher) & (fisher >= 0), axis=1))[:1]:
        bad = fisher[i][~(np.isfinite(fisher[i]) & (fisher[i] >= 0))][0]
        raise InputError(
            f"embedding {_name(embeddings[i], i)} holds {bad}: expected finite values >= 0 (signed "
            "domain embeddings: take moment='second')"
        )
    fisher[fisher < np.finfo(np.float64).tiny] = 0  # subnormal: no digits left
    base = None
    if trivial is not None:
        base = np.broadcast_to(np.asarray(trivial, dtype=np.float64), fisher.shape)
    elif objects:
        base = np.array([e.trivial for e in embeddings], dtype=np.float64)
    if prior is None:
        # a robust embedding contains its own prior; the paper's form is F + t₀
        robust = any(_quantity(e) == "robust" for e in objects)
        one_for_all = any(form_of(e) != "own" for e in objects)
        prior = 0.0 if not objects or robust else 1.0 if one_for_all else DEFAULT_PRIOR
    if not prior >= 0:
        raise InputError(f"prior={prior}: expected a number of trivial embeddings >= 0")
    if prior > 0:
        fisher = with_prior(fisher, _required(base, f"prior={prior}"), prior)
    if layers is not None:
        columns = _columns(objects, layers)
        fisher, base = fisher[:, columns], None if base is None else base[:, columns]
    return fisher, base


def _required(trivial: Array | None, wanted_by: str) -> Array:
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
    filters = np.arange(len(objects[0].fisher))
    return np.concatenate([filters[known[name]] for name in layers])


def _check_sides(embeddings: Any, others: Any, rows: Array, columns: Array) -> None:
    _check_comparable([*_objects(embeddings)[:1], *_objects(others)])
    if rows.shape[1] != columns.shape[1]:
        raise InputError(
            f"embeddings of {rows.shape[1]} and of {columns.shape[1]} filters: compare those "
            "of one probe"
        )


def _check_comparable(objects: list[Any]) -> None:
    """Refuse embeddings of different probes, quantities or layers, naming both."""
    for number, other in enumerate(objects[1:], start=1):
        first = objects[0]
        pair = f"{_name(first, 0)} and {_name(other, number)}"
        for field in ("probe", "weights_sha256", "image_size", "kind", "trivial"):
            read = {"kind": _quantity, "trivial": form_of}.get(field)
            x, y = (read(e) if read else e.spec.get(field) for e in (first, other))
            if x != y:
                raise InputError(
                    f"embeddings {pair} differ in {field} ({x} and {y}): embed both tasks "
                    "in the same way"
                )
        if form_of(first) != "own" and not np.array_equal(first.trivial, other.trivial):
            raise InputError(f"embeddings {pair}: their trivial embeddings differ, give both one")
        if list(first.layers.items()) != list(other.layers.items()):
            raise InputError(
                f"embeddings {pair} hold different layers: embed both with the same layers"
            )


def _quantity(embedding: Any) -> str:
    """The quantity that an embedding estimates; only equal quantities are comparable."""
    estimator = str(embedding.spec.get("estimator"))
    return estimator if estimator == "robust" or estimator.startswith("domain-") else "Fisher"


def _places(tasks: Any, kind: str) -> list[list[Path]]:
    """One path for each task, or one for each class of each task."""
    places = []
    for i, task in enumerate(tasks):
        classes = getattr(task, "class_lineages", ()) if kind == "taxonomic_classes" else ()
        places.append(paths_of(classes or getattr(task, "lineage", task)))
        if not all(places[-1]):
            raise InputError(f"task {_name(task, i)} has no lineage: no place in a tree")
    return places
