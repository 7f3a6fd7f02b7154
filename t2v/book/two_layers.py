"""Networks of one and two layers on the unit square, where the embedding can be written down.

Achille et al. (arXiv 1902.03545), Sect. 2.2, Supplement A (the Fisher information of a two-layer
network) and Fig. 5 (64 binary tasks on the unit square). Numpy and scikit-learn only; everything
here fits in a page of algebra, which the chapter *Two layers* goes through.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import (
    gaussian_filter,
    generate_binary_structure,
    maximum_filter,
    minimum_filter,
)
from scipy.special import expit, softmax
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from t2v.errors import InputError


class SquareTasks(NamedTuple):
    """Binary tasks that share the same points of the unit square.

    Attributes:
        points: `[N, 2]`, the centres of a `side` by `side` grid; `N = side**2`, row by row from
            the bottom left corner.
        labels: int64 `[T, N]`, 0 or 1.
        clusters: int64 `[T]`, the number of pieces each task was made of.
    """

    points: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray


def unit_grid(side: int) -> np.ndarray:
    """Centres of the cells of a `side` by `side` grid on the unit square, `[side**2, 2]`."""
    ticks = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def square_tasks(
    count: int = 64, *, side: int = 32, clusters: tuple[int, int] = (3, 16), seed: int = 0
) -> SquareTasks:
    """Draw the binary tasks of Fig. 5: k-means pieces of the square, half of them in class 1.

    Args:
        count: number of tasks.
        side: points along one side of the square.
        clusters: fewest and most pieces (both included); each task draws its own number `k`
            uniformly, and `k // 2` of its pieces, chosen at random, are class 1.
        seed: of numbers, initial centres and classes.

    Raises:
        InputError: fewer than two pieces, or more pieces than points.
    """
    low, high = clusters
    points = unit_grid(side)
    if not 2 <= low <= high <= len(points):
        raise InputError(
            f"square_tasks: clusters must be 2 <= low <= high <= side**2, got {clusters}"
        )
    rng = np.random.default_rng(seed)
    numbers = rng.integers(low, high + 1, size=count)
    labels = np.empty((count, len(points)), dtype=np.int64)
    for task, k in enumerate(numbers):
        means = KMeans(int(k), init="random", n_init=1, random_state=int(rng.integers(2**31)))
        ones = rng.permutation(k)[: k // 2]
        labels[task] = np.isin(means.fit_predict(points), ones)
    return SquareTasks(points, labels, numbers)


def relu_features(points: np.ndarray, count: int = 10, seed: int = 0) -> np.ndarray:
    """Random features `max(0, ax + by + c)`: a, b in U[-1/2, 1/2], c in U[-1, 1] (Fig. 5a).

    Args:
        points: `[N, 2]`.
        count: number of features D.
        seed: of a, b and c.

    Returns:
        `[N, D]`. A feature may be zero on the whole square, as in the paper's recipe.
    """
    rng = np.random.default_rng(seed)
    slopes = rng.uniform(-0.5, 0.5, size=(2, count))
    return np.maximum(points @ slopes + rng.uniform(-1, 1, size=count), 0)


def polynomial_features(points: np.ndarray, degree: int = 3) -> np.ndarray:
    """All monomials up to `degree`, the constant included: `[N, 10]` for degree 3 (Fig. 5b)."""
    return PolynomialFeatures(degree).fit_transform(points)


def fit_logistic(
    features: np.ndarray, labels: np.ndarray, *, weight_decay: float = 1e-5
) -> np.ndarray:
    """Weights of `p(y=1 | x) = sigmoid(w . phi(x))`, without a bias, fitted to convergence.

    Args:
        features: `[N, D]`.
        labels: 0 or 1, `[N]`; both must occur.
        weight_decay: minimised is the mean cross entropy + `weight_decay / 2 * |w|**2`.

    Returns:
        `w`, `[D]`.

    Raises:
        InputError: only one class, or no weight decay (separable tasks have no optimum then).
    """
    if weight_decay <= 0:
        raise InputError(f"fit_logistic: weight_decay must be positive, got {weight_decay}")
    if len(np.unique(labels)) != 2:
        raise InputError(f"fit_logistic: labels must hold two classes, got {np.unique(labels)}")
    model = LogisticRegression(
        C=1 / (weight_decay * len(labels)),  # scikit-learn sums the cross entropy
        fit_intercept=False,
        solver="newton-cholesky",
        tol=1e-8,
        max_iter=200,
    )
    return model.fit(features, labels).coef_[0]


def last_layer_fisher(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The Fisher information of logistic regression: mean of `p (1 - p) phi phi^T` (slide 5).

    Args:
        features: phi, `[N, D]`.
        weights: w, `[D]`; `p = sigmoid(phi . w)`.

    Returns:
        `[D, D]`, symmetric and positive semidefinite.
    """
    p = expit(features @ weights)
    return (features * (p * (1 - p))[:, None]).T @ features / len(features)


