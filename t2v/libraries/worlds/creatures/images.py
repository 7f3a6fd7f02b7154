"""Images of a world's creatures: from traits to individuals, and from these to pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from t2v._run.cache import cached_call
from t2v.errors import InputError
from t2v.libraries.worlds.creatures import flowers, habitats, invertebrates, vertebrates
from t2v.libraries.worlds.creatures.body_plans import BodyPlan
from t2v.libraries.worlds.creatures.evolution import World, grow_world
from t2v.libraries.worlds.drawing.canvas import Canvas, develop, hsv
from t2v.libraries.worlds.drawing.shapes import Frame, column, view
from t2v.task import Task

INDIVIDUAL = 0.3  # standard deviation of an individual's latent traits around its species'
CHUNK = 48  # images drawn at once: their fields stay in a core's cache

BODIES = {
    "birds": vertebrates.bird,
    "fishes": vertebrates.fish,
    "beetles": invertebrates.beetle,
    "beasts": vertebrates.beast,
    "butterflies": invertebrates.butterfly,
    "flowers": flowers.flower,
    "medusae": invertebrates.medusa,
    "stars": invertebrates.star,
    "snails": invertebrates.snail,
}
"""The function that draws each body plan."""

# Nuisance: (low, high) of uniform draws, by style. Angles in turns, lengths in half images.
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
# Other individuals, for the experts. The position of a style enters the seed of its individuals.
STYLES["experts"] = STYLES["field"]


@dataclass(frozen=True)
class Individuals:
    """Creatures of one class, each in front of a camera.

    Attributes:
        plan: body plan of the class.
        traits: phenotypes and nuisances by name, ``[N]`` float32 each.
        start: ``[N]`` integers that choose the sensor noise of each image.
        style: key of `STYLES`, or "plate" for a portrait without nuisance.
    """

    plan: BodyPlan
    traits: Mapping[str, np.ndarray]
    start: np.ndarray
    style: str

    def __len__(self) -> int:
        return len(self.start)


def sample_individuals(
    world: World, species: np.ndarray, rng: np.random.Generator, style: str = "field"
) -> Individuals:
    """Draw one individual for each entry of ``species``.

    Args:
        world: the world that the species belong to.
        species: ``[N]`` nodes of species, all of one class.
        rng: generator of the individual variation and the nuisances.
        style: key of `STYLES`, or "plate": the mean of the species, without nuisance.

    Raises:
        InputError: if there is no species or a node is not one.
    """
    species = np.asarray(species)
    n = len(species)
    if n == 0 or any(world.tree.rank[i] != "species" for i in species):
        raise InputError(f"species must be nodes of rank species, at least one; got {species}")
    top = world.class_of(int(species[0]))
    plan = world.plans[top]
    z = world.z[top][species]
    plate = style == "plate"
    variation = rng.standard_normal(z.shape)
    z = z if plate else z + INDIVIDUAL * variation
    t = {trait.name: trait.phenotype(z[:, i]) for i, trait in enumerate(plan.traits)}

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


def _paint(
    individuals: Individuals, rows: slice, size: int, scene: bool
) -> tuple[Canvas, Frame, dict]:
    """The painted canvas of some individuals, the frame of the image, and their parameters."""
    plan = individuals.plan
    t = {name: column(values[rows]) for name, values in individuals.traits.items()}
    batch = len(individuals.start[rows])
    t["stage"] = torch.full((batch, 1, 1), float(scene))  # perch and shadow are scenery
    frame = view(size, batch)
    if scene:
        bokeh = individuals.style == "aviary"
        background = (habitats.bokeh if bokeh else habitats.HABITATS[plan.name])(frame, t)
    else:
        background = torch.ones(batch, 3, size, size)
    canvas = Canvas(background, size)
    body = frame.moved(
        t["move_x"], t["move_y"] + plan.lower, t["angle"], t["zoom"] * t["bulk"] * plan.zoom
    )
    body = Frame(body.x * t["flip"], body.y, body.pixel)
    BODIES[plan.name](canvas, body, t)
    canvas.relief(t["sun_x"], -0.75, t["relief"], frame.pixel)
    if plan.shadow and scene:
        canvas.shadow(-0.16 * t["sun_x"], 0.1, 0.45)
    return canvas, frame, t


def draw_individuals(individuals: Individuals, size: int = 48, chunk: int = CHUNK) -> Tensor:
    """Images of individuals in their habitats.

    Args:
        individuals: N creatures, from `sample_individuals`.
        size: side of the images in pixels; the same individuals can be drawn at any.
        chunk: number of images drawn at once; it changes the speed, not one byte.

    Returns:
        uint8 ``[N, 3, size, size]``.
    """
    images = torch.empty(len(individuals), 3, size, size, dtype=torch.uint8)
    for i in range(0, len(individuals), chunk):
        rows = slice(i, i + chunk)
        canvas, frame, t = _paint(individuals, rows, size, scene=True)
        images[rows] = develop(
            canvas.colour,
            frame,
            light=(t["light_x"], t["light_y"]),
            exposure=t["exposure"],
            cast=hsv(t["cast_hue"], t["cast"], 1.0),
            soft=t["soft"],
            sensor=t["sensor"],
            start=individuals.start[rows],
        )
    return images


def task_individuals(
    world: World, node: int, train: int, test: int, style: str
) -> tuple[Individuals, np.ndarray, np.ndarray]:
    """The individuals of the task "which species of this clade?", their labels and held-out mask.

    Training images are spread over the species with some unevenness (log-normal, 0.25), held-out
    images evenly. The draws depend on the world's seed, the clade and the style alone.

    Args:
        world: the world that the clade belongs to.
        node: node of the clade.
        train: number of training images.
        test: number of held-out images.
        style: key of `STYLES`.

    Returns:
        N individuals, in random order; int64 ``[N]``, positions in ``world.species(node)``; bool
        ``[N]``, held out.
    """
    rng = np.random.Generator(
        np.random.Philox(np.random.SeedSequence([world.seed, 13, list(STYLES).index(style), node]))
    )
    species = np.array(world.species(node))
    k = len(species)
    share = np.exp(0.25 * rng.standard_normal(k))
    share = np.maximum(5, np.floor(train * share / share.sum())).astype(int)
    share[0] = max(5, share[0] + train - share.sum())
    labels = np.concatenate([np.repeat(np.arange(k), share), np.arange(test) % k])
    held_out = np.arange(len(labels)) >= share.sum()
    order = rng.permutation(len(labels))
    labels, held_out = labels[order], held_out[order]
    individuals = sample_individuals(world, species[labels], rng, style)
    return individuals, labels.astype(np.int64), held_out


def clade_tasks(
    world: World, nodes: list[int], train: list[int], test: int, style: str, scale: str
) -> list[Task]:
    """Tasks that tell apart the species of clades; their images are cached under `T2V_CACHE`.

    Args:
        world: the world that the clades belong to.
        nodes: C nodes of clades with at least two species.
        train: C numbers of training images.
        test: number of held-out images of each task, raised to two per species.
        style: key of `STYLES`.
        scale: scale of the world, part of the cache's key.

    Returns:
        C tasks.
    """
    parts = [
        task_individuals(world, node, count, max(test, 2 * len(world.species(node))), style)
        for node, count in zip(nodes, train, strict=True)
    ]
    key = (scale, world.seed, style, tuple(nodes), tuple(train), test)
    ends = np.cumsum([len(labels) for _, labels, _ in parts])
    images = np.split(cached_call(_draw_all, key, parts), ends[:-1])
    tasks = []
    for node, of_node, (_, labels, held_out) in zip(nodes, images, parts, strict=True):
        lineage = world.tree.lineage(node)
        tasks.append(
            Task(
                f"{style} {lineage[-1]}" if style != "field" else lineage[-1],
                torch.from_numpy(of_node),
                torch.from_numpy(labels),
                [world.tree.name[i] for i in world.species(node)],
                lineage,
                lineage[1],
                torch.from_numpy(held_out),
                [world.tree.lineage(i) for i in world.species(node)],
            )
        )
    return tasks


def _draw_all(key: tuple, parts: list) -> np.ndarray:
    """All images of a library, ``[N, 3, 48, 48]``, one thread per core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the threads below share the work out in larger pieces
    images = Parallel(n_jobs=-1, prefer="threads")(
        delayed(draw_individuals)(individuals) for individuals, _, _ in parts
    )
    torch.set_num_threads(threads)
    return torch.cat(images).numpy()


