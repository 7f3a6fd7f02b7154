"""The wardrobe: the same images for all tasks; attributes independent and visible."""

from __future__ import annotations

import colorsys
from itertools import combinations

import pytest
import torch

from t2v.errors import InputError
from t2v.libraries import load_library
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES, Garments, sample_garments
from t2v.libraries.worlds.garments.images import cached_garments, draw_garments
from t2v.libraries.worlds.wardrobe import wardrobe_garments


@pytest.fixture(scope="module")
def wardrobe():
    return load_library("wardrobe", "smoke", 3)


def garments(count: int, seed: int = 5) -> Garments:
    return sample_garments(count, torch.Generator().manual_seed(seed))


def dressed(original: Garments, **values: str) -> Garments:
    """The same garments with some attributes set."""
    changed = dict(original.values)
    for group, value in values.items():
        position = ATTRIBUTES[group].index(value)
        changed[group] = torch.full_like(changed[group], position)
    return Garments(changed, original.nuisances)


# --- the library -------------------------------------------------------------------------------


def test_all_tasks_have_the_same_images_and_the_same_split(wardrobe):
    images, test = wardrobe.tasks[0].images, wardrobe.tasks[0].test
    assert images.shape == (270, 3, 48, 48) and images.dtype == torch.uint8
    assert all(task.images is images and task.test is test for task in wardrobe)
    assert int(test.sum()) == wardrobe.provenance["held_out"] == 90


def test_a_task_says_which_attribute_it_asks_for(wardrobe):
    for task in wardrobe:
        assert task.classes == (f"not {task.name}", task.name)
        assert task.lineage == ("wardrobe", task.group, task.name)
        assert task.name in wardrobe.taxonomy["wardrobe"][task.group]
    assert len({task.name for task in wardrobe}) == len(wardrobe) == 12


def test_labels_are_those_of_the_garments_drawn(wardrobe):
    drawn = wardrobe_garments(180, 90, 3)
    task = next(task for task in wardrobe if task.name == "red")
    is_red = drawn.values["colour"] == ATTRIBUTES["colour"].index("red")
    assert torch.equal(task.labels.bool(), is_red)
    assert torch.equal(wardrobe.tasks[0].images[40:72], draw_garments(drawn.take(slice(40, 72))))


def test_every_value_has_its_share_on_both_sides_of_the_split(wardrobe):
    for task in wardrobe:
        count = len(ATTRIBUTES[task.group])
        for part, size in ((task.train, 180), (task.held_out, 90)):
            assert size // count <= int(part.labels.sum()) <= -(-size // count)


def test_a_garment_has_one_value_of_a_group(wardrobe):
    by_group = {}
    for task in wardrobe:
        by_group[task.group] = by_group.get(task.group, 0) + task.labels
    for group, taken in by_group.items():
        assert int(taken.max()) == 1, group


def test_attributes_of_different_groups_are_independent():
    n = 20000
    values = garments(n).values
    for a, b in combinations(ATTRIBUTES, 2):
        table = torch.zeros(len(ATTRIBUTES[a]), len(ATTRIBUTES[b]), dtype=torch.float64)
        table.index_put_((values[a], values[b]), torch.tensor(1.0).double(), accumulate=True)
        expected = table.sum(1, keepdim=True) * table.sum(0) / n
        chi = float(((table - expected) ** 2 / expected).sum())
        freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        # mean and standard deviation of chi-square; five of them over 21 pairs of groups
        assert chi < freedom + 5 * (2 * freedom) ** 0.5, (a, b)


def test_there_are_enough_values_for_a_map_and_no_two_have_one_name():
    values = [value for values in ATTRIBUTES.values() for value in values]
    assert len(set(values)) == len(values) >= 30


