"""The whole chain on a GPU against the CPU: heads, embeddings, experts, cells, fine-tuning."""

import numpy as np
import pytest
import torch

import t2v
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import generic_expert
from t2v.experts.few_images import fewer, tuned_errors
from t2v.experts.fine_tuning import train_experts
from t2v.experts.training import Schedule, Training
from t2v.many_tasks import embed_tasks, held_out_errors

pytestmark = pytest.mark.gpu

# float32 sums in another order, through 12 convolutions and squared: 1e-7 grows to some 1e-5
ROUNDING = 1e-3
SHORT = Schedule(steps=8, batch_size=16, lr=0.03)


@pytest.fixture(scope="module")
def tasks():
    return t2v.load_library("phylogeny", "smoke").tasks[:4]


@pytest.fixture
def on_both(tmp_path, monkeypatch):
    """What a function of a probe gives on the CPU and on the GPU, each with a cache of its own."""

    def run(function):
        found = []
        for device in ("cpu", "cuda"):
            monkeypatch.setenv("T2V_CACHE", str(tmp_path / device))
            found.append(function(t2v.load_probe("synthetic", device=device)))
        return found

    return run


def one_image(tasks):
    """What one held-out image counts in a balanced error, at most: one on the border may turn."""
    fewest = [int(torch.bincount(task.held_out.labels).min()) for task in tasks]
    return max(1 / (n * task.num_classes) for n, task in zip(fewest, tasks, strict=True)) + 1e-6


@pytest.mark.parametrize("options", [{}, {"passes": 2, "estimator": "sketch"}, {"domain": "mean"}])
def test_embeddings_are_the_same(tasks, on_both, options):
    here, there = on_both(lambda probe: embed_tasks(tasks, probe, jobs=1, **options))
    for a, b in zip(here, there, strict=True):
        assert np.abs((a.fisher - b.fisher) / a.trivial).max() < ROUNDING
    if "domain" not in options:
        apart = t2v.distance_matrix(here) - t2v.distance_matrix(there)
        assert np.abs(apart).max() < ROUNDING


def test_the_robust_estimate_is_the_same_up_to_its_noise(tasks, on_both):
    a, b = on_both(lambda probe: t2v.task2vec(tasks[0], probe, estimator="robust"))
    assert np.corrcoef(np.log(a.fisher), np.log(b.fisher))[0, 1] > 0.9


def test_errors_are_the_same(tasks, on_both):
    here, there = on_both(lambda probe: held_out_errors(tasks, probe, jobs=1))
    np.testing.assert_allclose(here, there, atol=one_image(tasks))


def test_training_goes_the_same_way(tasks, on_both):
    """The draws are the CPU's on both, so that only rounding tells them apart."""

    def losses(probe):
        (expert,) = train_experts(tasks[:1], probe, schedule=SHORT, jobs=1)
        assert expert.extractor.device == probe.device
        return expert.recipe["head loss"], expert.recipe["final loss"]

    here, there = on_both(losses)
    np.testing.assert_allclose(here, there, rtol=0.02)


def test_training_goes_on_where_it_was(tasks, tmp_path):
    probe, path = t2v.load_probe("synthetic", device="cuda"), tmp_path / "half.safetensors"
    whole, half, rest = (Training(tasks[0], probe, SHORT) for _ in range(3))
    torch.manual_seed(0)
    whole.run(SHORT.steps)
    torch.manual_seed(0)
    half.run(5)
    half.save(path, "key")
    torch.manual_seed(1)  # `load` takes the state of the draws from the file
    rest.load(path, "key")
    rest.run(SHORT.steps - 5)
    np.testing.assert_allclose(rest.losses, whole.losses, rtol=1e-3)


def test_cells_and_fine_tuning_are_the_same(tasks, on_both):
    def errors(probe):
        matrix = error_matrix(tasks, [generic_expert(probe)], jobs=1)
        work = [(fewer(tasks[0], 24, 0), probe)]
        return matrix.errors.ravel(), tuned_errors(work, schedule=SHORT, seed=0, jobs=1)

    (cells, tuned), (cells_there, tuned_there) = on_both(errors)
    np.testing.assert_allclose(cells, cells_there, atol=one_image(tasks))
    np.testing.assert_allclose(tuned, tuned_there, atol=3 * one_image(tasks[:1]))
