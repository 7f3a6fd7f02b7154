"""The tree of a procedural world and the evolution of traits along it.

Traits follow Brownian motion along the branches (Felsenstein 1985, doi:10.1086/284325): over a
branch of length l a trait of rate s gains a normal increment of variance s l, so two tips covary
by the sum of s l over the path they share. Rates differ between clades (O'Meara et al. 2006,
doi:10.1111/j.0014-3820.2006.tb01171.x) and shift where orders begin (Eastman et al. 2011,
doi:10.1111/j.1558-5646.2011.01401.x).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from t2v.libraries.worlds.creatures.body_plans import BODY_PLANS, BodyPlan

RANKS = ("life", "class", "order", "family", "species")
FIRST_TRAINING_SEED = 10**6  # worlds from this seed on train the probe: they have every body plan


@dataclass(frozen=True)
class WorldSize:
    """How large a world is at one scale.

    Attributes:
        classes: number of classes; the birds are always among them.
        orders: smallest and largest number of orders in each class.
        species: smallest and largest number of species in each order.
        train: median number of training images of an order (log-normal).
        spread: standard deviation of the logarithm of that number.
        limits: smallest and largest number of training images of an order.
        test: number of held-out images of each order.
        aviary: largest number of tasks in the aviary.
    """

    classes: int
    orders: tuple[int, int]
    species: tuple[int, int]
    train: int
    spread: float
    limits: tuple[int, int]
    test: int
    aviary: int


WORLD_SIZES = {
    "smoke": WorldSize(3, (2, 3), (3, 4), 30, 0.3, (24, 60), 16, 4),
    "laptop": WorldSize(6, (6, 6), (3, 10), 170, 0.85, (70, 1200), 120, 12),
    "paper": WorldSize(9, (23, 23), (3, 16), 400, 1.1, (80, 20000), 200, 25),
}


@dataclass
class Tree:
    """A rooted tree whose branches have lengths; parents come before their children.

    Attributes:
        parent: parent of each node, -1 for the root.
        time: distance of each node from the root; 1 at the species.
        rank: rank of each node, one of `RANKS`, or "split" for an unnamed bifurcation.
        name: name of each node, "" for an unnamed one.
    """

    parent: list[int] = field(default_factory=list)
    time: list[float] = field(default_factory=list)
    rank: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)

    def add(self, parent: int, time: float, rank: str, name: str = "") -> int:
        """Append a node and return its index."""
        self.parent.append(parent)
        self.time.append(time)
        self.rank.append(rank)
        self.name.append(name)
        return len(self.parent) - 1

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def length(self) -> np.ndarray:
        """Length of the branch above each node, 0 for the root."""
        time, parent = np.array(self.time), np.array(self.parent)
        return np.where(parent < 0, 0.0, time - time[parent])

    def of_rank(self, rank: str) -> list[int]:
        """Nodes of a rank, in the order of the tree."""
        return [i for i, r in enumerate(self.rank) if r == rank]

    def path(self, node: int) -> list[int]:
        """Nodes from the root to ``node``."""
        path = [node]
        while self.parent[path[-1]] >= 0:
            path.append(self.parent[path[-1]])
        return path[::-1]

    def above(self, node: int, rank: str) -> int:
        """Node of ``rank`` on the path to ``node``."""
        return next(i for i in self.path(node) if self.rank[i] == rank)

    def lineage(self, node: int) -> tuple[str, ...]:
        """Names from the root to ``node``, unnamed splits left out."""
        return tuple(self.name[i] for i in self.path(node) if self.name[i])

    def below(self, node: int, rank: str) -> list[int]:
        """Nodes of ``rank`` in the clade of ``node``."""
        inside = np.zeros(len(self), dtype=bool)
        inside[node] = True
        for i in range(node + 1, len(self)):
            inside[i] = inside[self.parent[i]]
        return [i for i in np.flatnonzero(inside).tolist() if self.rank[i] == rank]

    def covariance(self, rate: np.ndarray) -> np.ndarray:
        """Covariance of one trait between all nodes under Brownian motion.

        Args:
            rate: ``[nodes]`` variance per unit of time on the branch above each node.

        Returns:
            ``[nodes, nodes]``: the sum of rate x length over the branches two nodes share.
        """
        gain = np.asarray(rate) * self.length
        cov = np.zeros((len(self), len(self)))
        for i, p in enumerate(self.parent):
            if p >= 0:
                cov[i, :i] = cov[:i, i] = cov[p, :i]
                cov[i, i] = cov[p, p] + gain[i]
            else:
                cov[i, i] = gain[i]
        return cov

    def evolve(self, rate: np.ndarray, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Brownian motion of several independent traits.

        Args:
            rate: ``[nodes, traits]`` variance per unit of time on the branch above each node.
            start: ``[traits]`` values at the root.
            rng: source of the increments.

        Returns:
            ``[nodes, traits]``.
        """
        step = rng.standard_normal(rate.shape) * np.sqrt(rate * self.length[:, None])
        z = np.empty_like(step)
        for i, p in enumerate(self.parent):
            z[i] = (start if p < 0 else z[p]) + step[i]
        return z


