"""The command, and the sources that it knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_scripts import fetch
from data_scripts.photographs import sources
from t2v.errors import InputError
from tests.data_scripts.fetching.archives import TAR


def run(*arguments):
    return CliRunner().invoke(fetch.app, [str(a) for a in arguments])


def test_command_prints_the_licence(mirror, tmp_path):
    result = run("demo", "--to", tmp_path / "to", "--mirror", mirror)
    assert result.exit_code == 0
    assert "8 images, 2 labels" in result.stdout and "licence: free" in result.stdout
    assert "(there already)" in run("demo", "--to", tmp_path / "to", "--mirror", mirror).stdout


def test_command_says_which_archive_could_not_be_checked(publish, web, tmp_path):
    publish(TAR, md5=None)
    assert f"no checksum is published for {web.url}" in run("demo", "--to", tmp_path).stdout


def test_command_errors_in_one_line(publish, tmp_path):
    publish(TAR)
    for arguments, message in (
        (("nothing", "--to", tmp_path), "no data set 'nothing'"),
        (("demo", "--to", tmp_path, "--mirror", tmp_path / "x"), "no such file"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and not result.stdout
        assert result.stderr.count("\n") == 1 and message in result.stderr


def test_unknown_name():
    with pytest.raises(InputError, match="cub, tiny_imagenet, living_things, fashion, clothing"):
        fetch.fetch("birds", Path("."))


def test_every_source_is_complete():
    """Patterns compile and have the groups that unpacking reads."""
    for source in sources.SOURCES.values():
        assert source.licence and source.credit and source.page.startswith("https://")
        for archive in source.archives:
            groups = set(re.compile(archive.images).groupindex)
            assert groups == ({"file"} if archive.table else {"file", "label"})
            assert archive.hash is None or re.fullmatch(r"md5:[0-9a-f]{32}", archive.hash)
        assert bool(source.label_column) == any(a.table for a in source.archives)


@pytest.mark.parametrize(
    ("name", "number", "member", "label"),
    [
        (
            *("cub", 0),
            "CUB_200_2011/images/001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg",
            "001.Black_footed_Albatross",
        ),
        ("cub", 0, "CUB_200_2011/images/._001.Black_footed_Albatross", None),
        ("cub", 0, "CUB_200_2011/images/001.Black_footed_Albatross/._Black.jpg", None),
        (
            *("tiny_imagenet", 0),
            "tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG",
            "n01443537",
        ),
        ("tiny_imagenet", 0, "tiny-imagenet-200/val/images/val_0.JPEG", None),
        ("living_things", 0, "101_ObjectCategories/Leopards/image_0001.jpg", "Leopards"),
        ("living_things", 0, "101_ObjectCategories/accordion/image_0001.jpg", None),
        ("living_things", 1, "training/training/n3/n3000.jpg", "monkey_Macaca_fuscata"),
        ("living_things", 1, "validation/validation/n3/n300.jpg", None),
    ],
)
def test_layout_of_the_publishers_archives(name, number, member, label):
    """Member names as public code that reads these archives has them."""
    archive = sources.SOURCES[name].archives[number]
    match = re.fullmatch(archive.images, member)
    found = match and (archive.labels(match["label"]) if archive.labels else match["label"])
    assert found == label
