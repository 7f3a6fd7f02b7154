"""A zoo on disk: what is put in comes out, and nothing is ever there by half."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from t2v._run import tensors
from t2v.distances import distance_matrix, with_trivial
from t2v.embedding import domain2vec, task2vec
from t2v.errors import FileError, InputError
from t2v.experts import fine_tuning
from t2v.experts.expert import Expert, generic_expert
from t2v.experts.training import Schedule
from t2v.experts.zoo_errors import ZooErrors, hold_out
from t2v.experts.zoo_folder import TRIVIAL, Zoo, read_expert
from t2v.pretrained.architectures import SYNTHETIC_WEIGHTS
from t2v.probe import load_probe
from tests.small import small_probe, small_task


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
    zoo = Zoo(tmp_path / "zoo")
    expert = zoo.train(task, probe, Schedule(3), seed=1)
    domain = domain2vec(task, probe, "second")
    zoo.add("blots", expert, embedding, domain)
    assert names(tmp_path / "zoo") == ["blots", TRIVIAL]
    for read in (zoo, Zoo(tmp_path / "zoo")):
        [entry] = read.entries
    np.testing.assert_array_equal(entry.domain().fisher, domain.fisher)
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
    zoo = Zoo(tmp_path / "zoo")
    if there:
        zoo.add("good", generic_expert(probe), embedding)
    with pytest.raises(OSError, match="No space"):
        zoo.add("bad", Broken("bad", probe), embedding)
    assert names(tmp_path) == (["zoo"] if there else [])
    assert not there or names(zoo.folder) == ["good", TRIVIAL]


def test_an_expert_without_domain_embedding_is_named(tmp_path, probe, embedding):
    zoo = Zoo(tmp_path / "zoo")
    zoo.add("old", generic_expert(probe), embedding)
    with pytest.raises(FileError, match="old: has no domain.safetensors"):
        zoo.entries[0].domain()


def test_killed_training_goes_on_from_its_checkpoint(tmp_path, task, probe, monkeypatch):
    monkeypatch.setattr(fine_tuning, "CHECK", 2)
    zoo, whole = Zoo(tmp_path / "zoo"), Zoo(tmp_path / "other").train(task, probe, Schedule(6), 0)
    run, calls = fine_tuning.Training.run, []

    def killed(self, *given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(self, *given)

    monkeypatch.setattr(fine_tuning.Training, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        zoo.train(task, probe, Schedule(6), seed=0)
    assert names(zoo.folder) == [".blots.checkpoint"] and zoo.entries == []
    expert = zoo.train(task, probe, Schedule(6), seed=0)
    assert len(calls) == 4  # one more, not three
    assert expert.extractor.sha256 == whole.extractor.sha256
    zoo.add("blots", expert, task2vec(task, probe))
    assert names(zoo.folder) == ["blots", TRIVIAL] and [e.name for e in zoo.entries] == ["blots"]


def test_training_that_is_refused_leaves_nothing(tmp_path, probe):
    grey = small_task("grey", count=20)
    grey = type(grey)("grey", torch.zeros_like(grey.images), grey.labels, grey.classes)
    with pytest.raises(InputError, match="grey"):
        Zoo(tmp_path / "zoo").train(grey, probe, Schedule(3), seed=0)
    assert names(tmp_path) == []


def test_remove(tmp_path, probe, embedding):
    zoo = Zoo(tmp_path)
    for name in ("a", "b"):
        zoo.add(name, generic_expert(probe), embedding)
    (tmp_path / ".a.removed").mkdir()  # of a removal that was killed
    (tmp_path / ".a.removed" / "rest").touch()
    zoo.remove("a")
    assert names(tmp_path) == ["b", TRIVIAL]
    with pytest.raises(InputError, match="no expert 'a'; it has: b"):
        zoo.remove("a")


def test_an_added_expert_changes_no_distance_between_the_others(tmp_path, probe, embedding):
    """And a zoo made before there was a common trivial embedding gets one, or says how."""
    zoo, rng = Zoo(tmp_path), np.random.default_rng(0)

    def other(scale):  # another task, by whose scale a mean over all experts would move
        fisher = scale * rng.gamma(1.0, embedding.fisher)
        return replace(embedding, fisher=fisher, trivial=scale * embedding.trivial)

    def distances():
        return distance_matrix(
            with_trivial([e.embedding for e in zoo.entries], zoo.trivial), kind="asymmetric"
        )

    first, second = embedding, other(2.0)
    zoo.add("a", generic_expert(probe), first)
    np.testing.assert_array_equal(zoo.trivial, first.trivial)
    zoo.add("b", generic_expert(probe), second)
    before = distances()
    zoo.add("c", generic_expert(probe), other(50.0))
    np.testing.assert_array_equal(distances()[:2, :2], before)
    zoo.remove("c")
    np.testing.assert_array_equal(distances(), before)
    zoo.freeze_trivial()
    np.testing.assert_allclose(zoo.trivial, (first.trivial + second.trivial) / 2, rtol=1e-14)
    assert np.abs(distances() - before).max() > 1e-3

    (tmp_path / TRIVIAL).unlink()
    with pytest.raises(FileError, match="no common trivial embedding; `t2v zoo freeze"):
        _ = zoo.trivial
    zoo.add("c", generic_expert(probe), other(4.0))
    np.testing.assert_allclose(zoo.trivial, 7 / 3 * embedding.trivial, rtol=1e-14)


def test_state_dict_of_another_number_of_classes_becomes_an_expert(tmp_path, task, probe):
    from safetensors.torch import load_file

    state = load_file(SYNTHETIC_WEIGHTS)
    state = {k: v for k, v in state.items() if not k.startswith("fc.")}
    state |= {"fc.weight": torch.zeros(7, 128), "fc.bias": torch.zeros(7)}
    torch.save(state, tmp_path / "mine.pth")
    expert = read_expert(tmp_path / "mine.pth", task, "synthetic", probe)
    assert expert.name == "blots" and expert.classes == task.classes
    assert torch.equal(expert.extractor.features(task.images), probe.features(task.images))


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_names_that_are_no_folders_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="plain"):
        Zoo(tmp_path).check_new(name)


def test_no_expert_is_called_as_the_generic_network(tmp_path):
    with pytest.raises(InputError, match="name of the probe itself"):
        Zoo(tmp_path).check_new("generic")


def test_zoos_and_probes_that_do_not_go_together(tmp_path, probe, embedding):
    zoo = Zoo(tmp_path / "zoo")
    zoo.check_probe(small_probe())  # there is none yet
    zoo.add("a", generic_expert(probe), embedding)
    zoo.check_new("b")
    with pytest.raises(InputError, match="has an expert 'a'"):
        zoo.check_new("a")
    zoo.check_probe(probe)
    assert zoo.load_probe(device="cpu").sha256 == probe.sha256
    with pytest.raises(InputError, match="probe synthetic, not small"):
        zoo.check_probe(small_probe())
    with pytest.raises(InputError, match="image_size 48, not 32"):
        zoo.load_probe(image_size=32, device="cpu")
    with pytest.raises(FileError, match="no such zoo"):
        Zoo(tmp_path / "nowhere").entries  # noqa: B018
    (tmp_path / "zoo" / "pictures").mkdir()
    with pytest.raises(FileError, match="pictures: not an expert"):
        Zoo(tmp_path / "zoo").entries  # noqa: B018


def some_errors(embedding, count=3, experts=("a", "b")):
    rng = np.random.default_rng(0)
    errors = rng.random((count, len(experts)))
    errors[0, 0] = np.nan
    tasks = [replace(embedding, fisher=embedding.fisher * k, name=str(k)) for k in range(count)]
    return ZooErrors(tuple(tasks), experts, errors)


@pytest.fixture
def zoo_of_two(tmp_path, probe, embedding):
    zoo = Zoo(tmp_path / "zoo")
    for name in ("a", "b"):
        zoo.add(name, generic_expert(probe), embedding)
    return zoo


def test_errors_come_out_as_they_were_kept_in_the_order_of_the_experts(zoo_of_two, embedding):
    kept = some_errors(embedding, experts=("b", "gone"))
    zoo_of_two.keep_errors(kept)
    errors = Zoo(zoo_of_two.folder).errors
    assert errors.experts == ("a", "b") and np.isnan(errors.errors[:, 0]).all()
    np.testing.assert_array_equal(errors.errors[:, 1], kept.errors[:, 0])
    for one, other in zip(errors.tasks, kept.tasks, strict=True):
        np.testing.assert_array_equal(one.fisher, other.fisher)
        np.testing.assert_array_equal(one.trivial, other.trivial)
        for key in ("name", "lineage", "group", "layers", "spec"):
            assert getattr(one, key) == getattr(other, key)


def test_an_expert_that_is_removed_takes_its_errors_along(zoo_of_two, probe, embedding):
    zoo_of_two.keep_errors(some_errors(embedding))
    zoo_of_two.remove("b")
    zoo_of_two.add("b", generic_expert(probe), embedding)
    errors = zoo_of_two.errors.errors
    assert np.isnan(errors[:, 1]).all() and np.isfinite(errors[1:, 0]).all()


def test_damaged_errors_are_refused_and_a_failed_write_keeps_the_old_ones(
    zoo_of_two, embedding, monkeypatch
):
    path = zoo_of_two.folder / "errors.safetensors"
    with pytest.raises(FileError, match="not known; `t2v zoo errors"):
        _ = zoo_of_two.errors
    zoo_of_two.keep_errors(some_errors(embedding))
    whole = path.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(tensors, "save_file", full_disk)
        zoo_of_two.keep_errors(some_errors(embedding, 2))
    assert path.read_bytes() == whole
    assert names(zoo_of_two.folder) == ["a", "b", path.name, TRIVIAL]
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    for content, message in (
        (whole[:-3], "not a readable"),
        (bytes(flipped), "not the errors that were saved"),
        (whole.replace(b"of a zoo 1", b"of a zoo 9"), "but not a t2v errors of a zoo"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileError, match=message):
            _ = zoo_of_two.errors
    other = replace(embedding, spec=embedding.spec | {"weights_sha256": "another"})
    zoo_of_two.keep_errors(some_errors(other))
    with pytest.raises(InputError, match="made with another weights_sha256"):
        _ = zoo_of_two.errors


def full_disk(*arguments):
    raise OSError(28, "No space left on device")


def test_a_quarter_of_each_class_is_held_out(task):
    rare = replace(task, labels=torch.tensor([0] * 20 + [1] * 2 + [2] * 2), test=None)
    split = hold_out(rare, seed=1)
    assert torch.bincount(split.held_out.labels).tolist() == [5, 1, 1]
    assert torch.equal(split.test, hold_out(rare, seed=1).test)
    assert not torch.equal(split.test, hold_out(rare, seed=2).test)
