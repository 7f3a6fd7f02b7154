"""Features are computed once for each image, whatever happens between two runs."""

import shutil

import numpy as np
import pytest

from t2v.candidates import FileImages, HandMade, TensorImages, measure
from t2v.candidates.images import fitted
from t2v.candidates.kept import CHUNK
from t2v.errors import InputError
from t2v.reading.scan import scan_folder
from tests.candidates.some import folder_of_images, network
from tests.small import small_task


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def place(tmp_path):
    return folder_of_images(tmp_path / "mine")


def paths_of(place):
    return list(scan_folder(place).paths)


def test_features_are_those_of_the_probe(place):
    one, images = network(), FileImages(paths_of(place))
    features, probabilities = measure(images, [one]).read(0)
    squares = np.stack([np.array(fitted(images.open(i), 14, False))[1:13, 1:13] for i in range(36)])
    import torch

    expected = one.probe.features(torch.from_numpy(squares.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert probabilities is None


def test_a_second_run_computes_nothing_and_gives_the_same(place):
    networks = [network(), network("b", 1), HandMade(14)]
    first = measure(FileImages(paths_of(place)), networks)
    again = measure(FileImages(paths_of(place)), networks)
    assert (first.computed, again.computed) == (36, 0)
    for m in range(3):
        np.testing.assert_array_equal(first.read(m)[0], again.read(m)[0])


def test_only_what_is_new_is_computed(place):
    paths = paths_of(place)
    measure(FileImages(paths[:10]), [network()])
    assert measure(FileImages(paths), [network()]).computed == 26
    shutil.copy(paths[0], place / "c0" / "new.png")
    (place / "c1" / "00.png").write_bytes(paths[0].read_bytes())  # another image, the same name
    assert measure(FileImages(paths_of(place)), [network()]).computed == 2
    # another network, or another size, is computed by itself
    assert measure(FileImages(paths), [network("b", 1)]).computed == 36
    assert measure(FileImages(paths), [network(resize=20)]).computed == 36


def test_a_run_that_was_killed_has_lost_a_chunk_at_most(monkeypatch):
    task = small_task(count=2 * CHUNK + 5)
    images, one = TensorImages(task.images), network()
    compute, calls = type(one).compute, []

    def killed(self, squares):
        calls.append(len(squares))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute(self, squares)

    monkeypatch.setattr(type(one), "compute", killed)
    with pytest.raises(KeyboardInterrupt):
        measure(images, [one])
    assert measure(images, [one]).computed == CHUNK + 5
    assert calls == [CHUNK, CHUNK, CHUNK, 5]


def test_a_damaged_file_is_computed_again(place, cache):
    images = FileImages(paths_of(place))
    before = measure(images, [network()]).read(0)[0]
    [kept] = cache.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    after = measure(images, [network()])
    assert after.computed == 36
    np.testing.assert_array_equal(after.read(0)[0], before)


def test_copies_and_unusable_files_are_found_in_both_runs(place):
    shutil.copy(place / "c0" / "03.png", place / "c2" / "copy.png")
    (place / "c1" / "broken.png").write_bytes(b"no image")
    images = FileImages(paths_of(place))
    for _ in range(2):
        found = measure(images, [network()])
        names = [images.paths[i].name for i in found.usable[found.copies]]
        assert names == ["copy.png"]
        assert [images.paths[i].name for i in found.reasons] == ["broken.png"]
        assert len(found.of(~found.copies).read(0)[0]) == 36


def test_long_work_is_announced_once(monkeypatch):
    from t2v.candidates import kept

    said = []
    monkeypatch.setattr(kept, "LONG", 0.0)
    measure(TensorImages(small_task(count=3 * CHUNK).images), [network()], announce=said.append)
    assert len(said) == 1 and said[0] > 0


def test_features_that_are_not_finite_are_refused(place):
    one = network()
    one.probe.network.conv1.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match="a: features are not finite"):
        measure(FileImages(paths_of(place)), [one])