def two_layer_fisher(inputs: np.ndarray, hidden: np.ndarray, output: np.ndarray) -> np.ndarray:
    """The full Fisher information of `p = sigmoid(w . z)`, `z = sigmoid(U x)` (Supplement A).

    The paper prints the mixed block without the factor `w_k`; here it is with it.

    Args:
        inputs: x, `[N, D]`.
        hidden: U, `[H, D]`.
        output: w, `[H]`.

    Returns:
        `[H + H*D, H + H*D]`, first w, then the rows of U one after the other.
    """
    z = expit(inputs @ hidden.T)
    p = expit(z @ output)
    through = output * z * (1 - z)  # the derivative of w . z by the input of unit k, [N, H]
    by_hidden = (through[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    jacobian = np.concatenate([z, by_hidden], axis=1)
    return (jacobian * (p * (1 - p))[:, None]).T @ jacobian / len(inputs)


def feature_fisher(
    inputs: np.ndarray, hidden: np.ndarray, head: np.ndarray, bias: np.ndarray | float = 0.0
) -> np.ndarray:
    """The Fisher information of U alone under a softmax head: what Task2Vec keeps of the network.

    The number of classes K disappears: labels enter through the `[H, H]` matrix
    `W^T (diag p - p p^T) W` of each image only.

    Args:
        inputs: x, `[N, D]`.
        hidden: U, `[H, D]`; `z = sigmoid(U x)`.
        head: W, `[K, H]`.
        bias: b, `[K]`; `p = softmax(W z + b)`.

    Returns:
        `[H*D, H*D]`, the rows of U one after the other.
    """
    z = expit(inputs @ hidden.T)
    p = softmax(z @ head.T + bias, axis=1)
    mean = p @ head
    labels = np.einsum("nc,ch,cg->nhg", p, head, head) - mean[:, :, None] * mean[:, None, :]
    slope = z * (1 - z)
    scaled = labels * slope[:, :, None] * slope[:, None, :]
    blocks = np.einsum("nhg,ni,nj->higj", scaled, inputs, inputs, optimize=True)
    return blocks.reshape(hidden.size, hidden.size) / len(inputs)


def flatten(fisher: np.ndarray) -> np.ndarray:
    """Symmetric matrices `[..., D, D]` as vectors `[..., D*(D+1)/2]`.

    The upper triangle, off-diagonal entries times the root of 2: Euclidean distances between the
    vectors are the Frobenius distances between the matrices.
    """
    rows, columns = np.triu_indices(fisher.shape[-1])
    return fisher[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))


def boundary_length(labels: np.ndarray) -> np.ndarray:
    """Length of the line between the classes, in sides of the square: labels `[T, N]` to `[T]`."""
    side = int(np.sqrt(labels.shape[-1]))
    tiles = labels.reshape(-1, side, side)
    return sum((np.diff(tiles, axis=axis) != 0).sum((1, 2)) for axis in (1, 2)) / side


def boundary_distance(labels: np.ndarray, blur: float = 0.1) -> np.ndarray:
    """How unlike the places of two tasks' boundaries are: labels `[T, N]` to `[T, T]`.

    The cosine distance between the maps of cells that touch another class, after a Gaussian blur
    of `blur` sides: 0 for the same boundaries (whichever side is class 1), 1 for boundaries that
    never come near each other.
    """
    side = int(np.sqrt(labels.shape[-1]))
    tiles = labels.reshape(-1, side, side)
    cross = generate_binary_structure(2, 1)[None]  # a cell and its four neighbours
    touching = maximum_filter(tiles, footprint=cross) != minimum_filter(tiles, footprint=cross)
    maps = gaussian_filter(touching.astype(float), (0, blur * side, blur * side), mode="constant")
    maps = maps.reshape(len(maps), -1) / np.linalg.norm(maps, axis=(1, 2))[:, None]
    return np.clip(1 - maps @ maps.T, 0, None)


def spread(places: np.ndarray, gap: float, seed: int = 0) -> np.ndarray:
    """Move the centres of tiles apart until none overlap, each as little as it takes.

    Args:
        places: `[T, 2]`; equal places are told apart by a jitter of a thousandth of `gap`.
        gap: side of a tile.
        seed: of the jitter.
    """
    places = places + np.random.default_rng(seed).normal(0, 1e-3 * gap, size=places.shape)
    for _ in range(5_000):
        offset = places[:, None] - places[None]
        apart = np.abs(offset).max(-1)
        np.fill_diagonal(apart, np.inf)
        if apart.min() >= gap * (1 - 1e-3):
            break
        along = np.abs(offset) == apart[..., None]  # the axis on which they are nearly apart
        push = along * np.sign(offset) * np.clip(gap - apart, 0, None)[..., None]
        places = places + 0.3 * push.sum(1)
    return places
