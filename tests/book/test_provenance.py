"""Inputs of a table: archives and weights, each with its licence."""

import hashlib
import json

from t2v.book.provenance import inputs_of
from t2v.libraries import Library, load_library
from t2v.libraries.open_zoo.shards import FOLDER


class Weights:
    name, sha256 = "resnet18", "ab" * 32


def test_inputs_are_the_archives_and_the_weights_with_their_licence(tmp_path, monkeypatch):
    manifest = {"resnet18": {"licence": "for research", "note": "quantised"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("T2V_WEIGHTS", str(tmp_path))
    part = {"title": "Birds", "licence": "ask", "archives": [{"file": "b.tar", "sha256": "cd"}]}
    for provenance in (part, {"birds": part}):
        birds, weights = inputs_of(Library("birds", [], {}, provenance), Weights())
        assert birds == {"name": "b.tar", "sha256": "cd", "licence": "ask"}
        assert weights == {
            "name": "weights of resnet18",
            "sha256": "ab" * 32,
            "licence": "for research",
            "note": "quantised",
        }


def test_drawn_libraries_have_no_archives(monkeypatch):
    monkeypatch.delenv("T2V_WEIGHTS", raising=False)
    drawn = Library("synthetic", [], {}, {"wardrobe": {"licence": "CC BY 4.0"}})
    [weights] = inputs_of(drawn, Weights())
    assert weights["licence"]


class Packaged:
    name, sha256 = "imagenet", "ab" * 32


def test_open_zoo_names_every_archive_in_the_package_and_the_licence_of_its_probe():
    *archives, weights = inputs_of(load_library("open", "smoke"), Packaged())
    assert {entry["name"]: entry["sha256"] for entry in archives} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.zip")
    }
    assert all(entry["licence"] for entry in archives)
    assert weights["licence"] == "Apache-2.0"
