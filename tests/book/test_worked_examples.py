"""Numbers that pages work out by hand: computed again, from the definitions alone."""

import re
from pathlib import Path

import numpy as np
import pytest
from torch import nn
from torchvision.models import resnet34

BOOK = Path(__file__).resolve().parents[2] / "book"


def test_scale_and_the_second_term_on_the_page_of_the_robust_embedding():
    text = (BOOK / "robust.md").read_text(encoding="utf-8")
    trivial = np.array([1.0, 1.0])
    said = re.search(r"from \$t_0\$ is ([\d.]+)\..*grows to ([\d.]+)\..*is ([\d.]+)\. In", text)
    for scale, number in zip((1, 10, 0.1), said.groups(), strict=True):
        source = scale * np.array([1.0, 4.0]) + trivial
        a, b = source / (source + trivial), trivial / (source + trivial)
        distance = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert float(number) == pytest.approx(distance, abs=5e-4)  # three decimals are printed


def test_beta_of_a_resnet_34_on_the_page_of_the_robust_embedding():
    text = (BOOK / "robust.md").read_text(encoding="utf-8")
    millions, mantissa = re.search(
        r"has (\d+) million such weights, which gives \$\\beta = ([\d.]+)\\cdot 10\^\{-8\}", text
    ).groups()
    weights = sum(m.weight.numel() for m in resnet34().modules() if isinstance(m, nn.Conv2d))
    assert round(weights / 1e6) == int(millions)
    assert round(1e8 / weights, 1) == float(mantissa)


def test_soft_label_on_the_page_of_model2vec():
    text = (BOOK / "model2vec.md").read_text(encoding="utf-8")
    spread, ahead, ratio = re.search(
        r"standard deviation is ([\d.]+) points.*by ([\d.]+) standard.*approx (\d+)\$", text
    ).groups()
    errors = np.array([10.0, 11.0, 20.0])
    logits = -20 * (errors - errors.mean()) / errors.std()
    assert round(errors.std(), 1) == float(spread)
    assert round((errors[1] - errors[0]) / errors.std(), 3) == float(ahead)
    assert round(np.exp(logits[0] - logits[1])) == int(ratio)
    assert 0.985 < 1 / np.exp(logits - logits[0]).sum() < 0.99  # "nearly 99%"
