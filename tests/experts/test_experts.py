"""Experts: trained on training images only, the same again, also after a kill; read back."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from t2v import FileError, InputError, Task, load_probe
from t2v.experts import fine_tuning, training
from t2v.experts.expert import Expert, generic_expert, hog_expert
from t2v.experts.fine_tuning import fine_tune, train_experts
from t2v.experts.training import Schedule
from t2v.pretrained.architectures import state_sha256
from tests.small import small_probe, small_task

SHORT = Schedule(steps=6, batch_size=8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def probe():
    return load_probe("synthetic", device="cpu")


def stripes(count=60, seed=0, name="stripes", **options):
    """Stripes of three directions at 48 px: not to be told apart by colour."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    row, column = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    slope = torch.tensor([0.0, 1.0, -1.0])[labels, None, None]
    phase = 6.28 * torch.rand(count, 1, 1, generator=generator)
    wave = torch.sin(0.5 * (row + slope * column) + phase)[:, None].expand(-1, 3, -1, -1)
    noise = torch.randn(count, 3, 48, 48, generator=generator)
    images = (128 + 40 * wave + 30 * noise).clamp(0, 255).to(torch.uint8)
    test = torch.arange(count) >= count * 2 // 3
    return Task(name, images, labels, ("a", "b", "c"), test=test, **options)


def test_training_lowers_the_loss_and_says_how(probe):
    task = stripes(lineage=("x", "y"), group="g")
    expert = fine_tune(task, probe, schedule=Schedule(40, 16))
    assert 0 < expert.recipe["head loss"] < np.log(3)
    assert expert.recipe["final loss"] < 0.7 * np.log(3)  # over all steps, the first ones too
    assert (expert.name, expert.task, expert.group) == ("stripes", "stripes", "g")
    assert expert.classes == ("a", "b", "c") and expert.lineage == ("x", "y")
    assert expert.recipe["start"] == probe.sha256 != expert.extractor.sha256
    assert expert.recipe["fingerprint"] == task.fingerprint
    assert expert.recipe["images"] == 40 and expert.recipe["schedule"]["steps"] == 40
    assert not any(p.requires_grad for p in expert.extractor.network.parameters())
    held_out = task.held_out
    error = expert.head.error(expert.extractor.features(held_out.images), held_out.labels)
    assert error < 0.3  # chance: 0.67


def test_same_seed_same_weights_and_the_probe_is_left_alone(probe):
    before = state_sha256(dict(probe.network.state_dict()))
    torch.manual_seed(1)
    first = fine_tune(stripes(), probe, schedule=SHORT)
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    again = fine_tune(stripes(), probe, schedule=SHORT)
    assert torch.rand(1) == expected  # the caller's random numbers are not used up
    other = fine_tune(stripes(), probe, schedule=SHORT, seed=1)
    assert first.extractor.sha256 == again.extractor.sha256 != other.extractor.sha256
    assert state_sha256(dict(probe.network.state_dict())) == before == probe.sha256


def test_held_out_images_are_not_looked_at(probe):
    task = stripes()
    images = task.images.clone()
    images[task.test] = 255 - images[task.test]
    other = dataclasses.replace(task, images=images)
    a, b = (fine_tune(t, probe, schedule=SHORT).extractor.sha256 for t in (task, other))
    assert a == b


def test_draws_are_even_over_classes_and_images_stay_whole(probe):
    labels = torch.tensor([0] * 90 + [1] * 10)
    images = torch.arange(100, dtype=torch.uint8)[:, None, None, None].expand(100, 3, 48, 48)
    task = Task("uneven", images, labels, ("many", "few"))
    torch.manual_seed(0)
    run = training.Training(task, probe, Schedule(1, batch_size=2000))
    batch, drawn = run._batch()
    # 2000 fair draws: standard deviation 0.011
    assert drawn.double().mean().item() == pytest.approx(0.5, abs=0.04)
    values = (batch[:, 0, 0, 0] * 0.229 + 0.485) * 255
    assert ((values.round() >= 90) == (drawn == 1)).all()
    assert len(values.round().unique()) == 100