@dataclass(frozen=True)
class World:
    """A tree with the traits of all its nodes.

    Attributes:
        seed: seed of everything in it.
        tree: its tree, from life to species.
        plans: body plan of each class, by the class's node.
        z: latent traits of the nodes of each class, by the class's node: ``[nodes, traits]``
            (rows outside the class are NaN), columns as in ``BodyPlan.traits``.
    """

    seed: int
    tree: Tree
    plans: dict[int, BodyPlan]
    z: dict[int, np.ndarray]

    @cached_property
    def orders(self) -> list[int]:
        """Nodes of the orders."""
        return self.tree.of_rank("order")

    def class_of(self, node: int) -> int:
        """Node of the class that ``node`` belongs to."""
        return self.tree.above(node, "class")

    def class_named(self, name: str) -> int:
        """Node of the class with body plan ``name``."""
        return next(i for i, plan in self.plans.items() if plan.name == name)

    def species(self, node: int) -> list[int]:
        """Nodes of the species in a clade."""
        return self.tree.below(node, "species")

    def taxonomy(self, node: int = 0) -> Any:
        """The named tree below ``node`` as nested dicts that end in lists of species."""
        rank = RANKS[RANKS.index(self.tree.rank[node]) + 1]
        below = self.tree.below(node, rank)
        if rank == "species":
            return [self.tree.name[i] for i in below]
        return {self.tree.name[i]: self.taxonomy(i) for i in below}


_ONSET = "b br c c ch d dr f g gl h l l l m m m n n n p p ph r r r s s t t th tr v x".split()
_VOWEL = "a e i o u a e i o a o ae y".split()
_CODA = ["", "", "", "", "n", "r", "l", "s"]


