"""Unseen images of training tasks: rightly labelled, none twice, none of another root."""

import torch

from t2v.book.unseen import halves, unseen_images
from tests.small import small_task


def library_and_training_task():
    tree = {"lineage": ("life", "birds")}
    first = small_task("first", classes=3, count=60, **tree)  # c0, c1, c2
    again = small_task("again", classes=3, count=60, **tree)  # the same images
    foreign = small_task("foreign", classes=3, count=60, seed=1, lineage=("things",))
    training = small_task("training", classes=5, count=50, seed=2, **tree)
    training = type(training)(
        "training", training.images, training.labels, ["x", "c2", "c0", "y", "z"], ("life",)
    )
    return [first, again, foreign], training


def test_images_are_held_out_have_the_labels_of_their_names_and_come_once():
    tasks, training = library_and_training_task()
    found = unseen_images([training], tasks, 1000)["training"]
    held_out = tasks[0].held_out
    expected = {
        held_out.images[i].numpy().tobytes(): {0: 2, 2: 1}[k]
        for i, k in enumerate(held_out.labels.tolist())
        if k != 1
    }
    got = [
        (x.numpy().tobytes(), k) for x, k in zip(found.images, found.labels.tolist(), strict=True)
    ]
    assert len(got) == len(expected) and dict(got) == expected
    assert found.classes == training.classes and found.name == "training"
    few = unseen_images([training], tasks, 4)["training"]
    assert torch.bincount(few.labels, minlength=5).tolist() == [0, 2, 2, 0, 0]


def test_a_training_task_without_two_classes_in_the_library_is_left_out():
    tasks, training = library_and_training_task()
    alone = type(training)("alone", training.images, training.labels, ["c0", *"wxyz"], ("life",))
    assert list(unseen_images([alone, training], tasks, 10)) == ["training"]
    assert unseen_images([training], tasks[2:], 10) == {}


def test_halves_share_no_image_and_split_every_class():
    task = small_task(classes=4, count=50, held_out=0)
    first, second = halves(task)
    both = [image.numpy().tobytes() for part in (first, second) for image in part.images]
    assert sorted(both) == sorted(image.numpy().tobytes() for image in task.images)
    counts = [torch.bincount(part.labels, minlength=4) for part in (first, second)]
    assert ((counts[0] - counts[1]).clamp(0, 1) == counts[0] - counts[1]).all()
    assert halves(task, 1)[0].fingerprint != first.fingerprint
