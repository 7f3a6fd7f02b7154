"""Tasks: what they accept, how they split, and how they read what users have."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from t2v import InputError, Task
from t2v.task import draw_evenly
from tests.small import small_task


def small(count=12, **options):
    images = torch.arange(count * 3 * 4 * 4, dtype=torch.int64).remainder(256).to(torch.uint8)
    return Task(
        "small", images.view(count, 3, 4, 4), torch.arange(count) % 3, ["a", "b", "c"], **options
    )


def test_train_and_held_out_are_a_partition():
    test = torch.tensor([True, False] * 6)
    task = small(test=test)
    assert torch.equal(task.train.images, task.images[~test])
    assert torch.equal(task.held_out.labels, task.labels[test])
    assert task.train.test is None
    assert small().train is not None
    with pytest.raises(InputError, match="'small' holds no images out"):
        _ = small().held_out


def test_a_source_gives_the_same_as_a_tensor():
    tensor = small(test=torch.tensor([False, True, False] * 4))
    source = Task("small", list(tensor.images), tensor.labels, tensor.classes, test=tensor.test)
    assert all(torch.equal(source.train.images[i], tensor.train.images[i]) for i in range(8))
    nested = source.train.subset([1, 3]).images
    assert torch.equal(nested[1], tensor.train.images[3])


def test_fingerprint_tells_contents_apart():
    task = small()
    assert task.fingerprint == small().fingerprint
    other_images = task.images.clone()
    other_images[0, 0, 0, 0] += 1
    others = [
        Task("other", task.images, task.labels, task.classes),
        Task("small", other_images, task.labels, task.classes),
        Task("small", task.images, task.labels.flip(0), task.classes),
        small(test=torch.zeros(12, dtype=torch.bool)),
        small(group="g"),
    ]
    assert len({t.fingerprint for t in [task, *others]}) == 6


def test_class_lineages_are_one_for_each_class_and_no_part_of_the_fingerprint():
    paths = [["life", name] for name in "abc"]
    task = small(class_lineages=paths)
    assert task.class_lineages == (("life", "a"), ("life", "b"), ("life", "c"))
    assert task.subset([0, 1]).class_lineages == task.class_lineages
    assert task.fingerprint == small().fingerprint and small().class_lineages == ()
    with pytest.raises(InputError, match="'small': one lineage per class; got 3 classes and 2"):
        small(class_lineages=paths[:2])


def test_balanced_draws_evenly_and_without_replacement():
    labels = torch.tensor([0] * 20 + [1] * 3 + [2] * 20)
    task = Task("t", torch.zeros(43, 3, 2, 2, dtype=torch.uint8), labels, "abc")
    assert task.balanced(43) is task
    drawn = task.balanced(15, seed=1)
    assert np.bincount(drawn.labels).tolist() == [6, 3, 6]
    assert torch.equal(drawn.labels, task.balanced(15, seed=1).labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(12, 3, 4, 4)}, "uint8 tensor"),
        ({"images": torch.zeros(12, 1, 4, 4, dtype=torch.uint8)}, "uint8 tensor"),
        ({"labels": torch.zeros(12)}, "labels must be integers"),
        ({"labels": torch.zeros(11, dtype=torch.int64)}, "12 images and 11 labels"),
        ({"labels": torch.full((12,), 3)}, r"0\.\.2; got 3\.\.3"),
        ({"test": torch.zeros(12)}, "test must be bool"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change, message):
    parts = {"images": small().images, "labels": small().labels, "test": None} | change
    with pytest.raises(InputError, match=message) as caught:
        Task("small", parts["images"], parts["labels"], "abc", test=parts["test"])
    assert "task 'small'" in str(caught.value)
    assert "\n" not in str(caught.value)


def images_in(folder, counts):
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            shade = (40 * i, 10, len(name))
            Image.new("RGB", (30 + i, 40), shade).save(folder / name / f"{i}.png")


def test_from_folder_and_from_csv_agree(tmp_path):
    images_in(tmp_path / "set", {"cat": 3, "dog": 2})
    task = Task.from_folder(tmp_path / "set", size=16)
    assert (task.name, task.classes, task.images.shape) == ("set", ("cat", "dog"), (5, 3, 16, 16))
    lines = [f"set/{c}/{i}.png,{c}" for c, n in (("cat", 3), ("dog", 2)) for i in range(n)]
    (tmp_path / "set.csv").write_text("\n".join(["path,label", *lines]))
    again = Task.from_csv(tmp_path / "set.csv", size=16)
    assert torch.equal(task.images, again.images)
    assert torch.equal(task.labels, again.labels)


@pytest.fixture
def with_a_bad_file(tmp_path):
    """135 images of three classes, whose red level says the class; one of the second is broken."""
    for k, (name, count) in enumerate((("ant", 40), ("bee", 45), ("cat", 50))):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (9, 9), (100 * k, i, 0)).save(tmp_path / "set" / name / f"{i:02d}.png")
    bad = tmp_path / "set" / "bee" / "17.png"
    bad.write_bytes(bad.read_bytes()[:20])
    return tmp_path / "set"


def labels_from_pixels(task):
    return task.images[:, 0, 0, 0] // 100


@pytest.mark.parametrize("door", ["from_folder", "from_csv"])
def test_a_bad_file_is_left_out_with_its_own_label(with_a_bad_file, door):
    source = with_a_bad_file
    if door == "from_csv":  # classes mixed, so that a label that slips shows
        files = sorted(source.rglob("*.png"), key=lambda path: (path.name, path.parent.name))
        lines = [f"{path.relative_to(source)},{path.parent.name}" for path in files]
        source = source / "table.csv"
        source.write_text("\n".join(["path,label", *lines]))
    with pytest.warns(UserWarning, match=r"1 of 135 images .*bee.17\.png"):
        task = getattr(Task, door)(source, size=8)
    assert len(task) == 134 and task.classes == ("ant", "bee", "cat")
    assert torch.equal(task.labels, labels_from_pixels(task).long())
    assert task.labels.bincount().tolist() == [40, 44, 50]
    levels = task.images[task.labels == 1, 1, 0, 0].sort().values
    assert levels.tolist() == [i for i in range(45) if i != 17]


def test_a_bad_file_among_those_drawn_is_left_out_too(with_a_bad_file):
    with pytest.warns(UserWarning, match=r"1 of 132 images .*bee.17\.png"):
        # 40 + 45 + 47 images: all of bee
        task = Task.from_folder(with_a_bad_file, size=8, max_images=132)
    assert task.labels.bincount().tolist() == [40, 44, 47]
    assert torch.equal(task.labels, labels_from_pixels(task).long())


def test_draws_of_one_seed_are_nested():
    labels = torch.tensor([0] * 20 + [3] * 3 + [1] * 20)
    for seed in range(3):
        whole = draw_evenly(labels, 43, seed)
        assert whole.sort().values.tolist() == list(range(43))
        for count in (1, 4, 15, 30):
            drawn = draw_evenly(labels, count, seed)
            assert torch.equal(drawn, whole[:count])
        assert labels[whole[:15]].bincount().tolist() == [6, 6, 0, 3]


def test_from_dataset_takes_the_three_kinds_of_image():
    grey = np.full((5, 6), 128, dtype=np.uint8)
    kinds = [
        Image.fromarray(grey),
        torch.full((1, 5, 6), 128, dtype=torch.uint8),
        torch.full((3, 5, 6), 128 / 255),
    ]
    for image in kinds:
        task = Task.from_dataset([(image, 0), (image, 1)], name="pairs")
        assert task.labels.tolist() == [0, 1]
        assert task.images[0].shape == (3, 5, 6)
        assert task.images[0].dtype == torch.uint8
        assert int(task.images[0].min()) == int(task.images[0].max()) == 128


def folded(**options):
    task = small_task(count=30, classes=2)
    folds = torch.arange(30) // 2 % 5
    return replace(task, test=None, folds=folds, **options)


def test_with_folds_every_image_is_for_training_and_tested_once():
    task = folded()
    assert task.train is task and task.held_out is task and bool(task.held_out_mask.all())
    tested = torch.stack([test for _, test in task.splits]).sum(0)
    assert len(task.splits) == 5 and bool((tested == 1).all())
    assert all(torch.equal(train, ~test) for train, test in task.splits)
    assert task.subset(range(20)).folds is None and task.balanced(10).folds is None
    assert repr(task) == "Task('blots', 30 images in 5 folds, 2 classes)"


def test_folds_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="'blots': either a `test` mask or folds; got both"):
        replace(folded(), test=torch.ones(30, dtype=torch.bool))
    with pytest.raises(InputError, match=r"folds must be int64 \[N\]"):
        replace(folded(), folds=torch.zeros(30))
    with pytest.raises(InputError, match=r"folds must be int64 \[N\]"):
        replace(folded(), folds=torch.zeros(29, dtype=torch.int64))
    with pytest.raises(InputError, match="in two folds.*'c0' in fold 0 only"):
        replace(folded(), folds=torch.arange(30) % 2)


def test_folds_change_the_fingerprint_of_no_other_task():
    task = small_task(count=30, classes=2)
    digest = hashlib.sha256(repr((task.name, task.classes, task.lineage, task.group)).encode())
    digest.update(task.labels.numpy().tobytes() + task.test.numpy().tobytes())
    digest.update(repr(list(task.images.shape)).encode() + task.images.numpy().tobytes())
    assert task.fingerprint == digest.hexdigest()
    first, other = folded(), replace(folded(), folds=torch.arange(30) // 2 % 3)
    assert len({task.fingerprint, task.train.fingerprint, first.fingerprint}) == 3
    assert first.fingerprint != other.fingerprint == replace(other).fingerprint