def test_mirrors_and_shifts_by_at_most_a_twelfth(probe):
    pixels = torch.zeros(1, 3, 48, 48, dtype=torch.uint8)
    pixels[..., 20, 10] = 255
    other = 255 - pixels
    task = Task("points", torch.cat([pixels, other]), torch.tensor([0, 1]), ("a", "b"))
    torch.manual_seed(0)
    run = training.Training(task, probe, Schedule(1, batch_size=1))
    where = []
    while len(where) < 300:
        batch, label = run._batch()
        if label == 0:
            where.append(divmod(int(batch[0, 0].argmax()), 48))
    rows, columns = (np.array(v) for v in zip(*where, strict=True))
    assert set(rows) == set(range(16, 25))
    assert set(columns) == set(range(6, 15)) | set(range(33, 42))


def test_rate_falls_to_a_tenth_at_two_thirds(probe):
    run = training.Training(stripes().train, probe, Schedule(9, batch_size=4, lr=0.02))
    rates = []
    for _ in range(9):
        run.run(1)
        rates.append(run.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.02] * 6 + [0.002] * 3)


def test_failures_name_the_task(probe, monkeypatch):
    with pytest.raises(InputError, match="'stripes': the loss at step .* smaller lr than 1e"):
        fine_tune(stripes(), probe, schedule=Schedule(200, 16, lr=1e6))
    broken = dataclasses.replace(stripes(name="one class"), labels=torch.zeros(60, dtype=int))
    with pytest.raises(InputError, match="'one class'"):
        fine_tune(broken, probe, schedule=SHORT)
    fit = training.fit_head

    def turned(features, labels, **options):
        head = fit(features, labels, **options)
        return dataclasses.replace(head, weight=-head.weight, bias=-head.bias)

    monkeypatch.setattr(training, "fit_head", turned)
    with pytest.raises(InputError, match="'stripes': the loss of its head .* above that of chance"):
        fine_tune(stripes(), probe, schedule=SHORT)


KILLED = """
import sys
from pathlib import Path
from t2v import load_probe
from t2v.experts.training import Schedule
from t2v.experts.fine_tuning import fine_tune
from tests.experts.test_experts import stripes
schedule = Schedule(steps=int(sys.argv[2]), batch_size=8)
fine_tune(stripes(), load_probe("synthetic", device="cpu"), schedule=schedule,
          checkpoint=Path(sys.argv[1]))
"""


@pytest.mark.slow  # starts another Python
def test_killed_training_ends_with_the_same_weights(probe, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    schedule, checkpoint = Schedule(steps=170, batch_size=8), tmp_path / "checkpoint"
    script = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(checkpoint), str(schedule.steps)],
        cwd=Path(__file__).parents[2],
    )
    while not checkpoint.exists() and script.poll() is None:
        time.sleep(0.01)
    os.kill(script.pid, signal.SIGKILL)
    assert script.wait() == -signal.SIGKILL
    steps = []
    run = training.Training.run
    monkeypatch.setattr(
        training.Training, "run", lambda self, n: (steps.append(n), run(self, n))[1]
    )
    resumed = fine_tune(stripes(), probe, schedule=schedule, checkpoint=checkpoint)
    assert sum(steps) < schedule.steps
    whole = fine_tune(stripes(), probe, schedule=schedule)
    assert resumed.extractor.sha256 == whole.extractor.sha256
    assert resumed.recipe["final loss"] == whole.recipe["final loss"]