class _Names:
    """Distinct Latin-sounding names."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.used: set[str] = set()

    def stem(self, syllables: int) -> str:
        pick = self.rng.choice
        parts = [pick(_ONSET) + pick(_VOWEL) for _ in range(syllables - 1)]
        return "".join(parts) + pick(_ONSET) + pick(_VOWEL[:5]) + pick(_CODA)

    def __call__(self, ending: str, syllables: int = 2, before: str = "") -> str:
        while True:
            stem = self.stem(syllables)
            name = stem.rstrip("aeiouy") + ending if ending[0] in "aeiou" else stem + ending
            name = f"{before} {name}" if before else name.capitalize()
            if name not in self.used:
                self.used.add(name)
                return name


def _divide(
    tree: Tree, node: int, count: int, latest: float, rng: np.random.Generator
) -> list[int]:
    """Add Yule-like bifurcations below ``node``, before ``latest``; return the parents to be."""
    if count == 1:
        return [node]
    left = int(rng.integers(1, count))
    ends = []
    for part in (left, count - left):
        at = node
        if part > 1:
            t = tree.time[node]
            at = tree.add(node, t + (latest - t) * rng.uniform(0.15, 0.6), "split")
        ends += _divide(tree, at, part, latest, rng)
    return ends


def _split_into(total: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Positive random integers, ``parts`` of them, whose sum is ``total``."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff([0, *cuts, total]).tolist()


def _grow_class(
    tree: Tree,
    parent: int,
    plan: BodyPlan,
    size: WorldSize,
    names: _Names,
    rng: np.random.Generator,
) -> int:
    """Add a class with its orders, families and species below ``parent``; return its node."""
    crown = rng.uniform(0.3, 0.42)
    top = tree.add(parent, crown, "class", plan.name)
    count = int(rng.integers(size.orders[0], size.orders[1] + 1))
    ages = np.exp(rng.uniform(np.log(0.06), np.log(0.5), count))  # of the orders' crowns
    rng.shuffle(ages)
    for hang, age in zip(_divide(tree, top, count, 0.49, rng), ages, strict=True):
        order = tree.add(hang, 1 - age, "order", names(plan.ending))
        species = int(rng.integers(size.species[0], size.species[1] + 1))
        families = min(int(rng.integers(1, 4)), max(1, species // 2))
        young = age * rng.uniform(0.3, 0.75, families)
        hangs = _divide(tree, order, families, 1 - young.max(), rng)
        sizes = _split_into(species, families, rng)
        for at, crown_age, members in zip(hangs, young, sizes, strict=True):
            family = tree.add(at, 1 - crown_age, "family", names("idae"))
            genus = names("us")
            for tip in _divide(tree, family, members, 1.0, rng):
                tree.add(tip, 1.0, "species", names("is", 2, genus))
    return top


def _rates(tree: Tree, top: int, plan: BodyPlan, rng: np.random.Generator) -> np.ndarray:
    """Rates ``[nodes, traits]``: the class's profile, and a shift at the stem of each order."""
    profile = np.array([t.rate for t in plan.traits]) * np.exp(rng.normal(0, 0.6, len(plan.traits)))
    shift = np.ones(len(tree))
    for i in range(top + 1, len(tree)):
        shift[i] = shift[tree.parent[i]]
        if tree.rank[i] == "order":
            shift[i] *= np.exp(rng.normal(0, 0.5))
    return TEMPO * shift[:, None] * profile


TEMPO = 2.2  # variance that a typical trait gains from the root to a tip


@lru_cache(maxsize=4)
def grow_world(scale: str = "laptop", seed: int = 0) -> World:
    """A tree, grown at random, with the traits that evolved along it.

    Args:
        scale: key of `WORLD_SIZES`.
        seed: seed of the tree, names, rates and traits. From `FIRST_TRAINING_SEED` on, a world
            has all body plans, whatever its scale.
    """
    size = WORLD_SIZES[scale]
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 7])))
    names, tree = _Names(rng), Tree()
    root = tree.add(-1, 0.0, "life", "life")
    classes = len(BODY_PLANS) if seed >= FIRST_TRAINING_SEED else size.classes
    rest = rng.permutation(np.arange(1, len(BODY_PLANS)))[: classes - 1]
    chosen = [BODY_PLANS[i] for i in sorted([0, *rest])]
    plans = {}
    for hang, plan in zip(_divide(tree, root, len(chosen), 0.25, rng), chosen, strict=True):
        plans[_grow_class(tree, hang, plan, size, names, rng)] = plan
    z = {}
    for top, plan in plans.items():
        inside = np.array([top in tree.path(i) for i in range(len(tree))])
        rate = np.where(inside[:, None], _rates(tree, top, plan, rng), TEMPO * 0.25)
        values = tree.evolve(rate, np.zeros(len(plan.traits)), rng)
        values[~inside] = np.nan
        z[top] = values
    return World(seed, tree, plans, z)
