"""Photographs of a world's creatures: from traits to individuals, and from these to images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from t2v._run.cache import cached_call
from t2v.errors import InputError
from t2v.libraries.worlds.creatures import bodies, habitats
from t2v.libraries.worlds.creatures.body_plans import Plan
from t2v.libraries.worlds.creatures.evolution import World, world
from t2v.libraries.worlds.drawing import render as r
from t2v.task import Task

INDIVIDUAL = 0.3  # standard deviation of an individual's latent traits around its species'
CHUNK = 48  # images drawn at once: their fields stay in a core's cache

# Nuisance: (low, high) of uniform draws, by style. Angles in turns, lengths in half pictures.
STYLES: dict[str, dict[str, tuple[float, float]]] = {
    "field": {
        "zoom": (0.8, 1.08),
        "shift": (-0.13, 0.13),
        "light": (-0.22, 0.22),
        "exposure": (0.82, 1.12),
        "cast": (0.0, 0.1),
        "cast_hue": (0.0, 1.0),
        "soft": (0.0, 0.35),
        "sensor": (0.004, 0.024),
    },
    "aviary": {
        "zoom": (0.85, 1.15),
        "shift": (-0.1, 0.1),
        "light": (-0.1, 0.1),
        "exposure": (0.9, 1.15),
        "cast": (0.16, 0.3),
        "cast_hue": (0.06, 0.12),
        "soft": (0.4, 1.0),
        "sensor": (0.004, 0.016),
    },
}


STYLES["zoo"] = STYLES["field"]  # other individuals, for the experts


@dataclass(frozen=True)
class Individuals:
    """Creatures of one class, each in front of a camera.

    Attributes:
        plan: body plan of the class.
        traits: phenotype and nuisance by name, ``[N]`` float32 each.
        start: ``[N]`` integers that choose each image's sensor noise.
        style: key of `STYLES`, or "plate" for a portrait without nuisance.
    """

    plan: Plan
    traits: Mapping[str, np.ndarray]
    start: np.ndarray
    style: str

    def __len__(self) -> int:
        return len(self.start)


def individuals(
    here: World, species: np.ndarray, rng: np.random.Generator, style: str = "field"
) -> Individuals:
    """Draw one individual for each entry of ``species`` (nodes of one class).

    Args:
        here: the world.
        species: ``[N]`` species nodes, all of one class.
        rng: of individual variation and nuisance.
        style: key of `STYLES`, or "plate": the species' mean, no nuisance.

    Raises:
        InputError: if there is no species or a node is not one.
    """
    species = np.asarray(species)
    n = len(species)
    if n == 0 or any(here.tree.rank[i] != "species" for i in species):
        raise InputError(f"species must be nodes of rank species, at least one; got {species}")
    top = here.class_of(int(species[0]))
    plan = here.plan[top]
    z = here.z[top][species]
    plate = style == "plate"
    wobble = rng.standard_normal(z.shape)
    z = z if plate else z + INDIVIDUAL * wobble
    t = {trait.name: trait.seen(z[:, i]) for i, trait in enumerate(plan.traits)}

    def uniform(low: float, high: float, still: float = 0.0) -> np.ndarray:
        u = rng.uniform(low, high, n)
        return np.full(n, still) if plate else u

    nuisance = STYLES["field" if plate else style]
    lean = 0.035 if plan.upright else 0.11
    t |= {
        "ox": rng.uniform(0, 16, n),
        "oy": rng.uniform(0, 16, n),
        "phase": uniform(-0.12, 0.12),
        "lean": uniform(-1, 1, 0.4),
        "spin": uniform(-0.5, 0.5, 0.02),
        "angle": uniform(-lean, lean),
        "flip": np.where(uniform(-1, 1, 1.0) < 0, -1.0, 1.0),
        "zoom": uniform(*nuisance["zoom"], 0.92),
        "move_x": uniform(*nuisance["shift"]),
        "move_y": uniform(*nuisance["shift"]),
        "light_x": uniform(*nuisance["light"]),
        "light_y": uniform(*nuisance["light"]),
        "sun_x": uniform(-0.9, 0.5, -0.5),
        "relief": uniform(0.35, 0.6, 0.45),
        "exposure": uniform(*nuisance["exposure"], 1.0),
        "cast_hue": uniform(*nuisance["cast_hue"]),
        "cast": uniform(*nuisance["cast"]),
        "soft": uniform(*nuisance["soft"]),
        "sensor": uniform(*nuisance["sensor"]),
        "bokeh_hue": uniform(0.05, 0.5),
        "bokeh_light": uniform(0.35, 0.9),
    }
    start = rng.integers(0, 1 << 20, n)
    return Individuals(plan, {k: v.astype(np.float32) for k, v in t.items()}, start, style)


def _draw(who: Individuals, rows: slice, size: int, scene: bool) -> tuple[r.Canvas, r.Frame, dict]:
    t = {k: r.column(v[rows]) for k, v in who.traits.items()}
    batch = len(who.start[rows])
    t["stage"] = torch.full((batch, 1, 1), float(scene))  # perch and shadow are scenery
    frame = r.view(size, batch)
    if scene:
        paint = habitats.bokeh if who.style == "aviary" else habitats.OF_PLAN[who.plan.name]
        background = paint(frame, t)
    else:
        background = torch.ones(batch, 3, size, size)
    canvas = r.Canvas(background, size)
    body = frame.moved(
        t["move_x"], t["move_y"] + who.plan.lower, t["angle"], t["zoom"] * t["bulk"] * who.plan.zoom
    )
    body = r.Frame(body.x * t["flip"], body.y, body.pixel)
    bodies.DRAW[who.plan.name](canvas, body, t)
    canvas.relief(t["sun_x"], -0.75, t["relief"], frame.pixel)
    if who.plan.shadow and scene:
        canvas.shadow(-0.16 * t["sun_x"], 0.1, 0.45)
    return canvas, frame, t


def photograph(who: Individuals, size: int = 48, chunk: int = CHUNK) -> Tensor:
    """Photographs of individuals.

    Args:
        who: from `individuals`.
        size: side of the pictures, in pixels; the same individuals can be drawn at any.
        chunk: images drawn at once; changes the speed, not one byte.

    Returns:
        uint8 ``[N, 3, size, size]``.
    """
    out = torch.empty(len(who), 3, size, size, dtype=torch.uint8)
    for i in range(0, len(who), chunk):
        rows = slice(i, i + chunk)
        canvas, frame, t = _draw(who, rows, size, scene=True)
        cast = r.hsv(t["cast_hue"], t["cast"], 1.0)
        out[rows] = r.develop(
            canvas.colour,
            frame,
            light=(t["light_x"], t["light_y"]),
            exposure=t["exposure"],
            cast=cast,
            soft=t["soft"],
            sensor=t["sensor"],
            start=who.start[rows],
        )
    return out


def task_individuals(
    here: World, node: int, train: int, test: int, style: str
) -> tuple[Individuals, np.ndarray, np.ndarray]:
    """The individuals of the task "which species of this clade?", labels and test mask.

    Training images are spread over the species with some unevenness (log-normal, 0.25), held-out
    images evenly. The draws depend on the world's seed, the clade and the style alone.
    """
    rng = np.random.Generator(
        np.random.Philox(np.random.SeedSequence([here.seed, 13, list(STYLES).index(style), node]))
    )
    species = np.array(here.species(node))
    k = len(species)
    share = np.exp(0.25 * rng.standard_normal(k))
    share = np.maximum(5, np.floor(train * share / share.sum())).astype(int)
    share[0] = max(5, share[0] + train - share.sum())
    labels = np.concatenate([np.repeat(np.arange(k), share), np.arange(test) % k])
    held_out = np.arange(len(labels)) >= share.sum()
    order = rng.permutation(len(labels))
    labels, held_out = labels[order], held_out[order]
    return individuals(here, species[labels], rng, style), labels.astype(np.int64), held_out


def tasks(
    here: World, nodes: list[int], train: list[int], test: int, style: str, scale: str
) -> list[Task]:
    """Tasks that tell apart the species of each clade in ``nodes``; images kept under `T2V_CACHE`.

    Args:
        here: the world.
        nodes: clades with at least two species.
        train: training images of each.
        test: held-out images of each, at least two per species.
        style: key of `STYLES`.
        scale: of the world (the key of the kept images).
    """
    parts = [
        task_individuals(here, node, n, max(test, 2 * len(here.species(node))), style)
        for node, n in zip(nodes, train, strict=True)
    ]
    key = (scale, here.seed, style, tuple(nodes), tuple(train), test)
    images = cached_call(_photograph_all, key, parts)
    out, at = [], 0
    for node, (who, labels, held_out) in zip(nodes, parts, strict=True):
        lineage = here.tree.lineage(node)
        out.append(
            Task(
                f"{style} {lineage[-1]}" if style != "field" else lineage[-1],
                torch.from_numpy(images[at : at + len(who)]),
                torch.from_numpy(labels),
                [here.tree.name[i] for i in here.species(node)],
                lineage,
                lineage[1],
                torch.from_numpy(held_out),
            )
        )
        at += len(who)
    return out


def _photograph_all(key: tuple, given: list) -> np.ndarray:
    """All images of a library, ``[N, 3, 48, 48]``, one thread per core."""
    everyone = [who for who, _, _ in given]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the threads below share the work out in larger pieces
    images = Parallel(n_jobs=-1, prefer="threads")(delayed(photograph)(who) for who in everyone)
    torch.set_num_threads(threads)
    return torch.cat(images).numpy()


def portraits(here: World, species: list[int], size: int = 96, scene: bool = False) -> Tensor:
    """The mean individual of each species, without nuisance: for figures.

    Args:
        here: the world.
        species: nodes of any classes.
        size: side of the pictures, in pixels.
        scene: in their habitat; False cuts the creatures out.

    Returns:
        uint8 ``[N, 4, size, size]``: red, green, blue, and opacity (all 255 in a scene).
    """
    species = np.asarray(species)
    out = torch.empty(len(species), 4, size, size, dtype=torch.uint8)
    tops = np.array([here.class_of(int(i)) for i in species])
    for top in dict.fromkeys(tops.tolist()):
        rows = np.flatnonzero(tops == top)
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([here.seed, 19, top])))
        who = individuals(here, species[rows], rng, "plate")
        for i in range(0, len(rows), CHUNK):
            canvas, frame, _ = _draw(who, slice(i, i + CHUNK), size, scene)
            colour, alpha = canvas.colour, torch.ones_like(canvas.alpha)
            if not scene:  # take the white paper out of half-covered pixels
                alpha = canvas.alpha
                a = alpha.unsqueeze(1)
                colour = (colour - (1 - a)) / a.clamp(min=1e-3)
            out[rows[i : i + CHUNK], :3] = r.develop(colour, frame)
            out[rows[i : i + CHUNK], 3] = torch.floor(alpha * 255 + 0.5).to(torch.uint8)
    return out


def pictures(
    scale: str = "laptop", seed: int = 0, *, columns: int = 3, size: int = 96, scene: bool = False
) -> tuple[Tensor, list[int], World]:
    """Creatures of every order of a world, one row per order, in the order of the tree.

    Args:
        scale: of the world.
        seed: of the world.
        columns: species of each order, spread over its clade; an order with fewer repeats some.
        size: side of each picture, in pixels.
        scene: see `portraits`.

    Returns:
        uint8 ``[orders, columns, 4, size, size]``; the orders' nodes; the world, whose
        ``tree.lineage(node)`` names the rows.
    """
    here = world(scale, seed)
    pick = []
    for order in here.orders:
        species = here.species(order)
        pick += [species[int(j)] for j in np.linspace(0, len(species) - 1, columns).round()]
    images = portraits(here, pick, size, scene)
    return images.reshape(len(here.orders), columns, 4, size, size), here.orders, here
