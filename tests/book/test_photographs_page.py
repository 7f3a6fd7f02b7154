"""The page of credits: it says of every data set what its manifest says, and of no other."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from t2v.book import photographs_page, tables
from t2v.libraries.open_zoo import shards

MANIFESTS = {
    source: json.loads((shards.FOLDER / f"{source}.manifest.json").read_text())
    for source in shards.SOURCES
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("results")
    assert photographs_page.write(made, command="a test") == list(shards.SOURCES)
    return made


def plain(markdown):
    """The words that a reader sees."""
    html = MarkdownIt().render(markdown)
    text = re.sub(r"<[^>]+>", "", html)
    for mark, character in {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&"}.items():
        text = text.replace(mark, character)
    return " ".join(text.split())


def test_every_data_set_has_its_licence_credit_and_changes_word_for_word(folder):
    sections = re.split(r"^\((\w+)\)=$", (folder / "photographs.md").read_text(), flags=re.M)
    assert sections[1::2] == list(shards.SOURCES)
    for source, section in zip(sections[1::2], sections[2::2], strict=True):
        seen, about = plain(section), MANIFESTS[source]
        for key in ("title", "licence", "licence_stated_at", "credit", "what_was_changed"):
            assert " ".join(about[key].split()) in seen, (source, key)
        assert about["source_repo"] in seen and f"{about['images']:,} images" in seen


def test_second_hand_licence_is_said_to_be_one(folder):
    frame = tables.read(folder / "photographs.csv")
    second_hand = frame[frame["licence stated by"] != "its publisher"]
    assert list(second_hand["data set"]) == ["[caltech101](#caltech101)"]
    assert frame.images.sum() == sum(about["images"] for about in MANIFESTS.values())


def test_every_photographer_is_named_and_every_photograph_linked_once(folder):
    index = pd.read_csv(shards.FOLDER / "flowers.csv")
    frame = tables.read(folder / "photographers.csv")
    linked = [link for cell in frame.photographs for link in re.findall(r"\((\S+?)\)", cell)]
    assert sorted(linked) == sorted(index.url)
    assert {plain(name) for name in frame.photographer} == {
        " ".join(name.split()) for name in index.photographer
    }
    section = (folder / "photographs.md").read_text().split("(flowers)=")[1].split("(grocery)=")[0]
    assert len(re.findall(r"\]\(https://www.flickr.com", section)) == photographs_page.STRIP


def test_strips_show_images_of_many_labels(folder):
    rows = [row for row in shards.read_index() if row["source"] == "omniglot"]
    strip = photographs_page.chosen(rows)
    assert len({row["label"] for row in strip}) == photographs_page.STRIP
    with Image.open(folder / "photographs_omniglot.jpg") as image:
        shown = np.asarray(image)
    assert shown.shape == (shards.SIZE, 10 * shards.SIZE + 9 * 4, 3)
    third = shards.read_images(strip)[2].numpy().transpose(1, 2, 0)
    # JPEG at quality 90: a few grey levels
    assert np.abs(shown[:, 2 * 68 : 2 * 68 + 64].astype(int) - third).mean() < 6


def test_few_labels_are_shown_by_several_images_of_each():
    rows = [{"label": label, "path": f"{label}{k}"} for label in "ab" for k in range(5)]
    assert [row["path"] for row in photographs_page.chosen(rows, 4)] == ["a0", "a1", "b0", "b1"]


def test_tasks_assigned_by_hand_are_those_of_the_table(folder):
    by_hand = {row["name"] for row in shards.table("tasks") if row["by_hand"] == "yes"}
    assert set(tables.read(folder / "assigned_by_hand.csv").task) == by_hand


def test_a_data_set_that_is_taken_out_is_not_on_the_page(tmp_path):
    for path in shards.FOLDER.glob("signdigits*"):
        shutil.copy(path, tmp_path)
    made = tmp_path / "results"
    made.mkdir()
    assert photographs_page.write(made, shards_folder=tmp_path) == ["signdigits"]
    text = (made / "photographs.md").read_text()
    assert "Caltech" not in text and "(signdigits)=" in text
    assert set(tables.read(made / "assigned_by_hand.csv").task) == {"hand signs: thumb"}
    assert tables.read(made / "photographers.csv").empty
