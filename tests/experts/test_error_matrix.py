"""The error matrix: against one task and expert at a time; each cell once, also after a kill."""

import copy
import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from t2v import FileError, InputError, load_library, load_probe
from t2v._run.files import replacing
from t2v.experts import error_matrix as matrix
from t2v.experts import features as features_module
from t2v.experts import fine_tuning, training
from t2v.experts.cells import Cells
from t2v.experts.error_matrix import ErrorMatrix, error_matrix
from t2v.experts.expert import Expert, generic_expert, hog_expert
from t2v.experts.fine_tuning import train_experts
from t2v.experts.linear_classifiers import WEIGHT_DECAY
from t2v.experts.training import Schedule
from tests.small import small_probe, small_task

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


def small_tasks(count=3):
    """A fifth of the labels are drawn at random, so that no error is 0."""
    tasks = []
    for i in range(count):
        task = small_task(f"t{i}", seed=i, count=60 + 10 * i, classes=2 + i)
        generator = torch.Generator().manual_seed(i)
        drawn = torch.randint(2 + i, (len(task),), generator=generator)
        noisy = torch.rand(len(task), generator=generator) < 0.2
        tasks.append(dataclasses.replace(task, labels=torch.where(noisy, drawn, task.labels)))
    return tasks


def small_experts(count=3):
    return [Expert(f"e{i}", small_probe(i)) for i in range(count)]


def same(a, b):
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
    )


@pytest.fixture
def count(monkeypatch):
    """What is computed: features by (expert, number of images), classifiers by number of cells."""
    seen = {"features": [], "cells": []}
    features, errors = features_module._features_of, matrix._task_errors

    def counted_features(m, extractor, images, rows):
        seen["features"].append((extractor.sha256, len(images)))
        return features(m, extractor, images, rows)

    def counted_errors(t, found, *task):
        seen["cells"].append(len(found))
        return errors(t, found, *task)

    monkeypatch.setattr(features_module, "_features_of", counted_features)
    monkeypatch.setattr(matrix, "_task_errors", counted_errors)
    return seen


def by_sklearn(task, expert):
    """One classifier on one expert, by sklearn, tested image by image."""
    wrong, y = mistakes_by_sklearn(task, expert, task.test.numpy())
    return np.mean([wrong[y == k].mean() for k in np.unique(y)])


def mistakes_by_sklearn(task, expert, test):
    """Whether each tested image is misclassified, and its label."""
    x = expert.extractor.features(task.images).double().numpy()
    y = task.labels.numpy()
    x = (x - x[~test].mean(0)) / np.sqrt(np.mean(np.square(x[~test])))
    share = 1 / (task.num_classes * np.bincount(y[~test])[y[~test]])
    # of two classes sklearn keeps the difference of the logits: half the penalty
    decay = WEIGHT_DECAY / (2 if task.num_classes == 2 else 1)
    model = LogisticRegression(C=1 / decay, tol=1e-8, solver="newton-cg", max_iter=500)
    wrong = model.fit(x[~test], y[~test], sample_weight=share).predict(x[test]) != y[test]
    return wrong, y[test]


def test_cells_are_those_of_one_task_and_expert_at_a_time():
    tasks, experts = small_tasks(), small_experts()
    found = error_matrix(tasks, experts, jobs=1)
    assert found.tasks == ("t0", "t1", "t2") and found.experts == ("e0", "e1", "e2")
    assert found.errors.dtype == np.float64 and found.errors.shape == (3, 3)
    for t, task in enumerate(tasks):
        for m, expert in enumerate(experts):
            assert found.errors[t, m] == pytest.approx(by_sklearn(task, expert), abs=1e-12)
    assert 0 < found.errors.min() < found.errors.max() < 0.5


