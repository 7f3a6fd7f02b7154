"""Distances of all pairs of non-negative vectors, in blocks that fit into a core's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_TINY = np.finfo(np.float64).tiny
_BLOCK = 128 * 1024  # entries of one work array: 1 MB


def all_pairs(
    rows: Array, columns: Array | None, kernel: Callable, threads: int | None, sums: int = 1
) -> Array:
    """Apply a kernel to all pairs of vectors, in blocks, by several threads.

    Args:
        rows: `[A, F]`.
        columns: `[B, F]`; `None`: the rows again, and each pair is computed once.
        kernel: function of `(small, large, work [k, F])` that gives `[sums, k]`. One of `small` and
            `large` is `[F]`, the other `[k, F]`; in every pair `small` has the smaller sum.
        threads: number of threads; `None`: one per core. numpy releases the interpreter's lock.
        sums: numbers that the kernel gives for each pair.

    Returns:
        `[sums, A, B]`.
    """
    symmetric = columns is None
    columns = rows if columns is None else columns
    # vectors sorted by their sums: the ones smaller than a given one are a slice
    row_order = np.argsort(rows.sum(1), kind="stable")
    column_order = row_order if symmetric else np.argsort(columns.sum(1), kind="stable")
    a, b = rows[row_order], columns[column_order]
    first_larger = np.arange(len(a)) if symmetric else np.searchsorted(b.sum(1), a.sum(1))
    block_length = max(1, _BLOCK // max(1, a.shape[1]))
    ordered = np.zeros((sums, len(a), len(b)))

    def blocks(start: int, stop: int) -> list[slice]:
        return [slice(i, min(i + block_length, stop)) for i in range(start, stop, block_length)]

    def fill(row_numbers: range) -> None:
        work = np.empty((block_length, a.shape[1]))
        for i in row_numbers:
            larger = first_larger[i]
            # of a symmetric matrix, only the upper triangle
            for block in [] if symmetric else blocks(0, larger):
                ordered[:, i, block] = kernel(b[block], a[i], work[: block.stop - block.start])
            for block in blocks(larger, len(b)):
                ordered[:, i, block] = kernel(a[i], b[block], work[: block.stop - block.start])

    threads = threads or os.cpu_count() or 1
    # interleaved rows, so that every part has about as much of the triangle as another
    parts = [range(k, len(a), 4 * threads) for k in range(4 * threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, parts))
    if symmetric:
        lower = np.tril_indices(len(a), -1)
        ordered[:, lower[0], lower[1]] = ordered[:, lower[1], lower[0]]
    result = np.empty_like(ordered)
    result[:, row_order[:, None], column_order] = ordered
    return result


def symmetric_matrix(rows: Array, columns: Array | None, threads: int | None) -> Array:
    """Symmetric distances.

    Args:
        rows: `[A, F]`.
        columns: `[B, F]`; `None`: the rows again.
        threads: number of threads; `None`: one per core.

    Returns:
        `[A, B]`.
    """
    both_zero = count_both(rows == 0, (rows if columns is None else columns) == 0)
    kernel = _share_sums_with_zeros if both_zero.any() else _share_sums
    first, second = all_pairs(rows, columns, kernel, threads, sums=2)
    return _cosine_from_sums(rows.shape[1] - both_zero, first, second)


def paired_symmetric(a: Array, b: Array) -> Array:
    """Symmetric distances `[N]` of `a[i]` and `b[i]`, each `[N, F]`."""
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
    # matmul of rows takes a third of the time of einsum
    return share.sum(axis=1), np.matmul(share[:, None, :], share[:, :, None])[:, 0, 0]


def _cosine_from_sums(filters: Array, first: Array, second: Array) -> Array:
    """Symmetric distance from the number of filters, the sum of r and the sum of r squared.

    With s = 1 - r, the cosine distance of r and s over n filters is, without a difference of
    near-equal numbers, (n Σr² - (Σr)²) / (g (g + Σr - Σr²)) with g² = Σr² Σs². Σs² = n - 2Σr + Σr²
    is at least 1/4, as one filter at least is larger where the total is larger.
    """
    g = np.sqrt(second * np.maximum(filters - 2 * first + second, 0))
    numerator = np.maximum(filters * second - first**2, 0)
    denominator = g * (g + np.maximum(first - second, 0))
    default = np.where(filters > 0, 1.0, 0.0)  # if one embedding is all zeros, or both are
    return np.minimum(np.divide(numerator, denominator, out=default, where=denominator > 0), 1.0)


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


def divergence_matrix(rows: Array, columns: Array | None, kind: str, threads: int | None) -> Array:
    """Divergences `kl` or `jensen_shannon` of `t2v.distance_matrix`.

    Args:
        rows: `[A, F]`.
        columns: `[B, F]`; `None`: the rows again.
        kind: "kl" or "jensen_shannon".
        threads: number of threads; `None`: one per core.

    Returns:
        `[A, B]`; infinite where a filter is 0 in one of two vectors only.
    """
    sides = (rows,) if columns is None else (rows, columns)
    last = sides[-1]
    one_zero = count_both(rows == 0, last > 0) + count_both(rows > 0, last == 0)
    # a filter that is 0 in both adds log 1 = 0
    filled = [np.where(x > 0, x, 1.0) for x in sides]
    kernel = _kl if kind == "kl" else _log_sum
    (distance,) = all_pairs(filled[0], None if columns is None else filled[1], kernel, threads)
    if kind == "jensen_shannon":
        # the sum of both divergences is log(arithmetic mean / geometric mean) of the variances
        logs = [np.log(x).sum(axis=1) for x in filled]
        distance -= rows.shape[1] * np.log(2) + (logs[0][:, None] + logs[-1]) / 2
        filters = rows.shape[1] - count_both(rows == 0, last == 0)
        distance = np.maximum(distance, 0) / (2 * np.maximum(filters, 1))
    distance[one_zero > 0] = np.inf
    return distance


def variance_matrix(
    rows: Array, columns: Array, row_scale: ArrayLike, column_scale: ArrayLike, *, centred: bool
) -> Array:
    """Cosine or correlation distance of scale / F, over the filters that are positive in both.

    Args:
        rows: F of A tasks, `[A, F]`.
        columns: F of B tasks, `[B, F]`.
        row_scale: `[A, F]`, or of a shape that broadcasts to it.
        column_scale: `[B, F]`, or of a shape that broadcasts to it.
        centred: correlation instead of cosine.

    Returns:
        `[A, B]`; 1 where no filter is positive in both.
    """

    def variances(fisher: Array, scale: ArrayLike) -> tuple[Array, Array]:
        positive = fisher > 0
        v = np.divide(scale, fisher, out=np.zeros_like(fisher), where=positive)
        v /= np.maximum(v.max(axis=1, keepdims=True, initial=0), _TINY)
        if centred:  # changes no correlation, and saves digits
            v -= v.sum(1, keepdims=True) / np.maximum(positive.sum(1, keepdims=True), 1) * positive
        return v, positive.astype(np.float64)

    (v, in_v), (w, in_w) = variances(rows, row_scale), variances(columns, column_scale)
    product, square_v, square_w = v @ w.T, v**2 @ in_w.T, in_v @ (w**2).T
    if centred:
        count, sum_v, sum_w = in_v @ in_w.T, v @ in_w.T, in_v @ w.T
        product = count * product - sum_v * sum_w
        square_v = count * square_v - sum_v**2
        square_w = count * square_w - sum_w**2
    norms = np.sqrt(np.maximum(square_v, 0) * np.maximum(square_w, 0))
    cosine = np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)
    return np.clip(1 - cosine, 0, 2)


def count_both(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Array:
    """Numbers of filters `[A, B]` at which both `a [A, F]` and `b [B, F]` are true."""
    if not (a.any() and b.any()):
        return np.zeros((len(a), len(b)))
    return (a.astype(np.float32) @ b.astype(np.float32).T).astype(np.float64)
