"""Making the shards of the open zoo, on small archives with the layouts of the publishers."""

import csv
import io
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data_scripts.open_zoo import make as script
from data_scripts.open_zoo.recipes import RECIPES
from t2v.errors import FileError
from t2v.libraries.open_zoo.shards import FOLDER, SOURCES, manifest


def picture(seed, size=(120, 100), **options):
    """A PNG with coarse squares of its own."""
    squares = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(squares).resize(size, Image.Resampling.NEAREST).save(file, "PNG", **options)
    return file.getvalue()


def archive(path, files):
    with zipfile.ZipFile(path, "w") as box:
        for name, content in files.items():
            box.writestr(f"repository-1a2b/{name}", content)
    return path


def chosen(path, source, **changes):
    recipe = replace(RECIPES[source], **changes)
    return script.choose(script.candidates(path, recipe), recipe)


def test_there_is_a_recipe_and_an_address_for_every_data_set():
    assert tuple(RECIPES) == SOURCES
    for source in SOURCES:
        assert script.address(source).startswith("https://")
        with (FOLDER / f"{source}.csv").open(encoding="utf-8") as file:
            header = next(csv.reader(file))
        fixed = ["path", "label", "split", "archive", "source_path", "pixel_sha256"]
        assert header == [*fixed[:4], *RECIPES[source].attributes, *fixed[4:]]
        assert f"at most {RECIPES[source].cap} pictures" in manifest(source)["what_was_changed"]


def test_images_are_cut_to_four_by_three_and_made_smaller():
    webp, pixels, _, large = script.shrink(picture(0, (300, 100)), grey=False)
    image = Image.open(io.BytesIO(webp))
    assert image.format == "WEBP" and image.size == (85, 64) and large  # 133 x 100, reduced
    whole = Image.open(io.BytesIO(picture(0, (300, 100)))).crop((83, 0, 216, 100)).resize((85, 64))
    # lossy; an unrelated picture differs by 70
    assert np.abs(np.asarray(image, float) - np.asarray(whole)).mean() < 20
    assert Image.open(io.BytesIO(script.shrink(picture(0, (40, 30)), False)[0])).size == (40, 30)
    assert not script.shrink(picture(0, (40, 19)), grey=False)[3]
    # how a file is packed does not matter
    packed = script.shrink(picture(0, (300, 100), compress_level=0), grey=False)
    assert packed[1] == pixels and script.shrink(picture(1, (300, 100)), False)[1] != pixels


def test_copies_and_near_copies_are_chosen_once(tmp_path):
    near = Image.open(io.BytesIO(picture(1))).point(lambda v: v * 0.97)
    near.save(file := io.BytesIO(), "PNG")
    files = {f"dataset-resized/glass/glass{i}.jpg": picture(i) for i in range(8)}
    files |= {
        "dataset-resized/glass/copy.jpg": picture(0),
        "dataset-resized/glass/near.jpg": file.getvalue(),
        "dataset-resized/metal/metal1.jpg": picture(2),
        "dataset-resized/metal/tiny.jpg": picture(9, (20, 10)),
        "other/glass/glass1.jpg": picture(10),
    }
    path = archive(tmp_path / "trashnet.zip", files)
    found = [c.source_path.rsplit("/")[-1] for c in chosen(path, "trashnet") if c.label == "glass"]
    assert len(found) == 8 and len({"copy.jpg", "glass0.jpg"} & set(found)) == 1
    assert len({"near.jpg", "glass1.jpg"} & set(found)) == 1
    # the same image under two labels stays with the first
    assert not [c for c in chosen(path, "trashnet") if c.label == "metal"]
    few = [c.path for c in chosen(path, "trashnet", cap=3)]
    everything = [c.path for c in chosen(path, "trashnet")]
    assert few[:3] == everything[:3] and sum(path.startswith("glass") for path in few) == 3


