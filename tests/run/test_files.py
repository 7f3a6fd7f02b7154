"""Files and folders that appear whole or not at all, also after errors and on a full disk."""

import hashlib
import os
import signal
import stat
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from t2v._run.files import adding_folder, replacing, sha256_of
from t2v._run.tensors import read_tensors, write_tensors
from t2v.errors import FileError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_only_when_the_block_ends(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with replacing(path) as draft:
        assert draft.parent == tmp_path and draft.suffix == ".csv" and not draft.exists()
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and names(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as draft:
        draft.write_text("half of the new")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["table.csv"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old" and names(tmp_path) == ["table.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left"), replacing(path) as draft:
        draft.symlink_to("/dev/full")
        draft.write_text("new")
    assert path.read_text() == "old" and names(tmp_path) == ["table.csv"]


KILLED = """
import os, signal, sys
from t2v._run.files import replacing
with replacing(sys.argv[1]) as draft:
    draft.write_text("half of the new")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)])
    assert done.returncode == -signal.SIGKILL and path.read_text() == "old"
    assert all(name.startswith(".") for name in names(tmp_path) if name != "table.csv")


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_permissions_are_those_of_a_new_file(tmp_path, umask):
    """Also from writers, such as safetensors, that make files for their owner only."""
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "a.safetensors") as draft:
            save_file({"a": torch.zeros(1)}, draft)
        with replacing(tmp_path / "b") as draft:
            draft.write_text("b")
        (tmp_path / "plain").write_text("as any file")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one" and names(tmp_path) == ["a"]


def test_a_folder_is_added_whole(tmp_path):
    path = tmp_path / "expert"
    with adding_folder(path) as draft:
        (draft / "a").write_text("a")
        assert not path.exists() and draft.name[0] == "."
    assert names(tmp_path) == ["expert"] and names(path) == ["a"]
    with pytest.raises(OSError), adding_folder(path) as draft:
        (draft / "b").write_text("b")
    assert names(tmp_path) == ["expert"] and names(path) == ["a"]
    with pytest.raises(ValueError), adding_folder(path, replace=True) as draft:
        (draft / "b").write_text("b")
        raise ValueError
    assert names(tmp_path) == ["expert"] and names(path) == ["a"]
    with adding_folder(path, replace=True) as draft:
        (draft / "b").write_text("b")
    assert names(tmp_path) == ["expert"] and names(path) == ["b"]


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_checksum_is_that_of_the_bytes(tmp_path, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_tensors_come_back_with_their_texts(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {"b": torch.arange(6.0).view(2, 3).T, "a": torch.tensor([1, 2])}
    write_tensors(path, tensors, "t2v thing 1", {"about": "two"})
    read, texts = read_tensors(path, "t2v thing 1")
    assert texts == {"about": "two"} and set(read) == {"a", "b"}
    assert all(torch.equal(read[name], value) for name, value in tensors.items())
    assert torch.equal(load_file(path)["b"], tensors["b"])
    with pytest.raises(FileError, match="not a t2v other"):
        read_tensors(path, "t2v other 2")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 3])
    with pytest.raises(FileError, match="not a readable t2v thing"):
        read_tensors(path, "t2v thing 1")
    with pytest.raises(FileError, match="no such file"):
        read_tensors(tmp_path / "b.safetensors", "t2v thing 1")
