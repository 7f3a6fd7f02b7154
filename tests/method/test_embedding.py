"""Embeddings: what they are made of, that they repeat, and that files keep them."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from scipy import stats

from t2v import (
    Embedding,
    FileError,
    InputError,
    distance_matrix,
    domain2vec,
    filter_fisher,
    fit_head,
    task2vec,
)
from t2v.embedding import CHUNK
from tests.small import small_probe, small_task


def test_an_embedding_is_the_fisher_of_the_probe_with_its_head():
    task, probe = small_task(), small_probe()
    embedding = task2vec(task, probe)
    images = task.images[~task.test]
    pixels = (images.float() / 255 - 0.5) / 0.25
    # in the probe's memory layout: in another one, some processors add up in another order
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        features = probe.network(pixels)
    head = fit_head(features, task.labels[~task.test])
    expected = filter_fisher(probe.with_head(head), pixels, estimator="exact")
    np.testing.assert_allclose(embedding.fisher[embedding.layers["conv1"]], expected["conv1"])
    np.testing.assert_allclose(embedding.fisher[embedding.layers["conv2"]], expected["conv2"])
    assert list(embedding.layers.values()) == [slice(0, 6), slice(6, 16)]
    assert embedding.norm == pytest.approx(sum(float(v.sum()) for v in expected.values()))
    np.testing.assert_allclose(embedding.trivial[:6], expected["conv1"].mean())
    assert embedding.spec["estimator"] == "exact"
    assert embedding.spec["images"] == len(images)


def test_held_out_images_and_class_names_play_no_part():
    task, probe = small_task(), small_probe()
    images = task.images.clone()
    images[task.test] = 0
    other = type(task)(task.name, images, task.labels, ["x", "y", "z"], test=task.test)
    np.testing.assert_array_equal(task2vec(task, probe).fisher, task2vec(other, probe).fisher)


def test_permuting_classes_changes_nothing():
    task, probe = small_task(), small_probe()
    permuted = type(task)(
        task.name, task.images, torch.tensor([2, 0, 1])[task.labels], task.classes, test=task.test
    )
    # the solver stops elsewhere within its tolerance of 1e-5
    a, b = (task2vec(t, probe, weight_decay=0.1).fisher for t in (task, permuted))
    np.testing.assert_allclose(a, b, rtol=2e-3)


def test_auto_is_exact_for_few_classes_and_the_sketch_beyond():
    probe = small_probe()
    assert task2vec(small_task(classes=4), probe, passes=4).spec["estimator"] == "exact"
    sketched = task2vec(small_task(classes=5), probe, passes=4)
    assert (sketched.spec["estimator"], sketched.spec["passes"]) == ("sketch", 4)
    exact = task2vec(small_task(classes=5), probe, passes=5)
    assert exact.spec["passes"] == 4  # the Fisher of K classes takes K - 1
    many = task2vec(small_task(classes=5), probe, estimator="sketch", passes=400)
    # 400 passes over 45 images: one per cent or so
    np.testing.assert_allclose(many.fisher, exact.fisher, rtol=0.05)


def test_the_same_seed_gives_the_same_bytes():
    task, probe = small_task(classes=6), small_probe()
    first = task2vec(task, probe, estimator="sketch", passes=2, seed=3).fisher
    assert (
        first.tobytes()
        == task2vec(task, probe, estimator="sketch", passes=2, seed=3).fisher.tobytes()
    )
    assert (
        first.tobytes()
        != task2vec(task, probe, estimator="sketch", passes=2, seed=4).fisher.tobytes()
    )


def test_large_tasks_are_the_mean_over_their_images():
    probe = small_probe()
    task = small_task(count=CHUNK + 70, held_out=0.0)
    head = fit_head(probe.features(task.images), task.labels)
    whole = filter_fisher(probe.with_head(head), probe.preprocess(task.images))
    np.testing.assert_allclose(task2vec(task, probe).fisher[6:], whole["conv2"], rtol=1e-6)


def test_max_images_limits_the_images():
    embedding = task2vec(small_task(), small_probe(), max_images=20)
    assert embedding.spec["images"] == 20


def test_domain_embedding_does_not_look_at_labels():
    task, probe = small_task(), small_probe()
    other = small_task()
    object.__setattr__(other, "labels", other.labels.flip(0))
    features = probe.features(task.train.images).double()
    for moment, expected in (("mean", features.mean(0)), ("second", (features**2).mean(0))):
        embedding = domain2vec(task, probe, moment)
        np.testing.assert_allclose(embedding.fisher, expected)
        np.testing.assert_array_equal(embedding.fisher, domain2vec(other, probe, moment).fisher)


def test_files_keep_everything(tmp_path):
    task = small_task(lineage=("life", "blots"), group="g")
    embedding = task2vec(task, small_probe())
    embedding.save(tmp_path / "e.safetensors")
    loaded = Embedding.load(tmp_path / "e.safetensors")
    for name in ("name", "lineage", "group", "layers", "spec"):
        assert getattr(loaded, name) == getattr(embedding, name)
    assert loaded.fisher.tobytes() == embedding.fisher.tobytes()
    assert loaded.trivial.tobytes() == embedding.trivial.tobytes()


def test_unreadable_files_are_named(tmp_path):
    whole = tmp_path / "e.safetensors"
    task2vec(small_task(), small_probe()).save(whole)
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:-50])
    save_file({"x": np.zeros(3)}, tmp_path / "foreign.safetensors")
    (tmp_path / "text.safetensors").write_text("not at all")
    for name in ("cut", "foreign", "text", "missing"):
        with pytest.raises(FileError, match=f"{name}.safetensors") as caught:
            Embedding.load(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    embedding = task2vec(small_task(), small_probe())

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("t2v.embedding.save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        embedding.save(tmp_path / "e.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_robust_embedding_is_the_fisher_on_a_floor():
    task, probe = small_task(count=90), small_probe()
    plain, robust = task2vec(task, probe), task2vec(task, probe, estimator="robust")
    assert robust.spec["beta"] > 0
    for layer in robust.layers.values():
        assert np.ptp(robust.trivial[layer]) == 0
        assert (robust.trivial[layer] > 0).all()
    # the closed form to second order; noise as large as the weights is beyond it
    assert stats.spearmanr(plain.fisher[6:], robust.fisher[6:]).statistic > 0.6
    # it has its prior in it: the default distance adds none
    other = task2vec(small_task(count=90, seed=1), probe, estimator="robust")
    both = distance_matrix([robust, other])
    np.testing.assert_array_equal(both, distance_matrix([robust, other], prior=0))


def test_bad_arguments_and_tasks_are_named():
    probe = small_probe()
    with pytest.raises(InputError, match="estimator must be one of"):
        task2vec(small_task(), probe, estimator="best")
    with pytest.raises(InputError, match="passes must be at least 1"):
        task2vec(small_task(), probe, passes=0)
    with pytest.raises(InputError, match="moment must be"):
        domain2vec(small_task(), probe, moment="third")
    with pytest.raises(InputError, match="task 'lonely'"):
        task2vec(small_task("lonely", classes=1), probe)
