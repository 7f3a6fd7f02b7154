"""Decoded images in the cache: what is decoded again, what is refused, and tasks on them."""

from __future__ import annotations

import json
import pickle
import random
import tracemalloc

import pytest
import torch
from PIL import Image

from t2v.errors import FileError
from t2v.images import load_images
from t2v.libraries.paper import json_stream, store
from t2v.libraries.paper.store import StoredImages, StoredTask, fill_store
from t2v.task import Task


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "CHUNK", 3 * 8 * 8 * 4)  # four images of 8 pixels
    for i in range(10):
        Image.new("RGB", (9 + i, 8), (20 * i, i, 255 - i)).save(tmp_path / f"{i}.png")
    return tmp_path


PATHS = [f"{i}.png" for i in range(10)]


def decoded(monkeypatch):
    calls = []

    def counted(paths, *args, **options):
        calls.append([path.name for path in paths])
        return load_images(paths, *args, **options)

    monkeypatch.setattr(store, "load_images", counted)
    return calls


def test_images_are_those_of_the_files(folder):
    filled, unusable = fill_store(folder, PATHS, 8)
    expected, _ = load_images([folder / path for path in PATHS], 8)
    assert unusable == {} and len(filled.chunks) == 3
    assert torch.equal(torch.stack([filled[i] for i in range(10)]), expected)


def test_a_killed_run_goes_on_and_a_second_one_only_looks(folder, monkeypatch):
    calls = decoded(monkeypatch)
    real, count = store._decode, iter(range(10))

    def killed(*arguments):
        if next(count) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(store, "_decode", killed)
    with pytest.raises(KeyboardInterrupt):
        fill_store(folder, PATHS, 8)
    monkeypatch.setattr(store, "_decode", real)
    assert calls == [PATHS[:4], PATHS[4:8]]
    fill_store(folder, PATHS, 8)
    assert calls[2:] == [PATHS[8:]]
    fill_store(folder, PATHS, 8)
    assert len(calls) == 3
    (folder / "5.png").write_bytes((folder / "9.png").read_bytes() + b" ")  # another file
    fill_store(folder, PATHS, 8)
    assert calls[3:] == [PATHS[4:8]]
    assert not [path for path in (folder / "cache").rglob("*") if path.name.startswith(".part")]


def test_unusable_images_keep_the_places_of_the_others(folder):
    (folder / "1.png").unlink()
    (folder / "6.png").write_bytes(b"no image")
    filled, unusable = fill_store(folder, PATHS, 8)
    assert unusable == {1: "no such file", 6: "not an image"}
    expected, _ = load_images([folder / "7.png"], 8)
    assert torch.equal(filled[7], expected[0])
    assert (filled.digests[[1, 6]] == 0).all() and filled.digests[7].any()


def test_damage_is_refused(folder):
    filled, _ = fill_store(folder, PATHS, 8)
    pixels = folder / "cache" / "images" / f"{filled.chunks[1]}.pixels"
    pixels.write_bytes(pixels.read_bytes()[:100])
    with pytest.raises(FileError, match=r"pixels: truncated; remove it and run again"):
        filled[5]
    pixels.unlink()
    with pytest.raises(FileError, match="cannot be read"):
        filled[5]
    fill_store(folder, PATHS, 8)
    assert filled[5].shape == (3, 8, 8)
    pixels.with_suffix(".json").write_text("{")
    with pytest.raises(FileError, match=r"json: damaged .*; remove it and run again"):
        fill_store(folder, PATHS, 8)


def task_on(folder, paths=PATHS):
    filled, _ = fill_store(folder, paths, 8)
    images = StoredImages(filled, torch.arange(len(paths)).numpy())
    test = torch.arange(len(paths)) % 5 == 0
    return StoredTask("t", images, torch.arange(len(paths)) % 2, ["a", "b"], test=test)


