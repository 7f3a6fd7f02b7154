"""A zoo on disk: what is put in comes out, and nothing is ever there by half."""

import numpy as np
import pytest
import torch
from small import small_probe, small_task

from t2v.architectures import SYNTHETIC_WEIGHTS
from t2v.embedding import task2vec
from t2v.errors import FileError, InputError
from t2v.experts import fine_tuning
from t2v.experts import zoo_folder as zoo
from t2v.experts.expert import Expert, generic_expert
from t2v.probe import load_probe


@pytest.fixture(scope="module")
def probe():
    return load_probe("synthetic", device="cpu")


@pytest.fixture(scope="module")
def task():
    return small_task("blots", count=24)


@pytest.fixture(scope="module")
def embedding(task, probe):
    return task2vec(task, probe)


def names(directory):
    return sorted(p.name for p in directory.iterdir())


def test_what_is_put_in_comes_out(tmp_path, task, probe, embedding):
    expert = zoo.train(tmp_path / "zoo", task, probe, steps=3, seed=1)
    zoo.add(tmp_path / "zoo", "blots", expert, embedding)
    assert names(tmp_path / "zoo") == ["blots"]
    [entry] = zoo.entries(tmp_path / "zoo")
    assert entry.name == "blots"
    np.testing.assert_array_equal(entry.embedding.fisher, embedding.fisher)
    again = entry.expert()
    expected = expert.extractor.features(task.images)
    assert torch.equal(again.extractor.features(task.images), expected)
    assert not torch.equal(expected, probe.features(task.images))
    assert entry.megabytes == pytest.approx(1.23, abs=0.1)  # 308,000 weights of 4 bytes


class Broken(Expert):
    def save(self, path):
        super().save(path)
        raise OSError(28, "No space left on device", str(path))


@pytest.mark.parametrize("there", [True, False])
def test_what_fails_midway_leaves_nothing(tmp_path, probe, embedding, there):
    directory = tmp_path / "zoo"
    if there:
        zoo.add(directory, "good", generic_expert(probe), embedding)
    with pytest.raises(OSError, match="No space"):
        zoo.add(directory, "bad", Broken("bad", probe), embedding)
    assert names(tmp_path) == (["zoo"] if there else [])
    assert not there or names(directory) == ["good"]


def test_killed_training_goes_on_from_its_checkpoint(tmp_path, task, probe, monkeypatch):
    monkeypatch.setattr(fine_tuning, "CHECK", 2)
    directory, whole = tmp_path / "zoo", zoo.train(tmp_path / "other", task, probe, 6, seed=0)
    run, calls = fine_tuning.Training.run, []

    def killed(self, *given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(self, *given)

    monkeypatch.setattr(fine_tuning.Training, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        zoo.train(directory, task, probe, 6, seed=0)
    assert names(directory) == [".blots.checkpoint"] and zoo.entries(directory) == []
    expert = zoo.train(directory, task, probe, 6, seed=0)
    assert len(calls) == 4  # one more, not three
    assert expert.extractor.sha256 == whole.extractor.sha256
    zoo.add(directory, "blots", expert, task2vec(task, probe))
    assert names(directory) == ["blots"]


def test_training_that_is_refused_leaves_nothing(tmp_path, probe):
    grey = small_task("grey", count=20)
    grey = type(grey)("grey", torch.zeros_like(grey.images), grey.labels, grey.classes)
    with pytest.raises(InputError, match="grey"):
        zoo.train(tmp_path / "zoo", grey, probe, 3, seed=0)
    assert names(tmp_path) == []


def test_remove(tmp_path, probe, embedding):
    for name in ("a", "b"):
        zoo.add(tmp_path, name, generic_expert(probe), embedding)
    (tmp_path / ".a.removed").mkdir()  # of a removal that was killed
    (tmp_path / ".a.removed" / "rest").touch()
    zoo.remove(tmp_path, "a")
    assert names(tmp_path) == ["b"]
    with pytest.raises(InputError, match="no expert 'a'; it has: b"):
        zoo.remove(tmp_path, "a")


def test_state_dict_of_another_number_of_classes_becomes_an_expert(tmp_path, task, probe):
    from safetensors.torch import load_file

    state = load_file(SYNTHETIC_WEIGHTS)
    state = {k: v for k, v in state.items() if not k.startswith("fc.")}
    state |= {"fc.weight": torch.zeros(7, 128), "fc.bias": torch.zeros(7)}
    torch.save(state, tmp_path / "mine.pth")
    expert = zoo.read_expert(tmp_path / "mine.pth", task, "synthetic", probe)
    assert expert.name == "blots" and expert.classes == task.classes
    assert torch.equal(expert.extractor.features(task.images), probe.features(task.images))


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_names_that_are_no_folders_are_refused(tmp_path, probe, name):
    with pytest.raises(InputError, match="plain"):
        zoo.check_new(tmp_path, name, probe)


def test_zoos_and_probes_that_do_not_go_together(tmp_path, probe, embedding):
    zoo.add(tmp_path / "zoo", "a", generic_expert(probe), embedding)
    zoo.check_new(tmp_path / "zoo", "b", probe)
    with pytest.raises(InputError, match="probe synthetic, not small"):
        zoo.check_new(tmp_path / "zoo", "b", small_probe())
    with pytest.raises(FileError, match="no such zoo"):
        zoo.entries(tmp_path / "nowhere")
    (tmp_path / "zoo" / "pictures").mkdir()
    with pytest.raises(FileError, match="pictures: not an expert"):
        zoo.entries(tmp_path / "zoo")


def test_halves_are_halves_of_every_class():
    task = small_task(count=31, held_out=0.0)
    seen = []

    class Seen(type(small_probe())):
        def features(self, images, batch_size=None):
            seen.append(images)
            return super().features(images, batch_size)

    probe = Seen(**{k: v for k, v in vars(small_probe()).items() if k != "filters"})
    pairs = zoo.embed_halves(task, probe, 3)
    assert len(pairs) == 3 and len(seen) == 6
    for a, b in zip(seen[::2], seen[1::2], strict=True):
        together = torch.cat([a, b]).flatten(1).double()
        whole = task.images.flatten(1).double()
        order = [torch.argsort(x @ torch.arange(x.shape[1]).double()) for x in (together, whole)]
        assert torch.equal(together[order[0]], whole[order[1]])
    for a, b in pairs:
        assert abs(a.spec["images"] - b.spec["images"]) <= 3  # an odd one of each class at most
    assert not torch.equal(seen[0], seen[2])
    assert zoo.embed_halves(task, probe, 0) == []
    with pytest.raises(InputError, match="two or more"):
        zoo.embed_halves(task, probe, 1)
    alone = task.subset(torch.cat([torch.tensor([0]), (task.labels > 0).nonzero().flatten()]))
    with pytest.raises(InputError, match="class 'c0' has fewer than two pictures"):
        zoo.embed_halves(alone, probe, 2)