def test_seed_decides(wardrobe, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))  # drawn again, not read again
    again, other = load_library("wardrobe", "smoke", 3), load_library("wardrobe", "smoke", 4)
    assert again.tasks[5].fingerprint == wardrobe.tasks[5].fingerprint
    assert not torch.equal(other.tasks[5].labels, wardrobe.tasks[5].labels)
    assert (other.tasks[0].images != wardrobe.tasks[0].images).float().mean() > 0.9


def test_cached_garments_are_those_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))
    worn = [wardrobe_garments(5, 2, seed) for seed in (0, 1)]
    for size in (48, 24):
        for garments_of_seed in worn:
            drawn = draw_garments(garments_of_seed, size)
            assert torch.equal(cached_garments(garments_of_seed, size), drawn)  # drawn
            with monkeypatch.context() as patch:
                patch.setattr("t2v.libraries.worlds.garments.images.draw_garments", None)
                assert torch.equal(cached_garments(garments_of_seed, size), drawn)  # read
    monkeypatch.setattr("t2v._run.cache.code_version", lambda module: "other")
    monkeypatch.setattr("t2v.libraries.worlds.garments.images.draw_garments", None)
    with pytest.raises(TypeError):
        cached_garments(worn[0])


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="huge"):
        load_library("wardrobe", "huge")


# --- the images ------------------------------------------------------------------------------


def test_a_picture_does_not_depend_on_its_neighbours_or_on_threads():
    drawn = garments(40)
    together = draw_garments(drawn)
    for part in (slice(0, 1), slice(30, 34), slice(37, 40)):
        assert torch.equal(draw_garments(drawn.take(part)), together[part])
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        assert torch.equal(draw_garments(drawn.take(slice(0, 17))), together[:17])
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("group", ATTRIBUTES)
def test_a_value_can_be_seen(group):
    """The same garments with another value of one group are other images, each of them."""
    worn = garments(24)
    images = [draw_garments(dressed(worn, **{group: value})) for value in ATTRIBUTES[group]]
    for (a, one), (b, other) in combinations(enumerate(images), 2):
        difference = (one.int() - other.int()).abs().amax(1)  # over channels
        seen = (difference > 20).flatten(1).sum(1)  # pixels changed by more than the noise
        # a dozen pixels of 2,304: a button or the corner of a neckline
        assert seen.float().quantile(0.25) > 12, (ATTRIBUTES[group][a], ATTRIBUTES[group][b])


# nothing but cloth on the chest
PLAIN = {
    "category": "top",
    "pattern": "plain",
    "material": "cotton",
    "neckline": "turtleneck",
    "detail": "pockets",
}


@pytest.mark.parametrize(
    ("colour", "hues"),
    [
        ("red", (-0.08, 0.06)),
        ("yellow", (0.08, 0.20)),
        ("green", (0.24, 0.5)),
        ("blue", (0.5, 0.72)),
    ],
)
def test_plain_cloth_has_the_hue_of_its_name(colour, hues):
    worn = dressed(garments(40), **PLAIN, colour=colour)
    chest = draw_garments(worn)[:, :, 19:22, 22:26].float().mean((2, 3)) / 255
    hue = torch.tensor([colorsys.rgb_to_hsv(*pixel.tolist())[0] for pixel in chest])
    hue = torch.where(hue > 0.9, hue - 1, hue)
    inside = (hue > hues[0]) & (hue < hues[1])
    assert inside.float().mean() >= 0.9


def test_black_is_darker_than_white():
    worn = dressed(garments(40), **PLAIN)
    level = {
        colour: draw_garments(dressed(worn, colour=colour))[:, :, 19:22, 22:26].float().mean()
        for colour in ("black", "white")
    }
    assert level["black"] < 80 < 150 < level["white"]


def test_pages_may_ask_for_larger_images():
    worn = garments(6)
    large = draw_garments(worn, 96)
    assert large.shape == (6, 3, 96, 96)
    small = torch.nn.functional.avg_pool2d(large.float(), 2)
    # the same scene: what differs is noise and what one pixel cannot hold
    assert (small - draw_garments(worn, 48).float()).abs().mean() < 16
