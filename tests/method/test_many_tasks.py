"""Kept embeddings: the same as fresh ones, computed once, and anew when something changed."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from t2v import InputError, domain2vec, fit_head, task2vec
from t2v import many_tasks as store
from t2v.embedding import domain_moments
from t2v.many_tasks import embed_halves, held_out_errors
from tests.small import small_probe, small_task


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


def counted(monkeypatch):
    calls = []

    @functools.wraps(task2vec)
    def counting(task, probe, **options):
        calls.append(task.name)
        return task2vec(task, probe, **options)

    monkeypatch.setattr(store, "task2vec", counting)
    return calls


def test_each_embedding_is_computed_once(monkeypatch):
    calls = counted(monkeypatch)
    tasks, probe = [small_task(f"t{i}", seed=i) for i in range(3)], small_probe()
    first = store.embed_tasks(tasks[:2], probe, jobs=1)
    again = store.embed_tasks(tasks, probe, jobs=1)
    assert sorted(calls) == ["t0", "t1", "t2"]
    assert [e.name for e in again] == ["t0", "t1", "t2"]
    np.testing.assert_array_equal(first[1].fisher, again[1].fisher)
    store.embed_tasks(tasks, probe, jobs=1, seed=0, max_images=None)  # as if nothing were said
    assert len(calls) == 3


def test_what_changes_the_result_is_computed_anew(monkeypatch):
    calls = counted(monkeypatch)
    task = small_task()
    store.embed_tasks([task], small_probe(), jobs=1)
    store.embed_tasks([task], small_probe(seed=1), jobs=1)
    store.embed_tasks([task], small_probe(), jobs=1, seed=1)
    store.embed_tasks([small_task(seed=1)], small_probe(), jobs=1)
    monkeypatch.setattr("t2v._run.cache.code_version", lambda module: "other")
    store.embed_tasks([task], small_probe(), jobs=1)
    assert len(calls) == 5


def test_processes_give_the_same_as_one(tmp_path, monkeypatch):
    tasks, probe = [small_task(f"t{i}", seed=i, count=40 + i) for i in range(4)], small_probe()
    alone = store.embed_tasks(tasks, probe, jobs=1)
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "other"))
    together = store.embed_tasks(tasks, probe, jobs=2)
    for a, b in zip(alone, together, strict=True):
        # float32 sums may be split differently over threads
        np.testing.assert_allclose(a.fisher, b.fisher, rtol=1e-4)


def test_domain_embeddings_are_computed_once_for_the_same_images(monkeypatch):
    calls = []

    @functools.wraps(task2vec)
    def counting(task, probe):
        calls.append(task.name)
        return domain_moments(task, probe)

    monkeypatch.setattr(store, "domain_moments", counting)
    task, probe = small_task("red"), small_probe()
    asked = replace(task, name="blue", labels=task.labels % 2, classes=["a", "b"], group="colour")
    split = replace(task, name="split", test=task.test.roll(1))
    tasks = [task, asked, split, small_task("other", seed=1)]
    for moment in ("second", "mean"):
        found = store.embed_tasks(tasks, probe, jobs=1, domain=moment)
        for embedding, one in zip(found, tasks, strict=True):
            alone = domain2vec(one, probe, moment)
            np.testing.assert_array_equal(embedding.fisher, alone.fisher)
            assert (embedding.name, embedding.group) == (one.name, one.group)
            assert embedding.spec == alone.spec
    assert len(calls) == 3  # both moments from one pass over each set of images


def test_another_moment_is_refused():
    with pytest.raises(InputError, match="domain must be 'mean' or 'second'; got 'third'"):
        store.embed_tasks([small_task()], small_probe(), domain="third")


def test_held_out_errors_are_those_of_the_tasks_own_heads():
    task, probe = small_task(count=120), small_probe()
    head = fit_head(probe.features(task.train.images), task.train.labels)
    held_out = task.held_out
    guess = head.logits(probe.features(held_out.images)).argmax(1)
    wrong = (guess != held_out.labels).double()
    by_class = [float(wrong[held_out.labels == k].mean()) for k in range(3)]
    assert store.held_out_errors([task], probe, jobs=1) == [pytest.approx(np.mean(by_class))]


@pytest.mark.parametrize("function", [store.embed_tasks, store.held_out_errors])
def test_what_is_no_list_of_tasks_or_no_probe_is_refused(function):
    task, probe = small_task(), small_probe()
    for tasks in (task, [task, "birds"], 3):
        with pytest.raises(InputError, match="give a list of tasks"):
            function(tasks, probe)
    with pytest.raises(InputError, match="what `load_probe` returns; got str"):
        function([task], "synthetic")


def test_halves_are_halves_of_every_class():
    task = small_task(count=31, held_out=0.0)
    seen = []

    class Seen(type(small_probe())):
        def features(self, images, batch_size=None):
            seen.append(images)
            return super().features(images, batch_size)

    probe = Seen(**{k: v for k, v in vars(small_probe()).items() if k != "filters"})

    def embed(half, seed):
        return task2vec(half, probe, seed=seed)

    pairs = embed_halves(task, 3, embed)
    assert len(pairs) == 3 and len(seen) == 6
    for a, b in zip(seen[::2], seen[1::2], strict=True):
        together = torch.cat([a, b]).flatten(1).double()
        whole = task.images.flatten(1).double()
        order = [torch.argsort(x @ torch.arange(x.shape[1]).double()) for x in (together, whole)]
        assert torch.equal(together[order[0]], whole[order[1]])
    for a, b in pairs:
        assert abs(a.spec["images"] - b.spec["images"]) <= 3  # an odd one of each class at most
    assert not torch.equal(seen[0], seen[2])
    assert [e.spec["seed"] for pair in pairs for e in pair] == [1, 2, 3, 4, 5, 6]
    assert embed_halves(task, 0, embed) == []
    with pytest.raises(InputError, match="two or more"):
        embed_halves(task, 1, embed)
    alone = task.subset(torch.cat([torch.tensor([0]), (task.labels > 0).nonzero().flatten()]))
    with pytest.raises(InputError, match="class 'c0' has fewer than two images"):
        embed_halves(alone, 2, embed)


def test_held_out_errors_of_folds_are_pooled():
    task, probe = small_task(count=60, held_out=0), small_probe()
    labels = task.labels.roll(1) * (torch.arange(60) % 4 == 0) + task.labels * (
        torch.arange(60) % 4 != 0
    )
    task = replace(task, test=None, labels=labels, folds=torch.arange(60) // 3 % 4)
    features, wrong = probe.features(task.images), torch.zeros(60).double()
    for k in range(4):
        test = task.folds == k
        head = fit_head(features[~test], labels[~test], num_classes=3)
        wrong[test] = (head.logits(features[test]).argmax(1) != labels[test]).double()
    expected = float(torch.stack([wrong[labels == k].mean() for k in range(3)]).mean())
    assert 0 < expected < 1
    assert held_out_errors([task], probe, jobs=1) == [pytest.approx(expected, abs=1e-12)]
