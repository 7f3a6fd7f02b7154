"""Networks of one and two layers on the unit square, whose Fisher information has a closed form.

Achille et al. (arXiv 1902.03545), Sect. 2.2, Supplement A (two-layer network) and Fig. 5 (64 binary
tasks on the unit square). The chapter *Two layers* derives the formulas.
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
        clusters: int64 `[T]`, number of k-means cells of each task.
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
    """The binary tasks of Fig. 5: k-means cells of the square, half of them in class 1.

    Args:
        count: number of tasks.
        side: points along one side of the square.
        clusters: smallest and largest number of cells; the number `k` of a task is drawn uniformly,
            and `k // 2` random cells are class 1.
        seed: seed of numbers, initial centres and classes.

    Raises:
        InputError: fewer than two cells, or more cells than points.
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
        seed: seed of a, b and c.

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

    The objective is the mean cross entropy + `weight_decay / 2 * |w|**2`.

    Args:
        features: `[N, D]`.
        labels: 0 or 1, `[N]`; both must occur.
        weight_decay: positive.

    Returns:
        `w`, `[D]`.

    Raises:
        InputError: one class only, or no weight decay (separable tasks would have no optimum).
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

    The mixed block has the factor `w_k`, which is missing in the paper's formula.

    Args:
        inputs: x, `[N, D]`.
        hidden: U, `[H, D]`.
        output: w, `[H]`.

    Returns:
        `[H + H*D, H + H*D]`, in the order w, then U row by row.
    """
    z = expit(inputs @ hidden.T)
    p = expit(z @ output)
    slope = output * z * (1 - z)  # derivative of w . z by the input of unit k, [N, H]
    by_hidden = (slope[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    jacobian = np.concatenate([z, by_hidden], axis=1)
    return (jacobian * (p * (1 - p))[:, None]).T @ jacobian / len(inputs)


def feature_fisher(
    inputs: np.ndarray, hidden: np.ndarray, head: np.ndarray, bias: np.ndarray | float = 0.0
) -> np.ndarray:
    """The Fisher information of U alone under a softmax head, as in Task2Vec.

    Its size does not depend on the number of classes K: labels enter only through the `[H, H]`
    matrix `W^T (diag p - p p^T) W` of each image.

    Args:
        inputs: x, `[N, D]`.
        hidden: U, `[H, D]`; `z = sigmoid(U x)`.
        head: W, `[K, H]`.
        bias: b, `[K]`; `p = softmax(W z + b)`.

    Returns:
        `[H*D, H*D]`, for U row by row.
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

    The upper triangle, with off-diagonal entries times the root of 2, so that Euclidean distances
    between the vectors are Frobenius distances between the matrices.
    """
    rows, columns = np.triu_indices(fisher.shape[-1])
    return fisher[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))


def boundary_length(labels: np.ndarray) -> np.ndarray:
    """Length `[T]` of the class boundary in sides of the square, for labels `[T, N]`."""
    side = int(np.sqrt(labels.shape[-1]))
    tiles = labels.reshape(-1, side, side)
    return sum((np.diff(tiles, axis=axis) != 0).sum((1, 2)) for axis in (1, 2)) / side


def boundary_distance(labels: np.ndarray, blur: float = 0.1) -> np.ndarray:
    """Distances `[T, T]` of the class boundaries of tasks, for labels `[T, N]`.

    Cosine distance between the maps of points with a neighbour of the other class, after a Gaussian
    blur of `blur` sides: 0 for equal boundaries (whichever side is class 1), 1 for boundaries that
    are far from each other everywhere.
    """
    side = int(np.sqrt(labels.shape[-1]))
    tiles = labels.reshape(-1, side, side)
    cross = generate_binary_structure(2, 1)[None]  # a cell and its four neighbours
    touching = maximum_filter(tiles, footprint=cross) != minimum_filter(tiles, footprint=cross)
    maps = gaussian_filter(touching.astype(float), (0, blur * side, blur * side), mode="constant")
    maps = maps.reshape(len(maps), -1) / np.linalg.norm(maps, axis=(1, 2))[:, None]
    return np.clip(1 - maps @ maps.T, 0, None)


def spread(places: np.ndarray, gap: float, seed: int = 0) -> np.ndarray:
    """Centres of square tiles, moved apart by small steps until no two tiles overlap.

    Args:
        places: initial centres `[T, 2]`; a jitter of a thousandth of `gap` separates equal ones.
        gap: side of a tile.
        seed: seed of the jitter.

    Returns:
        `[T, 2]`.
    """
    places = places + np.random.default_rng(seed).normal(0, 1e-3 * gap, size=places.shape)
    for _ in range(5_000):
        offset = places[:, None] - places[None]
        separation = np.abs(offset).max(-1)
        np.fill_diagonal(separation, np.inf)
        if separation.min() >= gap * (1 - 1e-3):
            break
        axis = np.abs(offset) == separation[..., None]  # along which the smallest push is enough
        push = axis * np.sign(offset) * np.clip(gap - separation, 0, None)[..., None]
        places = places + 0.3 * push.sum(1)
    return places