def test_checkpoint_of_another_training_is_refused(probe, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    fine_tune(stripes(), probe, schedule=SHORT, checkpoint=checkpoint)
    with pytest.raises(FileError, match="not a checkpoint of task"):
        fine_tune(stripes(), probe, schedule=SHORT, seed=1, checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(FileError, match="not a readable t2v checkpoint .*: remove it"):
        fine_tune(stripes(), probe, schedule=SHORT, checkpoint=checkpoint)


def test_experts_are_trained_once(probe, monkeypatch):
    calls = []

    def counted(task, *arguments, **options):
        calls.append(task.name)
        return fine_tune(task, *arguments, **options)

    monkeypatch.setattr(fine_tuning, "fine_tune", counted)
    tasks = [stripes(seed=s, name=f"t{s}") for s in range(3)]
    first = train_experts(tasks[:2], probe, schedule=SHORT, jobs=1)
    again = train_experts(tasks, probe, schedule=[SHORT, SHORT, Schedule(5, 8)], jobs=1)
    assert sorted(calls) == ["t0", "t1", "t2"]
    assert [e.name for e in again] == ["t0", "t1", "t2"]
    assert again[2].recipe["schedule"]["steps"] == 5
    for a, b in zip(first, again, strict=False):
        assert a.extractor.sha256 == b.extractor.sha256 and a.recipe == b.recipe


@pytest.mark.slow  # starts two processes
def test_experts_of_a_small_network_from_processes():
    tasks, probe = [small_task(f"t{s}", seed=s) for s in range(2)], small_probe()
    trained = train_experts(tasks, probe, schedule=SHORT, jobs=2)
    alone = [fine_tune(task, probe, schedule=SHORT) for task in tasks]
    for a, b, task in zip(trained, alone, tasks, strict=True):
        # float32 sums may be split differently over threads
        features = [e.extractor.features(task.images) for e in (a, b)]
        np.testing.assert_allclose(*features, atol=1e-4)


def test_saved_and_read_back(probe, tmp_path):
    task = stripes(lineage=("x", "y"), group="g")
    expert = fine_tune(task, probe, schedule=SHORT)
    expert.save(tmp_path / "e.safetensors")
    read = Expert.load(tmp_path / "e.safetensors", device="cpu")
    for name in ("name", "recipe", "classes", "group", "lineage", "task"):
        assert getattr(read, name) == getattr(expert, name), name
    assert read.extractor.sha256 == expert.extractor.sha256
    features = read.extractor.features(task.images)
    torch.testing.assert_close(features, expert.extractor.features(task.images), rtol=0, atol=0)
    assert torch.equal(read.head.weight, expert.head.weight)
    # an expert's file is a file of weights like any other
    as_probe = load_probe("synthetic", tmp_path / "e.safetensors", device="cpu")
    assert as_probe.sha256 == expert.extractor.sha256


@pytest.mark.parametrize("network", ["squeezenet1_0", "mobilenet_v2"])
def test_generic_experts_of_torchvision_are_read_back(network, tmp_path):
    from torchvision import models

    state = models.get_model(network, weights=None).state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    probe = load_probe(network, tmp_path / "weights.safetensors", 64, device="cpu")
    generic_expert(probe).save(tmp_path / "e.safetensors")
    read = Expert.load(tmp_path / "e.safetensors", device="cpu")
    images = stripes(4).images
    assert torch.equal(read.extractor.features(images), probe.features(images))
    assert read.extractor.sha256 == probe.sha256 and read.classes == ()


def test_bad_files_are_refused(probe, tmp_path):
    path = tmp_path / "e.safetensors"
    with pytest.raises(FileError, match="no such file"):
        Expert.load(path)
    generic_expert(probe).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="not a readable t2v expert"):
        Expert.load(path)
    path.write_bytes(whole[:-4] + b"\x00\x00\x80\x3f")
    with pytest.raises(FileError, match="not the synthetic that was saved"):
        Expert.load(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(FileError, match="but not a t2v expert"):
        Expert.load(path)


def test_hog_sees_directions_but_not_colours(tmp_path):
    pytest.importorskip("skimage")
    expert = hog_expert(48)
    task = stripes(12)
    features = expert.extractor.features(task.images)
    assert features.shape == (12, 900) and features.dtype == torch.float32
    dark = task.images // 4
    bright = expert.extractor.features(2 * dark + 100)  # contrast is normalised away
    torch.testing.assert_close(bright, expert.extractor.features(dark), atol=1e-5, rtol=0)
    near = torch.cdist(features, features).fill_diagonal_(np.inf).argmin(1)
    assert (task.labels[near] == task.labels).all()
    expert.save(tmp_path / "hog.safetensors")
    read = Expert.load(tmp_path / "hog.safetensors")
    assert read.extractor == expert.extractor and read.recipe == {}
    assert hog_expert(64).extractor.sha256 != expert.extractor.sha256
    assert hog_expert(64).extractor.features(task.images).shape == (12, 900)
