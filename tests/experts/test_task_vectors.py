"""Task vectors: against state dicts by hand, and a network in which addition is exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from t2v.embedding import task2vec
from t2v.errors import InputError
from t2v.experts.expert import Expert, hog_expert
from t2v.experts.fine_tuning import fine_tune
from t2v.experts.task_vectors import (
    Edit,
    TaskVector,
    cosines,
    edited_errors,
    filter_energies,
    random_direction,
    task_vector,
)
from t2v.experts.training import Schedule
from t2v.pretrained.architectures import state_sha256
from t2v.probe import load_probe
from tests.small import small_probe, small_task

SCHEDULE = Schedule(steps=4, batch_size=8, lr=0.02)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def zoo():
    """A probe, two experts fine-tuned from it, and their task vectors."""
    probe = small_probe()
    probe = probe.with_weights(probe.network.state_dict())  # with its own checksum
    tasks = [small_task(f"t{i}", seed=i) for i in range(2)]
    experts = [fine_tune(task, probe, schedule=SCHEDULE, seed=i) for i, task in enumerate(tasks)]
    return probe, tasks, experts, [task_vector(expert, probe) for expert in experts]


def other_weights(probe, seed, size=0.1):
    torch.manual_seed(seed)
    state = {k: v + size * torch.randn_like(v) for k, v in probe.network.state_dict().items()}
    return Expert(f"e{seed}", probe.with_weights(state))


def linear_probe():
    """A network that is linear in its weights."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 5))
    network.add_module("fc", nn.Identity())
    return replace(small_probe(), network=network.eval().requires_grad_(False))


def test_added_to_the_start_it_gives_the_expert_to_the_last_bit(zoo):
    probe, _, experts, vectors = zoo
    for expert, vector in zip(experts, vectors, strict=True):
        again = vector.added_to(probe)
        before, after = probe.network.state_dict(), again.network.state_dict()
        tuned = expert.extractor.network.state_dict()
        assert all(torch.equal(after[name], tuned[name]) for name in tuned)
        assert not all(torch.equal(after[name], before[name]) for name in tuned)
        assert again.sha256 == expert.extractor.sha256 == state_sha256(after)
        assert (0.0 * vector).added_to(probe).sha256 == probe.sha256


