"""Names as they are, places to write looked at before the work, and one line for every error."""

import json
import os
import re
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from t2v import Embedding
from t2v._run.files import check_writable, replacing
from t2v._run.names import one_line, writable
from t2v._run.progress import bar
from t2v.cli import app as cli
from t2v.cli.options import say, shown
from t2v.errors import FileError
from tests.reading.kinds import folder_of

ODD = ["[bold red]birds", "[/bold]", "a$b_{c$", ":cat:", "<img src=x onerror=1>", "a\\", "50% $x$"]
EMBED = ("--probe", "synthetic", "--device", "cpu")


@pytest.fixture
def t2v(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(a) for a in arguments])
        return ended.value.code or 0, *capsys.readouterr()

    return run


def embedding(name, fisher=(1.0, 2.0), **spec):
    values = np.array(fisher)
    of = {"probe": "p", "weights_sha256": "0", "image_size": 8, "images": 4, "classes": 2}
    return Embedding(values, values * 0 + 1.5, {"l": slice(0, 2)}, name, spec=of | spec)


@pytest.mark.parametrize("name", ODD)
def test_names_are_shown_as_they_are(t2v, name, capsys):
    embedding(name).save("a.safetensors")
    embedding("other", (2.0, 1.0)).save("b.safetensors")
    code, out, err = t2v("distances", "a.safetensors", "b.safetensors", "--plot", "p.png")
    assert (code, err) == (0, "") and out.count(name) == 2
    say(name)
    assert capsys.readouterr().out == f"{name}\n"


