"""Distances of all pairs of non-negative vectors, in blocks that stay in a core's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TINY = np.finfo(np.float64).tiny
_BLOCK = 128 * 1024  # entries of one work array: 1 MB


def blocked(
    rows: Array, columns: Array | None, kernel: Callable, jobs: int | None, sums: int = 1
) -> Array:
    """Fill `[sums, A, B]` by `kernel(small, large, work [k, F]) -> [sums, k]`.

    One of `small` and `large` is `[F]`, the other `[k, F]`: every pair comes with the embedding of
    smaller total first. Threads share the rows; numpy frees the interpreter's lock meanwhile. With
    `columns=None` each pair is done once.
    """
    same = columns is None
    columns = rows if same else columns
    row_order = np.argsort(rows.sum(1), kind="stable")
    column_order = row_order if same else np.argsort(columns.sum(1), kind="stable")
    a, b = rows[row_order], columns[column_order]
    first_larger = np.arange(len(a)) if same else np.searchsorted(b.sum(1), a.sum(1))
    step = max(1, _BLOCK // max(1, a.shape[1]))
    ordered = np.zeros((sums, len(a), len(b)))

    def fill(numbers: range) -> None:
        work = np.empty((step, a.shape[1]))
        for i in numbers:
            at = first_larger[i]
            for start in range(0, 0 if same else at, step):
                block = slice(start, min(start + step, at))
                ordered[:, i, block] = kernel(b[block], a[i], work[: block.stop - start])
            for start in range(at, len(b), step):
                block = slice(start, min(start + step, len(b)))
                ordered[:, i, block] = kernel(a[i], b[block], work[: block.stop - start])

    threads = os.cpu_count() or 1 if jobs is None else jobs
    # interleaved, so that the rows of a triangle are shared out evenly
    parts = [range(k, len(a), 4 * threads) for k in range(4 * threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, parts))
    if same:
        lower = np.tril_indices(len(a), -1)
        ordered[:, lower[0], lower[1]] = ordered[:, lower[1], lower[0]]
    result = np.empty_like(ordered)
    result[:, row_order[:, None], column_order] = ordered
    return result


def symmetric_matrix(rows: Array, columns: Array | None, jobs: int | None) -> Array:
    """Symmetric distances `[A, B]`; `columns=None`: the rows again."""
    nothing = count_both(rows == 0, (rows if columns is None else columns) == 0)
    kernel = _share_sums_with_zeros if nothing.any() else _share_sums
    first, second = blocked(rows, columns, kernel, jobs, sums=2)
    return _cosine_from_sums(rows.shape[1] - nothing, first, second)


def paired_symmetric(a: Array, b: Array) -> Array:
    """Symmetric distance of `a[i]` and `b[i]`, each `[N, F]`."""
    swap = (a.sum(1) > b.sum(1))[:, None]
    small, large = np.where(swap, b, a), np.where(swap, a, b)
    first, second = _share_sums_with_zeros(small, large, np.empty_like(small))
    return _cosine_from_sums(np.count_nonzero((a > 0) | (b > 0), axis=1), first, second)


def _share_sums(small: Array, large: Array, work: Array) -> tuple[Array, Array]:
    """Sums over filters of r = small / (small + large) and of r squared."""
    np.add(small, large, out=work)
    np.divide(small, work, out=work)
    return _sums(work)


def _share_sums_with_zeros(small: Array, large: Array, work: Array) -> tuple[Array, Array]:
    np.add(small, large, out=work)
    np.maximum(work, _TINY, out=work)  # 0/0 becomes 0: no part of either sum
    np.divide(small, work, out=work)
    return _sums(work)


def _sums(share: Array) -> tuple[Array, Array]:
    # row times row by matmul: a third of the time of einsum
    return share.sum(axis=1), np.matmul(share[:, None, :], share[:, :, None])[:, 0, 0]


def _cosine_from_sums(filters: Array, first: Array, second: Array) -> Array:
    """Symmetric distance from the number of filters, the sum of r and the sum of r squared.

    With s = 1 - r, the cosine distance of r and s over n filters is, without a difference of
    near-equal numbers, (n Σr² - (Σr)²) / (g (g + Σr - Σr²)) with g² = Σr² Σs². Σs² = n - 2Σr + Σr²
    is at least 1/4, as one filter at least is larger where the total is larger.
    """
    root = np.sqrt(second * np.maximum(filters - 2 * first + second, 0))
    spread = np.maximum(filters * second - first**2, 0)
    below = root * (root + np.maximum(first - second, 0))
    without = np.where(filters > 0, 1.0, 0.0)  # one embedding is all zeros, or both
    return np.minimum(np.divide(spread, below, out=without, where=below > 0), 1.0)


def _kl(small: Array, large: Array, work: Array) -> Array:
    # with q = larger / smaller, the larger of the two divergences is (q - 1 - log q) / 2
    np.maximum(small, large, out=work)
    work /= np.minimum(small, large)
    total = work.sum(axis=1)
    np.log(work, out=work)
    return np.maximum(total - work.shape[1] - work.sum(axis=1), 0)[None] / 2


def _log_sum(small: Array, large: Array, work: Array) -> Array:
    np.add(small, large, out=work)
    np.log(work, out=work)
    return work.sum(axis=1)[None]


def divergence_matrix(rows: Array, columns: Array | None, kind: str, jobs: int | None) -> Array:
    """`kl` or `jensen_shannon` of `distance_matrix`, `[A, B]`; `columns=None`: the rows again."""
    given = (rows,) if columns is None else (rows, columns)
    last = given[-1]
    unlike = count_both(rows == 0, last > 0) + count_both(rows > 0, last == 0)
    # log 1 = 0: a filter that is 0 in both adds nothing
    filled = [np.where(x > 0, x, 1.0) for x in given]
    kernel = _kl if kind == "kl" else _log_sum
    (distance,) = blocked(filled[0], None if columns is None else filled[1], kernel, jobs)
    if kind == "jensen_shannon":
        # both divergences together: log of the variances' arithmetic over their geometric mean
        logs = [np.log(x).sum(axis=1) for x in filled]
        distance -= rows.shape[1] * np.log(2) + (logs[0][:, None] + logs[-1]) / 2
        filters = rows.shape[1] - count_both(rows == 0, last == 0)
        distance = np.maximum(distance, 0) / (2 * np.maximum(filters, 1))
    distance[unlike > 0] = np.inf
    return distance


def variance_matrix(
    rows: Array, columns: Array, row_scale: Array, column_scale: Array, *, centred: bool
) -> Array:
    """Cosine or correlation distance of scale / F, over the filters that are positive in both."""

    def variances(fisher: Array, scale: Array) -> tuple[Array, Array]:
        kept = fisher > 0
        v = np.divide(scale, fisher, out=np.zeros_like(fisher), where=kept)
        v /= np.maximum(v.max(axis=1, keepdims=True, initial=0), _TINY)
        if centred:  # moves no correlation, saves digits
            v -= v.sum(1, keepdims=True) / np.maximum(kept.sum(1, keepdims=True), 1) * kept
        return v, kept.astype(np.float64)

    (v, kept_v), (w, kept_w) = variances(rows, row_scale), variances(columns, column_scale)
    product, square_v, square_w = v @ w.T, v**2 @ kept_w.T, kept_v @ (w**2).T
    if centred:
        count, sum_v, sum_w = kept_v @ kept_w.T, v @ kept_w.T, kept_v @ w.T
        product = count * product - sum_v * sum_w
        square_v = count * square_v - sum_v**2
        square_w = count * square_w - sum_w**2
    below = np.sqrt(np.maximum(square_v, 0) * np.maximum(square_w, 0))
    nothing_shared = np.zeros_like(product)
    cosine = np.divide(product, below, out=nothing_shared, where=below > 0)
    return np.clip(1 - cosine, 0, 2)


def count_both(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Array:
    """`[A, B]`: number of filters at which both are true."""
    if not (a.any() and b.any()):
        return np.zeros((len(a), len(b)))
    return (a.astype(np.float32) @ b.astype(np.float32).T).astype(np.float64)
