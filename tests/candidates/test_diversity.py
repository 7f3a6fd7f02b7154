"""Diversity is 0 where batches differ by chance only, and larger where their classes differ."""

import numpy as np
import pytest
import torch

from t2v.candidates.diversity import _batches, diversity
from t2v.errors import InputError
from t2v.task import Task
from tests.small import small_probe, small_task


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


def test_batches_of_a_round_share_no_class_and_halves_no_image():
    task = small_task(classes=7, count=140, held_out=0)
    pairs = list(_batches(task, 2, 3, 5, np.random.default_rng(0)))
    assert len(pairs) == 3
    classes = [c for first, second in pairs for c in first.classes]
    assert len(set(classes)) == 6
    for first, second in pairs:
        assert first.classes == second.classes and len(first) == len(second) == 10
        images = {image.numpy().tobytes() for half in (first, second) for image in half.images}
        assert len(images) == 20
        for half in (first, second):
            # the labels are still those of the images
            k = task.classes.index(half.classes[1])
            own = {i.numpy().tobytes() for i in task.images[task.labels == k]}
            assert all(i.numpy().tobytes() in own for i in half.images[half.labels == 1])


def test_labels_without_meaning_have_no_diversity():
    task = small_task(classes=8, count=320, held_out=0)
    shuffled = task.labels[torch.randperm(320, generator=torch.Generator().manual_seed(0))]
    nothing = Task("nothing", task.images, shuffled, task.classes)
    found = diversity(nothing, small_probe(), jobs=1, rounds=4)
    assert found.diversity.low < 0.02 and abs(found.diversity.value) < found.floor / 3
    assert found.diversity.value == pytest.approx(found.between - found.floor)


def test_different_questions_are_diverse():
    """Classes that differ in colour, and classes that differ in the direction of stripes."""
    rng = np.random.default_rng(0)
    images, labels = [], []
    for k in range(8):
        for _ in range(24):
            image = rng.normal(120, 20, (12, 12, 3))
            if k < 4:
                image[..., k % 3] += 60 + 15 * k
            else:
                image[:: 2 + k % 2, ...] += 70 if k < 6 else 0
                image[:, :: 2 + k % 2, :] += 0 if k < 6 else 70
            images.append(image.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
            labels.append(k)
    task = Task("both", torch.tensor(np.array(images)), labels, [f"c{k}" for k in range(8)])
    found = diversity(task, small_probe(), jobs=1, rounds=4)
    assert found.diversity.low > 0 and found.between > found.floor


def test_what_cannot_be_divided_is_refused():
    for task, message in (
        (small_task(classes=3), "four are needed"),
        (small_task(classes=5, count=12, held_out=0), "two batches of two"),
    ):
        with pytest.raises(InputError, match=message):
            diversity(task, small_probe())
    with pytest.raises(InputError, match="two or more"):
        diversity(small_task(classes=4), small_probe(), rounds=1)
