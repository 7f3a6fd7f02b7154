"""What chapters share: parameters, glued numbers, tables, kept tables."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import t2v
from t2v.book import chapter as module
from t2v.book import tables
from t2v.book.chapter import Chapter, describe
from t2v.errors import FileError, InputError
from t2v.evaluation import Estimate
from t2v.libraries import Library
from t2v.libraries.open_zoo.shards import FOLDER

COLUMNS = {"experts": {"unit": "", "meaning": "number of experts"}}


@pytest.fixture
def chapter(tmp_path):
    return Chapter("synthetic", "smoke", results=tmp_path / "results")


@pytest.fixture
def glued(monkeypatch):
    """The numbers that are glued, by name."""
    numbers = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: numbers.update({name: value}))
    return numbers


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A folder of pages without kept tables."""
    monkeypatch.setattr(module, "BOOK", tmp_path / "book")
    return tmp_path / "book"


def keep(book, library, frame):
    path = book / "results" / f"{library}-laptop" / "experts.csv"
    return tables.write(frame, path, columns=COLUMNS, limits="One seed.")


@pytest.mark.parametrize(
    ("library", "photographs", "probe"),
    [
        ("synthetic", False, "synthetic"),
        ("phylogeny", False, "synthetic"),
        ("real", True, "resnet18"),
        ("cub", True, "resnet18"),
        ("open", True, "imagenet"),
        ("worlds", False, "synthetic"),
    ],
)
def test_kind_of_number_and_probe_follow_from_the_library(library, photographs, probe, monkeypatch):
    calls = []
    monkeypatch.setattr(t2v, "load_probe", lambda name, **options: calls.append((name, options)))
    chapter = Chapter(library, device="cpu")
    kinds = (chapter.ours, chapter.theirs, chapter.other)
    assert chapter.photographs is photographs
    assert kinds == (
        ("photographs", "synthetic", "synthetic")
        if photographs
        else ("synthetic", "photographs", "open")
    )
    assert not calls, "nothing is loaded before it is asked for"
    _ = chapter.probe, chapter.probe
    assert calls == [(probe, {"device": "cpu"} | ({"image_size": 64} if photographs else {}))]


def test_experts_of_a_single_library_are_those_of_its_kind(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "expert_tasks", lambda *arguments: calls.append(arguments) or [])
    for library in ("phylogeny", "cub"):
        _ = Chapter(library, "smoke", seed=3, data="photographs").training_tasks
    assert calls == [("synthetic", "smoke", 3, "photographs"), ("real", "smoke", 3, "photographs")]
    schedules = [Chapter(name, "smoke").schedule for name in ("phylogeny", "synthetic")]
    assert schedules[0] == schedules[1]


def test_the_library_is_loaded_once_and_only_when_asked_for(monkeypatch):
    calls = []
    monkeypatch.setattr(t2v, "load_library", lambda *arguments: calls.append(arguments))
    chapter = Chapter("aviary", "smoke", seed=2)
    assert not calls
    _ = chapter.library, chapter.library
    assert calls == [("aviary", "smoke", 2, None)]


def test_tasks_know_their_data_set(monkeypatch):
    names = {
        ("cub/Parulidae", "Animalia"): "cub",
        ("aviary Corvus", "life"): "aviary",
        ("dress", "wardrobe"): "wardrobe",
        ("Passeriformes", "life"): "phylogeny",
    }
    tasks = [SimpleNamespace(name=name, lineage=(root, name)) for name, root in names]
    monkeypatch.setattr(t2v, "load_library", lambda *arguments: Library("any", tasks))
    assert Chapter("synthetic").data_sets == list(names.values())


def test_tasks_of_the_open_zoo_know_theirs_by_the_paths_of_their_images():
    chapter = Chapter("open", "smoke")
    assert set(chapter.data_sets) <= {path.name.split(".")[0] for path in FOLDER.glob("*.csv")}
    shown = dict(zip([task.name for task in chapter.tasks], chapter.data_sets, strict=True))
    assert (shown["five flowers"], shown["juice: brand"]) == ("flowers", "grocery")


@pytest.mark.parametrize(("parameter", "value"), [("library", "birds"), ("scale", "huge")])
def test_unknown_parameters_are_refused(parameter, value):
    with pytest.raises(InputError, match=rf"{parameter} '{value}': choose one of "):
        Chapter(**{"library": "synthetic", parameter: value})


def test_few_resamples_at_smoke_only():
    assert Chapter("synthetic", "smoke", seed=5).resampling == {"resamples": 999, "seed": 5}
    assert Chapter("synthetic", "laptop").resampling == {"resamples": 9999, "seed": 0}