def test_of_folds_the_errors_are_pooled():
    experts = small_experts(2)
    tasks = [
        dataclasses.replace(task, test=None, folds=torch.arange(len(task)) // 7 % 5)
        for task in small_tasks()
    ]
    found = error_matrix(tasks, experts, jobs=1)
    for t, task in enumerate(tasks):
        for m, expert in enumerate(experts):
            parts = [mistakes_by_sklearn(task, expert, task.folds.numpy() == k) for k in range(5)]
            wrong, y = map(np.concatenate, zip(*parts, strict=True))
            expected = np.mean([wrong[y == k].mean() for k in range(task.num_classes)])
            assert found.errors[t, m] == pytest.approx(expected, abs=1e-12)  # counts of mistakes
    assert 0 < found.errors.min() < found.errors.max() < 0.5


def test_what_is_known_is_not_computed_again(count):
    tasks, experts = small_tasks(), small_experts()
    first = error_matrix(tasks[:2], experts[:2], jobs=1)
    assert sum(count["cells"]) == 4 and len(count["features"]) == 4
    assert same(error_matrix(tasks[:2], experts[:2], jobs=1), first)
    assert sum(count["cells"]) == 4 and len(count["features"]) == 4
    whole = error_matrix(tasks, experts, jobs=1)
    assert sum(count["cells"]) == 9 and len(count["features"]) == 9
    np.testing.assert_array_equal(whole.errors[:2, :2], first.errors)


def test_tasks_on_the_same_images_share_features(count):
    task = small_task()
    other = dataclasses.replace(task, name="turned", labels=task.labels.flip(0))
    equal = dataclasses.replace(task, name="copy", images=task.images.clone())
    error_matrix([task, other, equal], small_experts(2), jobs=1)
    assert len(count["features"]) == 2 and count["cells"] == [2, 2, 2]


def test_an_image_of_several_tasks_goes_through_an_expert_once(count, tmp_path, monkeypatch):
    whole, lone = small_task(), small_task(seed=5, name="lone")
    parts = [
        dataclasses.replace(
            small_task(f"{a} to {b}", count=b - a),
            images=whole.images[a:b],
            labels=whole.labels[a:b],
        )
        for a, b in ((0, 30), (20, 50), (40, len(whole)))
    ]
    tasks, experts = [parts[0], lone, parts[2], parts[1]], small_experts(2)
    found = error_matrix(tasks, experts, jobs=1)
    sizes = sorted(number for _, number in count["features"])
    assert sizes == sorted(2 * [len(whole)] + 2 * [len(lone)])
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "another"))
    alone = [error_matrix([task], experts, jobs=1).errors[0] for task in tasks]
    np.testing.assert_array_equal(found.errors, alone)


def test_changed_tasks_experts_and_sources_are_computed_anew(count, monkeypatch):
    task, expert = small_task(), small_experts(1)[0]
    error_matrix([task], [expert], jobs=1)
    larger = dataclasses.replace(expert.extractor, image_size=16)
    error_matrix([task], [dataclasses.replace(expert, extractor=larger)], jobs=1)
    assert len(count["cells"]) == 2 and len(count["features"]) == 2
    error_matrix([dataclasses.replace(task, test=~task.test)], [expert], jobs=1)
    assert len(count["cells"]) == 3 and len(count["features"]) == 2
    monkeypatch.setattr("t2v._run.cache.code_version", lambda module: "other")
    monkeypatch.setattr(matrix, "code_version", lambda module: "other")
    error_matrix([task], [expert], jobs=1)
    assert len(count["cells"]) == 4 and len(count["features"]) == 3


def test_a_damaged_store_is_refused(tmp_path):
    store = tmp_path / "cells.sqlite"
    store.write_text("not a database, but long enough to be taken for one" * 10)
    with pytest.raises(FileError, match="not a store of cells"):
        error_matrix([small_task()], small_experts(1), jobs=1, store=store)


def test_a_store_in_use_is_not_to_be_removed(tmp_path, monkeypatch):
    store = tmp_path / "cells.sqlite"
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.01))
    with closing(connect(store)) as other, other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FileError, match="in use by another run"):
            error_matrix([small_task()], small_experts(1), jobs=1, store=store)


def test_processes_and_batches_give_the_same(tmp_path, monkeypatch):
    tasks, experts = small_tasks(), small_experts()
    alone = error_matrix(tasks, experts, jobs=1)
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(matrix, "BATCH", 1)  # one classifier at a time
    assert same(error_matrix(tasks, experts, jobs=1), alone)


