"""The probe `synthetic`: what its description claims, how it is trained, and that training again
gives the same map of tasks."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import spearmanr

from data_scripts.probe.train import (
    TrainingSet,
    accuracies,
    draw_training_set,
    loss,
    standardised,
    train,
)
from t2v import distance_matrix, task2vec
from t2v.libraries import load_library
from t2v.libraries.worlds.creatures.evolution import FIRST_TRAINING_SEED
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES
from t2v.libraries.worlds.garments.images import draw_garments
from t2v.libraries.worlds.wardrobe import wardrobe_garments
from t2v.pretrained.architectures import SYNTHETIC_WEIGHTS
from t2v.pretrained.synthetic_net import SyntheticNet
from t2v.probe import load_probe


@pytest.fixture(scope="module")
def description():
    return json.loads(SYNTHETIC_WEIGHTS.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def shipped(description):
    network = SyntheticNet(sum(description["classes"].values()))
    network.load_state_dict(load_file(SYNTHETIC_WEIGHTS))
    return network.eval()


# --- the weights in the package ----------------------------------------------------------------


def test_weights_are_those_described_and_small(description):
    raw = SYNTHETIC_WEIGHTS.read_bytes()
    assert hashlib.sha256(raw).hexdigest() == description["sha256"]
    assert len(raw) == description["bytes"] <= 2_000_000


def test_no_library_uses_the_seeds_it_was_trained_on(description):
    assert min(description["seeds of the worlds"]) >= FIRST_TRAINING_SEED == 10**6


def test_accuracy_is_what_the_description_says(description, shipped):
    """On garments of a seed that neither training nor any library uses."""
    count = 400
    garments = wardrobe_garments(count, 0, FIRST_TRAINING_SEED + 500)
    with torch.no_grad():
        logits = shipped(standardised(draw_garments(garments)))
    parts = logits.split(list(description["classes"].values()), 1)
    for part, (group, target) in zip(parts, garments.values.items(), strict=False):
        right = (part.argmax(1) == target).float().mean().item()
        claimed = description["held-out accuracy"][group]
        # both are shares of a finite sample; four standard deviations of their difference
        held_out = description["held-out garments"]
        spread = math.sqrt(claimed * (1 - claimed) * (1 / count + 1 / held_out))
        assert abs(right - claimed) < 4 * spread + 0.005, group
        assert right > 1.3 / len(ATTRIBUTES[group]), group


def test_probe_is_the_network_without_its_head(shipped):
    probe = load_probe("synthetic", device="cpu")
    images = draw_garments(wardrobe_garments(5, 0, 1))
    features = probe.features(images)
    assert features.shape == (5, 128)
    with torch.no_grad():
        expected = shipped(standardised(images))
        logits = features @ shipped.fc.weight.T + shipped.fc.bias
    # float32 through a dozen convolutions, in another memory layout
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=1e-3)


# --- the network -------------------------------------------------------------------------------


def test_network_has_the_layout_of_torchvision(shipped):
    names = [name for name, _ in shipped.named_children()]
    assert names[:2] == ["conv1", "bn1"] and names[-2:] == ["avgpool", "fc"]
    assert {"layer1", "layer2", "layer3", "layer4"} < set(names)
    seen = {}
    for name in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        getattr(shipped, name).register_forward_hook(
            lambda module, given, out, name=name: seen.update({name: tuple(out.shape[1:])})
        )
    with torch.no_grad():
        shipped(torch.zeros(2, 3, 48, 48))
    assert [seen[name][1] for name in seen] == [24, 24, 12, 6, 3]


# --- training ----------------------------------------------------------------------------------


def test_loss_counts_each_softmax_where_it_applies():
    logits = torch.tensor([[2.0, 0.0, 1.0, 1.0, 5.0], [0.0, 1.0, 3.0, 0.0, 0.0]])
    targets = torch.tensor([[0, -1], [1, 0]])

    def smoothed(row, target):
        """Cross-entropy with a tenth of the label spread evenly, in plain Python."""
        log_sum = math.log(sum(math.exp(v) for v in row))
        weights = [0.1 / len(row) + (0.9 if k == target else 0) for k in range(len(row))]
        return sum(w * (log_sum - v) for w, v in zip(weights, row, strict=True))

    expected = (smoothed([2, 0], 0) + smoothed([0, 1], 1) + smoothed([3, 0, 0], 0)) / 2
    assert loss(logits, targets, [2, 3]).item() == pytest.approx(expected, rel=1e-5)


def test_training_set_keeps_species_and_garments_apart():
    data = draw_training_set(1, 60, "smoke", first=FIRST_TRAINING_SEED + 700)
    species = sum(
        task.num_classes for task in load_library("phylogeny", "smoke", FIRST_TRAINING_SEED + 700)
    )
    assert data.heads == [*(len(values) for values in ATTRIBUTES.values()), species]
    garment = data.targets[:, 0] >= 0
    assert int(garment.sum()) == 60
    assert (data.targets[garment, -1] == -1).all()
    assert (data.targets[~garment, :-1] == -1).all()
    assert set(data.targets[~garment, -1].tolist()) == set(range(species))
    assert data.test.sum() > 0 and data.test[:54].sum() == 0


def test_training_is_repeatable_and_learns():
    garments = wardrobe_garments(384, 64, FIRST_TRAINING_SEED + 800)
    targets = torch.stack([garments.values["colour"]], 1)
    test = torch.arange(448) >= 384
    data = TrainingSet(draw_garments(garments), targets, [len(ATTRIBUTES["colour"])], test)
    first, again = train(data, 40, 3), train(data, 40, 3)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert accuracies(first, data)[0] > 0.5  # chance is 1/6


def distances(probe, tasks) -> np.ndarray:
    return distance_matrix([task2vec(task, probe, max_images=60, passes=2) for task in tasks])


def mantel(a: np.ndarray, b: np.ndarray, permutations: int, seed: int) -> tuple[float, float]:
    """Rank correlation of two distance matrices, and how often renamed tasks reach it."""
    upper = np.triu_indices(len(a), 1)
    observed = spearmanr(a[upper], b[upper])[0]
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(a)) for _ in range(permutations)]
    reached = sum(spearmanr(a[upper], b[np.ix_(o, o)][upper])[0] >= observed for o in orders)
    return observed, (reached + 1) / (permutations + 1)


@pytest.mark.slow
def test_a_retrained_probe_gives_the_same_map_of_tasks(tmp_path):
    """Other worlds, other garments, other initial weights, and a twenty-fifth of the training."""
    seed = FIRST_TRAINING_SEED + 900
    data = draw_training_set(1, 1500, "smoke", seed)
    network = train(data, 120, seed)
    path = tmp_path / "retrained.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    tasks = [t for n in ("phylogeny", "wardrobe") for t in load_library(n, "smoke", 0)]
    one = distances(load_probe("synthetic", device="cpu"), tasks)
    other = distances(load_probe("synthetic", weights=path, device="cpu"), tasks)
    correlation, p_value = mantel(one, other, 199, 0)
    # of maps that have nothing to do with each other, one in a hundred agrees so well
    assert p_value < 0.01, f"rank correlation {correlation:.2f}"