def portraits(world: World, species: list[int], size: int = 96, scene: bool = False) -> Tensor:
    """Portraits of species for figures: their mean individuals, without nuisance.

    Args:
        world: the world that the species belong to.
        species: N nodes of species, of any classes.
        size: side of the images in pixels.
        scene: whether the creatures stand in their habitats; False cuts them out.

    Returns:
        uint8 ``[N, 4, size, size]``: red, green, blue, and opacity (all 255 in a scene).
    """
    nodes = np.asarray(species)
    images = torch.empty(len(species), 4, size, size, dtype=torch.uint8)
    tops = np.array([world.class_of(int(i)) for i in species])
    for top in dict.fromkeys(tops.tolist()):
        rows = np.flatnonzero(tops == top)
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([world.seed, 19, top])))
        individuals = sample_individuals(world, nodes[rows], rng, "plate")
        for i in range(0, len(rows), CHUNK):
            canvas, frame, _ = _paint(individuals, slice(i, i + CHUNK), size, scene)
            colour, alpha = canvas.colour, torch.ones_like(canvas.alpha)
            if not scene:  # take the white paper out of half-covered pixels
                alpha = canvas.alpha
                a = alpha.unsqueeze(1)
                colour = (colour - (1 - a)) / a.clamp(min=1e-3)
            images[rows[i : i + CHUNK], :3] = develop(colour, frame)
            images[rows[i : i + CHUNK], 3] = torch.floor(alpha * 255 + 0.5).to(torch.uint8)
    return images


def order_portraits(
    scale: str = "laptop", seed: int = 0, *, columns: int = 3, size: int = 96, scene: bool = False
) -> tuple[Tensor, list[int], World]:
    """Portraits of every order of a world, one row per order, in the order of the tree.

    Args:
        scale: scale of the world.
        seed: seed of the world.
        columns: number of species of each order, spread over its clade; an order with fewer
            repeats some.
        size: side of the images in pixels.
        scene: whether the creatures stand in their habitats; False cuts them out.

    Returns:
        uint8 ``[orders, columns, 4, size, size]``; the nodes of the orders; the world, whose
        ``tree.lineage(node)`` names the rows.
    """
    world = grow_world(scale, seed)
    chosen = []
    for order in world.orders:
        species = world.species(order)
        chosen += [species[int(j)] for j in np.linspace(0, len(species) - 1, columns).round()]
    images = portraits(world, chosen, size, scene)
    return images.reshape(len(world.orders), columns, 4, size, size), world.orders, world