def test_black_boxes_with_other_features_stand_beside_networks():
    pytest.importorskip("skimage")
    tasks, experts = small_tasks(2), [small_experts(1)[0], hog_expert(12)]
    found = error_matrix(tasks, experts, jobs=1)
    assert found.errors[1, 1] == pytest.approx(by_sklearn(tasks[1], experts[1]), abs=1e-12)


def test_own_and_overlap():
    options = {"lineage": ("life", "birds"), "held_out": 0.3}
    owls, crows = (small_task(name, seed=i, **options) for i, name in enumerate(["owls", "crows"]))
    owls = dataclasses.replace(owls, classes=("a", "b", "c"))
    crows = dataclasses.replace(crows, classes=("d", "e", "f"))
    red = dataclasses.replace(
        small_task("red", classes=2), classes=("not red", "red"), lineage=("wardrobe", "red")
    )
    probe, life = small_probe(), ("life", "birds")
    experts = [
        Expert("owls", probe, classes=("a", "b", "c"), lineage=life, task="owls"),
        Expert("birds", probe, classes=("c", "d"), lineage=("life",), task="birds"),
        Expert("colour", probe, classes=("red", "blue"), lineage=("wardrobe", "colour")),
        Expert("not", probe, classes=("not red", "x"), lineage=("wardrobe",)),
        Expert("elsewhere", probe, classes=("x, A", "Reds"), lineage=("photos",), task="owls"),
        Expert("generic", probe),
    ]
    found = error_matrix([owls, crows, red], experts, jobs=1)
    assert found.own.tolist() == [[True] + [False] * 5, [False] * 6, [False] * 6]
    assert found.overlap.tolist() == [
        [True, True, False, False, True, False],
        [False, True, False, False, False, False],
        [False, False, True, False, False, False],  # of garments, names are of attributes
    ]


def test_parts_of_a_matrix():
    errors = np.arange(6.0).reshape(2, 3) / 10
    flags = np.array([[True, False, False], [False, False, True]])
    whole = ErrorMatrix(("a", "b"), ("x", "y", "z"), errors, flags, ~flags)
    np.testing.assert_array_equal(whole.column("y"), [0.1, 0.4])
    part = whole.without("x", "y").of([1])
    assert part.tasks == ("b",) and part.experts == ("z",)
    assert part.errors.tolist() == [[0.5]] and part.own.tolist() == [[True]]
    assert part.overlap.tolist() == [[False]]
    with pytest.raises(InputError, match="expert 'w': not one of x, y, z"):
        whole.column("w")


def test_tasks_and_experts_that_cannot_be_used_are_named():
    task, experts = small_task(), small_experts(1)
    with pytest.raises(InputError, match="'blots' holds no images out"):
        error_matrix([dataclasses.replace(task, test=None)], experts, jobs=1)
    with pytest.raises(InputError, match="'blots': its `test` mask"):
        error_matrix([dataclasses.replace(task, test=task.test & False)], experts, jobs=1)
    with pytest.raises(InputError, match="'blots': each of 2 or more classes"):
        error_matrix([dataclasses.replace(task, test=task.labels == 1)], experts, jobs=1)
    experts[0].extractor.network.conv1.weight[0] = float("nan")
    with pytest.raises(InputError, match="expert 'e0': features of task 'blots' are not finite"):
        error_matrix([task], experts, jobs=1)


def smoke():
    """The smallest synthetic library, and three networks that no training is needed for."""
    probe = load_probe("synthetic", device="cpu")
    experts = [generic_expert(probe)]
    for seed in (1, 2):
        torch.manual_seed(seed)
        network = copy.deepcopy(probe.network)
        for weight in network.parameters():
            weight.mul_(1 + 0.2 * torch.randn_like(weight))
        other = dataclasses.replace(probe, network=network, sha256=f"disturbed {seed}")
        experts.append(Expert(f"disturbed {seed}", other))
    return load_library("synthetic", "smoke").tasks, experts


INTERRUPTED = """
from tests.experts.test_error_matrix import smoke
from t2v.experts.error_matrix import error_matrix
error_matrix(*smoke(), jobs=1)
"""


def kept(folder):
    """Features and cells that are on disk."""
    features = [path for path in folder.glob("features/*.npy") if path.name[0] != "."]
    cells = 0
    if (folder / "cells.sqlite").exists():
        with closing(sqlite3.connect(folder / "cells.sqlite", timeout=60)) as connection:
            if connection.execute("SELECT name FROM sqlite_master").fetchall():
                cells = connection.execute("SELECT count(*) FROM cells").fetchone()[0]
    return len(features), cells


