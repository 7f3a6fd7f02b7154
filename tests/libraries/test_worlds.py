"""The procedural tree and its creatures: evolution's law, bytes, counts, places in the tree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from t2v.errors import InputError
from t2v.libraries import SCALES, load_library
from t2v.libraries.worlds.aviary import clades
from t2v.libraries.worlds.creatures import images as creatures
from t2v.libraries.worlds.creatures.body_plans import BODY_PLANS
from t2v.libraries.worlds.creatures.evolution import WORLD_SIZES, Tree, grow_world
from t2v.libraries.worlds.drawing import canvas, shapes
from t2v.libraries.worlds.phylogeny import training_counts


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2V_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def phylogeny():
    return load_library("phylogeny", "smoke", 3)


@pytest.fixture(scope="module")
def aviary():
    return load_library("aviary", "smoke", 3)


# --- evolution ---------------------------------------------------------------------------------


def small_tree() -> Tree:
    """root -0.4- a (-0.6- x, -0.6- y), root -1.0- z."""
    tree = Tree()
    root = tree.add(-1, 0.0, "life", "life")
    a = tree.add(root, 0.4, "split")
    for name, at in (("x", a), ("y", a), ("z", root)):
        tree.add(at, 1.0, "species", name)
    return tree


def test_covariance_of_a_tree_worked_by_hand():
    rate = np.array([0.0, 2.0, 1.0, 3.0, 0.5])  # of the branches above root, a, x, y, z
    tips = small_tree().covariance(rate)[2:, 2:]
    expected = [[0.8 + 0.6, 0.8, 0], [0.8, 0.8 + 1.8, 0], [0, 0, 0.5]]
    np.testing.assert_allclose(tips, expected, atol=1e-12)


def test_traits_follow_brownian_motion_on_the_tree():
    """Tips of many independent traits have the covariance and the mean of the law."""
    tree, n = grow_world("smoke", 0).tree, 6000
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.2, 3.0, len(tree))
    start = 0.7
    z = tree.evolve(np.repeat(rate[:, None], n, 1), np.full(n, start), rng)
    tips = tree.of_rank("species")
    law = tree.covariance(rate)[np.ix_(tips, tips)]
    mean, seen = z[tips].mean(1), np.cov(z[tips])
    sd = np.sqrt(np.diag(law))
    # standard errors: sd / sqrt(n) of a mean, sqrt((v_i v_j + c_ij^2) / n) of a covariance;
    # five of them leave a chance of 1e-4 over the few hundred entries
    assert (np.abs(mean - start) < 5 * sd / np.sqrt(n)).all()
    error = np.sqrt((np.outer(sd, sd) ** 2 + law**2) / n)
    assert (np.abs(seen - law) < 5 * error).all()


def test_relatives_are_alike():
    """Latent traits: species of one order are closer than of two orders of a class."""
    world = grow_world("laptop", 0)
    within, between = [], []
    for top in world.plans:
        z = world.z[top]
        clade = [z[world.species(i)] for i in world.tree.below(top, "order")]
        centre = np.array([c.mean(0) for c in clade])
        within += [np.mean(np.square(c - c.mean(0))) for c in clade]
        between.append(np.mean(np.square(centre - centre.mean(0))))
    assert np.mean(within) < 0.5 * np.mean(between)


def test_classes_differ_in_which_traits_vary():
    """Rates are clade-specific: the spread of a shared trait differs between classes by far."""
    world = grow_world("laptop", 0)
    spread = []
    for top, plan in world.plans.items():
        at = [i for i, t in enumerate(plan.traits) if t.name in ("share", "bulk", "scene_light")]
        spread.append(world.z[top][world.species(top)][:, at].std(0))
    assert (np.max(spread, 0) > 1.3 * np.min(spread, 0)).all()


def test_a_world_is_that_of_its_seed():
    a, b = grow_world("smoke", 5), grow_world("smoke", 6)
    grow_world.cache_clear()
    again = grow_world("smoke", 5)
    assert a.tree == again.tree
    assert all(np.array_equal(a.z[i], again.z[i], equal_nan=True) for i in a.z)
    assert a.tree.time != b.tree.time and a.tree.name != b.tree.name


@pytest.mark.parametrize("scale", SCALES)
def test_tree_is_a_tree(scale):
    world = grow_world(scale, 1)
    tree, size = world.tree, WORLD_SIZES[scale]
    assert all(p < i for i, p in enumerate(tree.parent))
    assert (tree.length[1:] > 0).all()
    species = tree.of_rank("species")
    assert all(tree.time[i] == 1.0 for i in species)
    assert sorted(species) == sorted(set(range(len(tree))) - set(tree.parent))
    named = [n for n in tree.name if n]
    assert len(named) == len(set(named))
    assert len(world.plans) == size.classes and "birds" in {p.name for p in world.plans.values()}
    for order in world.orders:
        assert size.species[0] <= len(world.species(order)) <= size.species[1]
    for i in species:
        assert [tree.rank[j] for j in tree.path(i) if tree.name[j]] == list(
            ("life", "class", "order", "family", "species")
        )


def test_paper_scale_has_the_paper_s_number_of_orders():
    assert len(grow_world("paper", 0).orders) == 207


# --- images ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "style"), [(p.name, "field") for p in BODY_PLANS] + [("birds", "aviary")]
)
def test_bytes_do_not_depend_on_the_batch(plan, style):
    """Alone, in odd chunks, on one thread or two: the same picture, at any size."""
    world = grow_world("paper", 2)
    species = world.species(world.class_named(plan))[:5]
    individuals = creatures.sample_individuals(world, species, np.random.default_rng(0), style)
    size = 37  # not a multiple of any vector width
    whole = creatures.draw_individuals(individuals, size, chunk=5)
    assert torch.equal(whole, creatures.draw_individuals(individuals, size, chunk=1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    other = creatures.draw_individuals(individuals, size, chunk=4)
    torch.set_num_threads(threads)
    assert torch.equal(whole, other)


@pytest.mark.parametrize("plan", [p.name for p in BODY_PLANS])
def test_a_creature_fills_a_fair_part_of_its_picture(plan):
    """Portraits show a creature: neither nothing nor everything, and not cut by the margin."""
    world = grow_world("paper", 4)
    species = world.species(world.class_named(plan))
    picks = species[:: max(1, len(species) // 40)]
    alpha = creatures.portraits(world, picks, 48)[:, 3].float() / 255
    share = alpha.mean((1, 2))
    assert 0.05 < share.min() and share.max() < 0.75
    images = creatures.portraits(world, picks, 48)[:, :3].float()
    assert images.flatten(1).std(1).min() > 5


def test_individuals_of_a_species_vary_around_it():
    world = grow_world("smoke", 0)
    species = world.species(world.class_named("birds"))[:1] * 400
    individuals = creatures.sample_individuals(world, species, np.random.default_rng(0))
    mean = creatures.sample_individuals(world, species[:1], np.random.default_rng(0), "plate")
    trait = next(t for t in individuals.plan.traits if t.name == "coat_hue")
    spread = creatures.INDIVIDUAL * trait.high
    hue = individuals.traits["coat_hue"]
    # 5 standard errors of a mean and of a standard deviation of 400 draws
    assert abs(hue.mean() - mean.traits["coat_hue"][0]) < 5 * spread / np.sqrt(400)
    assert abs(hue.std() / spread - 1) < 5 / np.sqrt(800)


def test_plates_are_without_nuisance():
    world = grow_world("smoke", 0)
    species = world.species(world.class_named("birds"))[:4]
    a = creatures.sample_individuals(world, species, np.random.default_rng(0), "plate")
    b = creatures.sample_individuals(world, species, np.random.default_rng(1), "plate")
    moved = {k for k in a.traits if not np.array_equal(a.traits[k], b.traits[k])}
    assert moved <= {"ox", "oy"}  # where a texture starts


# --- libraries ---------------------------------------------------------------------------------


def test_same_seed_same_bytes_and_others_differ(phylogeny, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))  # drawn again, not read again
    again = load_library("phylogeny", "smoke", 3)
    assert [t.fingerprint for t in phylogeny] == [t.fingerprint for t in again]
    other = load_library("phylogeny", "smoke", 4)
    assert not {t.fingerprint for t in phylogeny} & {t.fingerprint for t in other}


def test_cached_images_are_those_drawn(phylogeny):
    again = load_library("phylogeny", "smoke", 3)
    assert [t.fingerprint for t in phylogeny] == [t.fingerprint for t in again]


def test_tasks_are_well_formed(phylogeny, aviary):
    world = grow_world("smoke", 3)
    for task in [*phylogeny, *aviary]:
        assert task.images.shape[1:] == (3, 48, 48)
        assert task.lineage[:2] == ("life", task.group)
        assert len(set(task.classes)) == task.num_classes >= 2
        for name, path in zip(task.classes, task.class_lineages, strict=True):
            assert path[: len(task.lineage)] == task.lineage and path[-1] == name
        for part, least in ((task.train, 5), (task.held_out, 2)):
            count = np.bincount(part.labels, minlength=task.num_classes)
            assert count.min() >= least and count.max() <= 3 * count.min() + 3
    assert [t.lineage[2] for t in phylogeny] == [world.tree.name[i] for i in world.orders]
    assert {t.group for t in aviary} == {"birds"}


def test_no_image_occurs_twice(phylogeny, aviary):
    """Held-out images are not training images, nor those of another task or library."""
    images = torch.cat([t.images for t in [*phylogeny, *aviary]]).flatten(1).numpy()
    assert len(np.unique(images, axis=0)) == len(images)


def test_aviary_has_the_lineages_of_the_phylogeny(phylogeny, aviary):
    orders = {t.lineage: set(t.classes) for t in phylogeny if t.group == "birds"}
    for task in aviary:
        assert set(task.classes) <= orders[task.lineage[:3]]
        assert len(task.lineage) == 3 or len(task.classes) < len(orders[task.lineage[:3]])


@pytest.mark.parametrize("seed", range(5))
def test_laptop_counts(seed):
    """Counted without drawing: number of tasks, heavy tail, images that fit a small machine."""
    world, size = grow_world("laptop", seed), WORLD_SIZES["laptop"]
    train = np.array(training_counts(world, size))
    assert len(train) == 36
    assert train.sum() + len(train) * size.test <= 14_500
    assert train.max() > 5 * np.median(train)
    assert np.sort(train)[-4:].sum() > 0.25 * train.sum()
    assert ((train >= 70) & (train <= 1200)).all()
    nodes = clades(world, size.aviary)
    assert 9 <= len(nodes) <= 12
    assert sum(world.tree.rank[i] == "family" for i in nodes) >= 2


def test_taxonomy_holds_every_species(phylogeny):
    def leaves(part):
        return part if isinstance(part, list) else [x for v in part.values() for x in leaves(v)]

    assert sorted(leaves(phylogeny.taxonomy)) == sorted(c for t in phylogeny for c in t.classes)


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="'phylogenie' is unknown.*phylogeny"):
        load_library("phylogenie")
    with pytest.raises(InputError, match="'huge'.*smoke, laptop, paper"):
        load_library("phylogeny", "huge")
    for seed in (-1, 1.5, True):
        with pytest.raises(InputError, match="seed.*whole number"):
            load_library("phylogeny", "smoke", seed)
    with pytest.raises(InputError, match="species"):
        world = grow_world("smoke", 0)
        creatures.sample_individuals(world, [], np.random.default_rng(0))


# --- primitives --------------------------------------------------------------------------------


def test_wave_and_turn_are_sine_and_angle():
    t = torch.linspace(-3, 3, 4001)
    assert (shapes.wave(t) - torch.sin(2 * torch.pi * t)).abs().max() < 2.5e-4
    x, y = torch.randn(2, 4001, generator=torch.Generator().manual_seed(0))
    error = shapes.turn(x, y) - torch.atan2(y, x) / (2 * torch.pi)
    assert (error - error.round()).abs().max() < 5e-4


def test_coverage_is_area():
    """Shapes cover as much of the picture as geometry says (half a pixel along the outline)."""
    frame = shapes.view(96, 1)
    area = {
        "circle": (shapes.circle(frame, 0.1, 0.0, 0.5), np.pi * 0.25, np.pi),
        "ellipse": (shapes.ellipse(frame, 0.0, 0.1, 0.7, 0.3), np.pi * 0.21, 3.3),
        "box": (shapes.box(frame, 0.0, 0.0, 0.6, 0.4), 0.96, 4.0),
        "capsule": (
            shapes.capsule(frame, -0.5, 0.0, 0.5, 0.0, 0.2, 0.2),
            0.4 + np.pi * 0.04,
            3.3,
        ),
        "triangle": (shapes.convex(frame, [(-0.5, -0.5), (0.5, -0.5), (0.0, 0.5)]), 0.5, 3.3),
        "notch": (
            shapes.polygon(frame, [(-0.5, -0.5), (0.0, 0.0), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]),
            0.75,
            4.5,
        ),
    }
    for name, (d, expected, outline) in area.items():
        seen = shapes.coverage(d, frame.pixel).mean().item() * 4
        assert abs(seen - expected) < 0.1 * outline * frame.pixel, name


def test_hsv_against_colorsys():
    import colorsys

    rng = np.random.default_rng(0)
    h, s, v = rng.uniform(0, 1, (3, 50))
    expected = np.array([colorsys.hsv_to_rgb(*c) for c in zip(h, s, v, strict=True)])
    np.testing.assert_allclose(canvas.hsv(h, s, v)[:, :, 0, 0], expected, atol=1e-5)
    np.testing.assert_allclose(canvas.hsv(h + 7, s, v)[:, :, 0, 0], expected, atol=1e-4)