def test_in_a_network_linear_in_its_weights_the_sum_of_vectors_sums_the_changes_of_features():
    probe = linear_probe()
    one, other = (other_weights(probe, seed) for seed in (1, 2))
    a, b = task_vector(one, probe), task_vector(other, probe)
    images = small_task().images
    f0, fa, fb = (p.features(images) for p in (probe, one.extractor, other.extractor))
    both = (a + b).added_to(probe).features(images)
    less = (0.5 * -a).added_to(probe).features(images)
    # float32, over 432 inputs
    torch.testing.assert_close(both, fa + fb - f0, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(less, f0 - 0.5 * (fa - f0), rtol=1e-4, atol=1e-4)


def test_cosines_and_norms_are_those_of_the_weights_in_a_row(zoo):
    probe, _, experts, vectors = zoo

    def row(expert, keep):
        start, tuned = probe.network.state_dict(), expert.extractor.network.state_dict()
        parts = [(tuned[n].double() - start[n].double()).numpy().ravel() for n in tuned if keep(n)]
        return np.concatenate(parts)

    for layers, keep in ((None, lambda name: True), (["conv2"], lambda name: "conv2" in name)):
        a, b = (row(expert, keep) for expert in experts)
        by_hand = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        found = cosines(vectors, layers=layers)
        np.testing.assert_allclose(found, [[1, by_hand], [by_hand, 1]], rtol=1e-12)
    whole = [np.linalg.norm(row(expert, lambda name: True)) for expert in experts]
    np.testing.assert_allclose([vector.norm for vector in vectors], whole, rtol=1e-12)
    np.testing.assert_allclose(cosines(vectors[:1], [-2.0 * vectors[0]]), [[-1]], rtol=1e-12)
    assert cosines(vectors[:1], [0.0 * vectors[1]]) == 0


def test_filter_energies_lie_where_the_embedding_has_its_filters(zoo):
    probe, tasks, _, vectors = zoo
    embedding = task2vec(tasks[0], probe)
    energies = filter_energies(vectors[0], probe)
    assert energies.shape == embedding.fisher.shape
    for layer, part in embedding.layers.items():
        change = vectors[0].changes[f"{layer}.weight"].numpy()
        by_hand = [(weights**2).mean() for weights in change]
        np.testing.assert_allclose(energies[part], by_hand, rtol=1e-12)


def test_a_random_direction_has_the_norm_of_every_tensor_and_no_other_likeness():
    vector = task_vector(other_weights(linear_probe(), 1), linear_probe())
    drawn = [random_direction(vector, seed) for seed in (0, 0, 1)]
    for name, change in vector.changes.items():
        assert float(drawn[0].changes[name].norm()) == pytest.approx(float(change.norm()))
    assert cosines(drawn[:1], drawn[1:2]) == pytest.approx(1)
    # 2,165 weights: the cosine of two independent ones has a standard deviation of 0.02
    assert abs(cosines([vector], drawn[::2])).max() < 0.1
    assert abs(cosines(drawn[:1], drawn[2:])) < 0.1


def test_edited_errors_are_those_of_weights_changed_by_hand(zoo):
    probe, tasks, experts, vectors = zoo
    judged = [(expert.head, task.held_out) for expert, task in zip(experts, tasks, strict=True)]
    edits = [Edit(vectors, 0.6, judged), Edit(vectors[:1], -3, judged[1:])]
    found = edited_errors(probe, edits, jobs=1)

    def by_hand(weights, head, task):
        state = {name: value.double() for name, value in probe.network.state_dict().items()}
        for weight, expert in zip(weights, experts, strict=True):
            for name, value in expert.extractor.network.state_dict().items():
                state[name] += weight * (value.double() - probe.network.state_dict()[name].double())
        edited = probe.with_weights({name: value.float() for name, value in state.items()})
        wrong = head.logits(edited.features(task.images)).argmax(1) != task.labels
        of_class = [wrong[task.labels == k].double().mean() for k in range(task.num_classes)]
        return float(sum(of_class) / len(of_class))

    assert found[0] == pytest.approx([by_hand((0.6, 0.6), *pair) for pair in judged])
    assert found[1] == pytest.approx([by_hand((-3, 0), *judged[1])])
    assert len(set(found[0] + found[1])) > 1
    # from the cache, and not from that of other edits
    assert edited_errors(probe, edits[::-1], jobs=1) == found[::-1]
    head, task = judged[0]
    turned = replace(head, weight=-head.weight, bias=-head.bias)
    (by_turned,) = edited_errors(probe, [Edit(vectors, 0.6, [(turned, task)])], jobs=1)[0]
    assert by_turned > found[0][0] + 0.3


def test_batch_normalisation_gets_no_negative_variance_and_keeps_its_counters():
    probe = load_probe("synthetic", device="cpu")
    state = {k: v.clone() for k, v in probe.network.state_dict().items()}
    for name in state:
        state[name] = state[name] * 3 if name.endswith("running_var") else state[name] + 1
    vector = task_vector(Expert("e", probe.with_weights(state)), probe)
    edited = (-vector).added_to(probe).network.state_dict()
    for name, value in probe.network.state_dict().items():
        if name.endswith("running_var"):
            assert not edited[name].any()
        elif name.endswith("num_batches_tracked"):
            assert torch.equal(edited[name], value)
        else:
            torch.testing.assert_close(edited[name], value - 1)


def test_what_cannot_be_added_is_refused_by_name(zoo):
    probe, _, experts, vectors = zoo
    with pytest.raises(InputError, match="'HOG': has no weights"):
        task_vector(hog_expert(12), probe)
    with pytest.raises(InputError, match="'t0': was fine-tuned from another network"):
        task_vector(experts[0], small_probe(1))
    other = task_vector(other_weights(linear_probe(), 1), linear_probe())
    for wrong in (lambda: vectors[0] + other, lambda: other.added_to(probe),
                  lambda: cosines(vectors, [other])):  # fmt: skip
        with pytest.raises(InputError, match="different networks: they differ in 1.bias"):
            wrong()
    with pytest.raises(InputError, match="layer 'conv3': not one of conv1, conv2"):
        cosines(vectors, layers=["conv3"])
    with pytest.raises(InputError, match="at least one task vector"):
        cosines([])
    with pytest.raises(InputError, match="at least one task vector"):
        edited_errors(probe, [Edit([], 1.0, [])])
    with pytest.raises(InputError, match="has no weights of layer 'conv1'"):
        filter_energies(TaskVector("x", {"conv2.weight": torch.ones(1)}), probe)
