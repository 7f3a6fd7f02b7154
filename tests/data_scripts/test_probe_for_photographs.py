"""The choice of the probe: the rule, the halves, and a table from the command line."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from data_scripts.claims import probe_for_photographs as script
from t2v import Task
from t2v.book import tables
from t2v.libraries import Library

EMPTY = np.zeros(2)


def measured(hits, error):
    errors = np.array([error, error])
    return script.Measured(np.array(hits, float), 0.1, errors, EMPTY, EMPTY, 1.0)


def test_a_clearly_higher_rate_wins_and_ties_go_to_the_smaller_error():
    high, low = measured([1] * 18 + [0] * 2, 0.3), measured([1] * 2 + [0] * 18, 0.1)
    assert script.choose({"a": high, "b": low}) == "a"  # 16 of 20 tasks differ, all one way
    near = measured([1] * 17 + [0] * 3, 0.1)  # one task of 20 differs
    assert script.choose({"a": high, "b": near, "c": low}) == "b"
    assert script.choose({"a": replace(high, errors=EMPTY), "b": near}) == "a"


def test_halves_depend_on_the_name_alone():
    names = [f"task {i}" for i in range(400)]
    halves = [script.half_of(name) for name in names]
    assert 150 < halves.count("first") < 250  # five standard deviations around 200
    assert script.half_of("birds") == script.half_of("birds")
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    images = torch.arange(7, dtype=torch.uint8)[:, None, None, None].expand(7, 3, 4, 4)
    first, second = script.halves_of_images(Task("t", images, labels, ("a", "b")))
    assert first.images[:, 0, 0, 0].tolist() == [0, 1, 4, 5]
    assert second.images[:, 0, 0, 0].tolist() == [2, 3, 6]


def stripes(name, group, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(24) % 2
    wave = 80 * torch.sin((0.3 + 0.5 * (group == "fine")) * torch.arange(48.0))
    wave = torch.where(labels[:, None, None] > 0, wave[:, None], wave[None]).expand(-1, 48, 48)
    noise = 20 * torch.randn(24, 3, 48, 48, generator=generator)
    images = (128 + wave[:, None] + noise).clamp(0, 255).to(torch.uint8)
    test = torch.arange(24) >= 16
    return Task(name, images, labels, ("a", "b"), group=group, test=test)


def test_the_command_writes_every_measure_of_both_halves(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    by_half = {"first": [], "second": []}
    for i in range(40):
        by_half[script.half_of(f"task {i}")].append(f"task {i}")
    names = by_half["first"][:4] + by_half["second"][:4]
    tasks = [stripes(n, ("fine", "coarse")[i % 2], i) for i, n in enumerate(names)]
    monkeypatch.setattr(script, "load_library", lambda *_: Library("small", tasks))
    out = tmp_path / "table.csv"
    command = ["x", "synthetic", "--image-size", "48", "--device", "cpu", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(out)])
    script.main()
    assert capsys.readouterr().out.endswith("chosen on the first half: synthetic\n")
    frame = tables.read(out)
    assert frame.attrs["provenance"]["chosen"] == "synthetic"
    for _, part in frame.groupby("half"):
        values = part.set_index("measure").value
        assert sorted(values.index) == ["error", "same_group", "seconds", "self_distance", "spread"]
        # stripes of two widths: a task is nearest to the other one of its width
        assert values.same_group == 1 and values.self_distance < values.spread
        chance = part[part.measure == "same_group"].chance.item()
        assert chance == pytest.approx(1 / 3)  # one of three other tasks