@pytest.mark.slow  # starts two more Pythons
def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch, count):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    tasks, experts = smoke()
    sets = len({id(task.images) for task in tasks})
    for enough in (lambda features, cells: features > 3, lambda features, cells: cells > 3):
        run = subprocess.Popen([sys.executable, "-c", INTERRUPTED], cwd=ROOT)
        while run.poll() is None and not enough(*kept(tmp_path / "cache")):
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        features, cells = kept(tmp_path / "cache")
        assert enough(features, cells) and cells < len(tasks) * len(experts)
    assert features == sets * len(experts)  # the first killed run's among them
    resumed = error_matrix(tasks, experts, jobs=1)
    assert count["features"] == []
    assert sum(count["cells"]) == len(tasks) * len(experts) - cells
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "other"))
    whole = error_matrix(tasks, experts, jobs=1)
    assert len(count["features"]) == sets * len(experts)
    assert same(resumed, whole) and resumed.errors.tobytes() == whole.errors.tobytes()
    assert len(np.unique(whole.errors)) > len(tasks)


@contextmanager
def two_workers(address):
    """Dask workers of one thread, each a Python of its own."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    command += ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
    command += ["--death-timeout", "300"]  # should nobody be left to end them
    # imported in the first item, torch would keep a worker on a busy machine silent for longer
    # than the 30 s after which the scheduler takes it for dead
    command += ["--preload", "t2v.experts.error_matrix"]
    workers = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


@pytest.mark.slow  # starts a scheduler and two workers
def test_dask_gives_the_same_though_a_worker_is_killed(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    tasks, experts = smoke()
    alone = error_matrix(tasks, experts, jobs=1)
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "other"))
    features, cells, write = [], [], Cells.write

    def killing(path):
        features.append(path)
        if len(features) == 4:
            os.kill(workers[0].pid, signal.SIGKILL)
        return replacing(path)

    def counting(self, found):
        cells.extend(found)
        write(self, found)

    monkeypatch.setattr(features_module, "replacing", killing)
    monkeypatch.setattr(Cells, "write", counting)
    scheduler = distributed.LocalCluster(
        n_workers=0, processes=False, host="127.0.0.1", dashboard_address=None, protocol="tcp"
    )
    together = []

    def compute():
        with joblib.parallel_config("dask", client=client):
            together.append(error_matrix(tasks, experts))

    with scheduler, distributed.Client(scheduler) as client:
        with two_workers(client.scheduler.address) as workers:
            client.wait_for_workers(2, timeout=300)
            # in a thread, so that a cluster that waits for ever is a failure
            thread = threading.Thread(target=compute, daemon=True)
            thread.start()
            thread.join(timeout=300)
            assert workers[0].poll() == -signal.SIGKILL and workers[1].poll() is None
    assert together
    assert len(features) == len(experts) * len({id(task.images) for task in tasks})
    assert len(cells) == together[0].errors.size
    assert same(together[0], alone)


def images_of(task):
    return {hash(image.numpy().tobytes()) for image in task.images}


@pytest.mark.parametrize("source", ["tasks", "zoo"])
def test_no_expert_sees_a_held_out_image_of_any_task(source, monkeypatch):
    tasks = load_library("synthetic", "smoke").tasks
    training_tasks = tasks
    if source == "zoo":
        zoo = pytest.importorskip("t2v.libraries.expert_tasks")
        training_tasks = zoo.expert_tasks("synthetic", "smoke")
    seen = set()

    class Watched(training.Training):
        def __init__(self, task, probe, schedule):
            super().__init__(task, probe, schedule)
            seen.update(images_of(task))

    monkeypatch.setattr(fine_tuning, "Training", Watched)
    probe = load_probe("synthetic", device="cpu")
    train_experts(training_tasks, probe, schedule=Schedule(1, 4), jobs=1)
    held_out = set().union(*(images_of(task.held_out) for task in tasks))
    assert len(held_out) == 16 * 8 + 90 and len(seen) > 100
    assert not seen & held_out