def test_attributes_are_read_from_paths_and_tables(tmp_path):
    classes = "Class Name (str),Coarse Class Name (str)\nBravo-Apple-Juice,Juice\nLemon,Lemon\n"
    files = {
        "dataset/classes.csv": classes,
        "dataset/train/Packages/Juice/Bravo-Apple-Juice/Bravo-Apple-Juice_001.jpg": picture(0),
        "dataset/val/Fruit/Lemon/Lemon_002.jpg": picture(1),
        "dataset/iconic-images-and-descriptions/Fruit/Lemon/Lemon_Iconic.jpg": picture(2),
    }
    juice, lemon = chosen(archive(tmp_path / "a.zip", files), "grocery")
    assert juice.path == "Bravo-Apple-Juice/train_Bravo-Apple-Juice_001.webp"
    assert list(juice.attributes.values()) == ["Packages", "Juice", "Bravo", "apple", "no"]
    assert list(lemon.attributes.values()) == ["Fruit", "Lemon", "", "", ""]

    table = "image,sender_id,label,kids\nx,7,Polo,False\ny,8,Dress,True\n"
    files = {"images.csv": table, **{f"images/{n}.jpg": picture(i) for i, n in enumerate("xyz")}}
    dress, polo = chosen(archive(tmp_path / "b.zip", files), "clothing")
    assert dress.path == "Dress/y.webp" and dress.source_path == "Dress/y.jpg"
    assert [dress.attributes[k] for k in ("kids", "sleeve", "region")] == ["kids", "", "whole"]
    assert [polo.attributes[k] for k in ("kids", "sleeve", "region")] == ["adult", "short", "upper"]

    licence = "All...\nroses/1_a.jpg CC-BY by A. B. - https://flickr.com/1/\nroses/2.jpg CC-BY\n"
    files = {"LICENSE.txt": licence, "roses/1_a.jpg": picture(0), "roses/2.jpg": picture(1)}
    (rose,) = chosen(archive(tmp_path / "c.zip", files), "flowers")
    assert rose.attributes == {"photographer": "A. B.", "url": "https://flickr.com/1/"}

    with pytest.raises(FileError, match=r"c\.zip: no images\.csv in it"):
        chosen(tmp_path / "c.zip", "clothing")


def test_archives_inside_archives_are_read(tmp_path):
    files = {}
    for part, alphabet in (("1", "Latin"), ("2", "Greek")):  # Greek is taken from the first
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as box:
            for i, character in enumerate(("character08", "character09")):
                name = f"images_background_small{part}/{alphabet}/{character}/0108_0{i + 1}.png"
                box.writestr(name, picture(len(alphabet) + i))
        files[f"python/images_background_small{part}.zip"] = inner.getvalue()
    found = chosen(archive(tmp_path / "o.zip", files), "omniglot")
    assert [c.path for c in found] == ["Latin_character08/0108_01.webp"]
    assert found[0].attributes["drawer"] == "01"


def test_what_is_made_is_compared_with_the_package(tmp_path, monkeypatch, capsys):
    files = {f"Dataset/{d}/IMG_{d}{i}.JPG": picture(10 * d + i) for d in range(2) for i in range(4)}
    path = archive(tmp_path / "signdigits.zip", files)
    lines = script.make("signdigits", path, tmp_path / "first")
    assert "signdigits: digit_0/IMG_00.webp is not in the package" in lines
    assert sum("is missing" in line for line in lines) == 800
    script.make("signdigits", path, tmp_path / "second")
    for name in ("signdigits.zip", "signdigits.csv"):
        one, other = (tmp_path / folder / name for folder in ("first", "second"))
        assert one.read_bytes() == other.read_bytes()
    known = tmp_path / "first"
    about = (FOLDER / "signdigits.manifest.json").read_text(encoding="utf-8")
    (known / "signdigits.manifest.json").write_text(about, encoding="utf-8")
    same = script.compare("signdigits", tmp_path / "second", known)
    assert same == ["signdigits: signdigits.zip has other bytes"]  # than the package's manifest
    files["Dataset/0/IMG_00.JPG"] = picture(99)
    script.make("signdigits", archive(path, files), tmp_path / "second")
    assert "signdigits: digit_0/IMG_00.webp has another pixel_sha256" in script.compare(
        "signdigits", tmp_path / "second", known
    )
    to = tmp_path / "third"
    command = ["make", "signdigits", "--to", str(to), "--archives", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    script.main()
    assert "signdigits: 809 differences from the package" in capsys.readouterr().out


def test_large_data_sets_become_several_archives(tmp_path, monkeypatch):
    monkeypatch.setattr(script, "LIMIT", 8000)
    files = {f"Dataset/{d}/IMG_{d}{i}.JPG": picture(10 * d + i) for d in range(3) for i in range(4)}
    script.make("signdigits", archive(tmp_path / "a.zip", files), tmp_path / "out")
    members = {}
    for path in sorted((tmp_path / "out").glob("*.zip")):
        with zipfile.ZipFile(path) as box:
            members[path.name] = {name.split("/")[0] for name in box.namelist()}
    assert len(members) > 1
    assert sorted(label for labels in members.values() for label in labels) == [
        "digit_0", "digit_1", "digit_2",
    ]  # fmt: skip


def test_an_archive_without_images_is_refused(tmp_path):
    with pytest.raises(FileError, match="no image found"):
        script.make("trashnet", archive(tmp_path / "t.zip", {"a.txt": "a"}), tmp_path / "out")