def test_tasks_on_the_store_are_like_tasks_in_memory(folder):
    task = task_on(folder)
    pixels = torch.stack([task.images[i] for i in range(10)])
    plain = Task("t", pixels, task.labels, task.classes, test=task.test)
    for stored, usual in (
        (task.train, plain.train),
        (task.held_out, plain.held_out),
        (task.balanced(4, 3), plain.balanced(4, 3)),
        (task.train.subset([5, 0, 2], "few"), plain.train.subset([5, 0, 2], "few")),
    ):
        assert isinstance(stored, StoredTask) and stored.name == usual.name
        images = [stored.images[i] for i in range(len(stored))]
        assert torch.equal(torch.stack(images), usual.images)
        assert torch.equal(stored.labels, usual.labels) and stored.test is None


def test_some_images_at_once(folder):
    images = task_on(folder).images
    whole = torch.stack(list(images))  # also in a loop
    assert whole.shape == (10, 3, 8, 8)
    for index in (slice(2, 9, 3), torch.tensor([4, 1]), whole[:, 0, 0, 0].numpy() > 50):
        assert torch.equal(images[index], whole[index])
    assert images[:0].shape[0] == 0 and torch.equal(images[-1], whole[9])
    with pytest.raises(IndexError):
        images[10]


def test_fingerprints_follow_the_contents(folder):
    task = task_on(folder)
    again = pickle.loads(pickle.dumps(task))
    assert again.fingerprint == task.fingerprint == task_on(folder).fingerprint
    assert torch.equal(again.images[3], task.images[3])
    others = {task.train.fingerprint, task.held_out.fingerprint, task.fingerprint}
    (folder / "3.png").write_bytes(b"")
    Image.new("RGB", (8, 8), "red").save(folder / "3.png")
    assert len({*others, task_on(folder).fingerprint}) == 4
    # the order of the images counts, where they are stored does not
    assert task.subset([1, 3]).fingerprint != task.subset([3, 1]).fingerprint


def test_what_goes_to_other_processes_is_small(folder):
    task = task_on(folder)
    assert task.fingerprint  # which reads the checksums
    assert len(pickle.dumps(task)) < 3000


def value(rng, depth):
    kind = rng.choice("snibl" if depth else "snib") if depth < 3 else rng.choice("snib")
    if kind == "l" or (kind == "s" and depth == 2):
        inside = [value(rng, depth + 1) for _ in range(rng.randrange(4))]
        return inside if rng.random() < 0.5 else {f"k{i}": v for i, v in enumerate(inside)}
    text = rng.choice(["", 'a "quoted", ] word', "\\", "né\n", "[{"])
    return {"s": text, "n": None, "i": rng.randrange(-9, 10**6), "b": 1.5e-3, "l": True}[kind]


@pytest.mark.parametrize("seed", range(20))
def test_records_are_those_of_json(tmp_path, seed):
    rng = random.Random(seed)
    whole = {
        f"key {i}": [value(rng, 1) for _ in range(rng.randrange(5))]
        if rng.random() < 0.7
        else value(rng, 3)
        for i in range(5)
    }
    path = tmp_path / "x.json"
    path.write_text(json.dumps(whole, indent=rng.choice([None, 2]), ensure_ascii=bool(seed % 2)))
    expected = [(k, v) for k, values in whole.items() if isinstance(values, list) for v in values]
    assert list(json_stream.records(path)) == expected
    path.write_text(json.dumps(expected))
    assert [v for _, v in json_stream.records(path)] == [list(pair) for pair in expected]


@pytest.mark.parametrize("text", ["", "{", '{"a": [1, 2', '{"a": [1} ', "nonsense", '{"a" 1}'])
def test_what_is_no_json(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"x\.json: damaged, or no JSON"):
        list(json_stream.records(path))
    with pytest.raises(FileError, match="no such file"):
        list(json_stream.records(tmp_path / "y.json"))


def test_records_need_little_memory(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"images": [{"id": i, "name": "x" * 50} for i in range(40_000)]}))
    tracemalloc.start()
    count = sum(1 for _ in json_stream.records(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # a block of the file and one record; all of it would be 3 MB of text, and more as objects
    assert count == 40_000 and peak < path.stat().st_size / 4