@pytest.mark.parametrize("name", ODD)
def test_bars_show_names_as_they_are(name, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(bar(range(2), name, 2, progress=True)) == [0, 1]
    assert re.sub(r"\x1b\[[\d;?]*\w", "", capsys.readouterr().err).count(name)


def test_control_characters_are_spelt():
    assert one_line("a\nb\x1b[31mc\u202ed\x00") == "a\\nb\\x1b[31mc\\u202ed\\x00"
    assert one_line("naïve 猫 👩‍🔬") == "naïve 猫 👩‍🔬"
    assert writable(os.fsdecode(b"F\xe9")) == "F\\xe9"
    assert str(shown("a\rb")) == "a\\rb"


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
def test_a_folder_whose_name_is_no_unicode(t2v, tmp_path):
    folder = folder_of(tmp_path / "x", ("cat", "dog"), 3)
    os.rename(folder / "cat", os.fsencode(folder) + b"/c\xe9\n")
    os.rename(folder, os.fsencode(tmp_path) + b"/F\xe9")
    code, out, err = t2v("embed", os.fsdecode(b"F\xe9"), *EMBED)
    assert code == 0 and "F\\xe9.safetensors: 6 images" in out, err
    assert "c\\xe9\\n 3" in err and err.count("\n") == 1
    assert Embedding.load("F\\xe9.safetensors").name == "F\\xe9"


def test_a_second_task_of_a_name_does_not_replace_the_first(t2v, tmp_path):
    for place in ("a", "b"):
        folder_of(tmp_path / place / "train", ("cat", "dog"), 3)
    assert t2v("embed", "a/train", *EMBED)[0] == 0
    before = (tmp_path / "train.safetensors").read_bytes()
    code, out, err = t2v("embed", "b/train", *EMBED)
    assert (code, out) == (2, "") and "give -o or --name, or --force" in err
    assert (tmp_path / "train.safetensors").read_bytes() == before
    assert t2v("embed", "b/train", *EMBED, "--name", "b")[0] == 0
    assert Embedding.load("b.safetensors").name == "b"
    assert t2v("embed", "b/train", *EMBED, "--force")[0] == 0
    os.symlink("a/train", "insects")
    assert t2v("embed", "insects", *EMBED)[1].startswith("insects.safetensors: ")


def test_the_self_distance_is_measured_kept_and_told(t2v, tmp_path):
    folder_of(tmp_path / "pets", ("cat", "dog"), 4)
    assert t2v("embed", "pets", *EMBED, "--splits", 2)[0] == 0
    known = Embedding.load("pets.safetensors").spec["self_distance"]
    assert 0 < known < 1
    assert t2v("embed", "pets", *EMBED, "-o", "again.safetensors")[0] == 0
    out = t2v("distances", "pets.safetensors", "again.safetensors")[1]
    assert f"Distances below {known:.3f} are not resolved" in out and "1 of the 2 tasks" in out
    answer = json.loads(t2v("distances", "pets.safetensors", "again.safetensors", "--json")[1])
    assert answer["self_distances"] == [pytest.approx(known), None]
    out = t2v("distances", "again.safetensors", "again.safetensors")[1]
    assert "`t2v embed --splits 4` measures it" in " ".join(out.split())


def test_json_has_no_infinities(t2v):
    embedding("a", (0.0, 0.0)).save("a.safetensors")
    embedding("b").save("b.safetensors")
    code, out, err = t2v("distances", "a.safetensors", "b.safetensors", "--kind", "kl", "--json")
    assert code == 2 or "Infinity" not in out


PLACES = ["no/where", "folder", "x" * 300, "file/inside"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["embed", "distances", "recommend", "audit", "zoo"])
def test_places_are_looked_at_before_the_work(t2v, tmp_path, monkeypatch, command, place):
    for ending in (".safetensors", ".png", ".html", ""):
        (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / "file").write_text("")
    embedding("a").save("a.safetensors")

    def no_work(*_, **__):
        raise AssertionError("began")

    monkeypatch.setattr("t2v.probe.load_probe", no_work)
    monkeypatch.setattr("t2v.distances.distance_matrix", no_work)
    before = sorted(tmp_path.rglob("*"))
    commands = {
        "embed": ("embed", "pets", "-o", f"{place}.safetensors"),
        "distances": ("distances", "a.safetensors", "a.safetensors", "--plot", f"{place}.png"),
        "recommend": ("recommend", "pets", "--report", f"{place}.html"),
        "audit": ("audit", "pets", "--report", f"{place}.html"),
        "zoo": ("zoo", "add", "file" if place == "folder" else place, "pets"),
    }
    code, out, err = t2v(*commands[command])
    assert (code, out, err.count("\n")) == (2, "", 1), (out, err)
    assert (place if place != "folder" or command != "zoo" else "file") in err
    assert ".part-" not in err and "began" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path):
    with pytest.raises(FileError, match=r"a\.txt: cannot be written \(No space left"):
        with replacing(tmp_path / "a.txt"):
            raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    check_writable(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 2, "--max-images"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), 2, "--image-size"),
        (RuntimeError("two\nlines"), 1, "unexpected RuntimeError: two lines"),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates"), 1, "unexpected Unicode"),
        (ModuleNotFoundError("No module", name="seaborn"), 2, "pip install 't2v[plots]'"),
        (OSError(28, "No space left on device"), 2, "the output: No space left"),
    ],
)
def test_every_error_is_one_line(t2v, monkeypatch, error, code, message):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("t2v.embedding.Embedding.load", fails)
    ended = t2v("distances", "a", "b")
    assert ended[:2] == (code, "") and message in ended[2] and ended[2].count("\n") == 1


def test_warnings_are_one_line_without_a_place_in_the_code(t2v, tmp_path):
    folder_of(tmp_path / "pets", ("cat", "dog"), 3)
    (tmp_path / "pets" / "cat" / "bad.png").write_bytes(b"no")
    code, _, err = t2v("embed", "pets", *EMBED)
    assert code == 0 and ".py" not in err
    assert [line[:5] for line in err.splitlines()] == ["t2v: ", "pets:"]


def test_tables_in_a_narrow_terminal_show_brackets(capsys):
    Console().print(shown("[x]"))
    assert capsys.readouterr().out.strip() == "[x]"
    assert Image.MAX_IMAGE_PIXELS  # nothing above has changed Pillow's own limit