def test_glued_names_have_the_prefix_and_hyphens(chapter, glued):
    chapter.glue("matrix", tasks=20, overlap_share=12.5, said="none")
    assert glued == {"matrix-tasks": 20, "matrix-overlap-share": 12.5, "matrix-said": "none"}


def test_an_interval_is_three_numbers(chapter, glued):
    chapter.glue("choose-mixed", gain=Estimate(1.0, 0.5, 2.0))
    assert glued == {
        "choose-mixed-gain": 1.0,
        "choose-mixed-gain-low": 0.5,
        "choose-mixed-gain-high": 2.0,
    }


def test_whole_numbers_stay_whole_and_no_array_is_glued(chapter, glued):
    chapter.glue("n", a=3, b=np.int64(4), c=np.float32(0.5), d=np.float64(2), e=np.nan)
    assert {name: type(value) for name, value in glued.items()} == {
        "n-a": int, "n-b": int, "n-c": float, "n-d": float, "n-e": float
    }  # fmt: skip
    with pytest.raises(TypeError):
        chapter.glue("n", f=np.zeros(2))


def test_a_table_is_described_by_the_book_and_says_how_it_was_made(chapter, monkeypatch):
    rows = [("matrix_gains", "tasks", "", "library"), ("matrix_gains", "number", "tasks", "count")]
    dictionary = pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])
    monkeypatch.setattr(module, "_dictionary", lambda: dictionary)
    frame = pd.DataFrame({"tasks": ["all"], "number": [20]})
    with pytest.raises(InputError, match=r"'matrix_gains'.*\['error'\]"):
        chapter.table("matrix_gains", frame.assign(error=0.1), limits="One seed.")
    returned = chapter.table("matrix_gains", frame, limits="One seed.", schedule="short")
    written = tables.read(chapter.results / "matrix_gains.csv")
    pd.testing.assert_frame_equal(written, returned)
    note = written.attrs["provenance"]
    assert note["columns"]["number"] == {"unit": "tasks", "meaning": "count"}
    assert note["kind"] == "ours, on the synthetic library"
    facts = {key: note[key] for key in ("library", "scale", "seed", "schedule")}
    assert facts == {"library": "synthetic", "scale": "smoke", "seed": 0, "schedule": "short"}
    assert "probe" not in note, "no probe was asked for"


def test_a_pattern_describes_many_columns():
    meaning = describe("figure_4", ["way", "32 images", "64 images"])
    assert meaning["32 images"] == meaning["64 images"] != meaning["way"]
    assert meaning["32 images"]["unit"] == "%"
    with pytest.raises(InputError, match=r"\['images of 64'\]"):
        describe("figure_4", ["way", "images of 64"])


def test_a_name_with_the_letters_of_patterns_is_itself(monkeypatch):
    rows = [("t", "a [95%]", "points", "as written"), ("t", "n*", "", "pattern")]
    frame = pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])
    monkeypatch.setattr(module, "_dictionary", lambda: frame)
    assert describe("t", ["a [95%]", "n1"])["a [95%]"]["meaning"] == "as written"
    with pytest.raises(InputError):
        describe("other", ["n1"])


def test_the_dictionary_describes_every_column_once():
    frame = module._dictionary()
    assert not frame.duplicated(["table", "column"]).any()
    assert (frame.meaning != "").all()


def test_kept_tables_are_those_of_the_other_kind(book):
    keep(book, "open", pd.DataFrame({"experts": [6]}))
    keep(book, "synthetic", pd.DataFrame({"experts": [9]}))
    assert Chapter("phylogeny").kept("experts").experts.item() == 6
    assert Chapter("cub").kept("experts").experts.item() == 9
    assert Chapter("cub").kept("experts", "open-laptop").experts.item() == 6
    assert "experts, ours, on photographs:" in Chapter("aviary").kept_markdown("experts", "experts")


def test_a_table_that_is_not_kept_is_none_and_a_changed_one_is_refused(book):
    chapter = Chapter("synthetic")
    assert chapter.kept("experts") is None
    assert "make results" in chapter.kept_markdown("experts", "Experts")
    path = keep(book, "open", pd.DataFrame({"experts": [6]}))
    path.write_text("experts\n7\n")
    for read in (chapter.kept, lambda name: chapter.kept_markdown(name, "Experts")):
        with pytest.raises(FileError, match="changed by hand"):
            read("experts")


def test_the_papers_tables_are_checked_when_read(book):
    path = book / "paper" / "experts.csv"
    tables.write(pd.DataFrame({"experts": [156]}), path, columns=COLUMNS, limits="The paper's.")
    assert Chapter("synthetic").paper("experts").experts.item() == 156
    note = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(note | {"sha256": "0"}))
    with pytest.raises(FileError):
        Chapter("synthetic").paper("experts")
