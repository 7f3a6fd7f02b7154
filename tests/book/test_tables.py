"""Tables: what is written comes back, and what was changed does not."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_scripts.claims.resume import continued
from t2v.book import tables
from t2v.errors import FileError, InputError

COLUMNS = {
    "task": {"unit": "", "meaning": "its name"},
    "error": {"unit": "share", "meaning": "on held-out images"},
}


@pytest.fixture
def frame():
    return pd.DataFrame({"task": ["owls, red", 'the "best"'], "error": [0.1 + 0.2, 1 / 3]})


def test_a_table_comes_back_with_its_provenance(frame, tmp_path):
    data = tmp_path / "photographs.tar"
    data.write_bytes(b"pictures")
    path = tables.write(
        frame,
        tmp_path / "new" / "errors.csv",
        columns=COLUMNS,
        limits="Two tasks.",
        seed=3,
        seconds=12.345,
        device="NVIDIA H200",
        inputs=[{"name": "cub", "path": data, "licence": "research only", "url": "https://x"}],
        source="Fig. 6",
    )
    got = tables.read(path)
    pd.testing.assert_frame_equal(got, frame, check_exact=True)
    note = got.attrs["provenance"]
    assert note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert note["inputs"] == [
        {
            "name": "cub",
            "licence": "research only",
            "url": "https://x",
            "sha256": hashlib.sha256(b"pictures").hexdigest(),
        }
    ]
    assert (note["seed"], note["seconds"], note["device"]) == (3, 12.3, "NVIDIA H200")
    assert note["source"] == "Fig. 6" and note["limits"] == "Two tasks." and note["rows"] == 2
    assert note["columns"] == COLUMNS
    assert note["versions"]["numpy"] == np.__version__
    assert set(note) >= {"command", "commit"}


def test_a_changed_file_is_told_with_the_commit_but_not_a_kept_table(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "__file__", str(tmp_path / "t2v" / "book" / "tables.py"))
    assert tables.commit() is None  # outside git
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    kept = tmp_path / "book" / "results" / "x.csv"
    kept.parent.mkdir(parents=True)
    kept.write_text("1")
    (tmp_path / "code.py").write_text("1")
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *step], check=True)
    whole = tables.commit()
    assert len(whole) == 40
    kept.write_text("2")
    assert tables.commit() == whole
    (tmp_path / "code.py").write_text("2")
    assert tables.commit() == whole + "+"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_keep_all_their_digits(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("digits") / "x.csv"
    columns = {"x": {"unit": "", "meaning": "a number"}}
    tables.write(pd.DataFrame({"x": numbers}), path, columns=columns, limits="none")
    np.testing.assert_array_equal(tables.read(path).x.to_numpy(float), np.array(numbers))


def test_a_changed_table_is_refused(frame, tmp_path):
    path = tables.write(frame, tmp_path / "e.csv", columns=COLUMNS, limits="-", command="make it")
    path.write_text(path.read_text().replace("0.3", "0.2", 1))
    with pytest.raises(FileError, match=r"e\.csv.*make it"):
        tables.read(path)


def test_a_kept_table_as_markdown_has_all_cells_and_says_what_lacks(frame, tmp_path):
    frame.loc[1, "error"] = np.nan
    path = tables.write(frame, tmp_path / "errors.csv", columns=COLUMNS, limits="Two tasks.")
    title, _, head, line, first, second, _, limits = tables.as_markdown(path, "Errors").split("\n")
    assert (title, limits) == ("Errors:", "Two tasks.")
    assert (head, line) == ("| task | error |", "| --- | --- |")
    assert first == f"| owls, red | {0.1 + 0.2} |" and second == '| the "best" | – |'
    assert "`gone` is kept" in tables.as_markdown(tmp_path / "gone.csv", "Errors")


@pytest.mark.parametrize("gone", [".csv", ".json"])
def test_half_a_pair_is_refused(frame, tmp_path, gone):
    path = tables.write(frame, tmp_path / "e.csv", columns=COLUMNS, limits="-")
    path.with_suffix(gone).unlink()
    with pytest.raises(FileError, match=f"e{gone}: not found"):
        tables.read(path)


@pytest.mark.parametrize("text", ["", "{", '{"sha256": "0"}'])
def test_a_foreign_sidecar_is_refused(frame, tmp_path, text):
    path = tables.write(frame, tmp_path / "e.csv", columns=COLUMNS, limits="-")
    path.with_suffix(".json").write_text(text)
    with pytest.raises(FileError, match=r"e\.json"):
        tables.read(path)


def test_a_failed_write_leaves_the_old_pair(frame, tmp_path, monkeypatch):
    path = tables.write(frame, tmp_path / "e.csv", columns=COLUMNS, limits="old")
    with pytest.raises(TypeError):
        tables.write(frame, path, columns=COLUMNS, limits="new", source=object())
    monkeypatch.setattr(os, "replace", lambda *names: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        tables.write(frame[:1], path, columns=COLUMNS, limits="new")
    assert tables.read(path).attrs["provenance"]["limits"] == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.csv", "e.json"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": {"task": COLUMNS["task"]}}, ["e.csv", "not described: ['error']"]),
        ({"columns": {**COLUMNS, "size": COLUMNS["task"]}}, ["absent: ['size']"]),
        ({"columns": {**COLUMNS, "error": {"unit": "share"}}}, ["'error'", "meaning"]),
        ({"limits": " "}, ["limits"]),
        ({"inputs": [{"name": "cub", "sha256": "0"}]}, ["'cub'", "licence"]),
        ({"inputs": [{"name": "cub", "licence": "CC0"}]}, ["'cub'", "sha256"]),
    ],
)
def test_an_incomplete_description_is_refused(frame, tmp_path, changes, words):
    with pytest.raises(InputError) as raised:
        tables.write(frame, tmp_path / "e.csv", **{"columns": COLUMNS, "limits": "-", **changes})
    for word in words:
        assert word in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_name_ends_in_csv(frame, tmp_path):
    with pytest.raises(InputError, match="csv"):
        tables.write(frame, tmp_path / "e.txt", columns=COLUMNS, limits="-")


def test_the_command_is_the_module_that_ran(tmp_path):
    """As `python -m`, without this machine's paths."""
    (tmp_path / "maker.py").write_text(
        "import sys, pandas as pd; from t2v.book import tables\n"
        "tables.write(pd.DataFrame({'x': [1]}), 'x.csv',"
        " columns={'x': {'unit': '', 'meaning': 'one'}}, limits='-')\n"
    )
    subprocess.run([sys.executable, "-m", "maker", "--seed", "1"], cwd=tmp_path, check=True)
    note = json.loads((tmp_path / "x.json").read_text())
    assert note["command"] == "python -m maker --seed 1"
    assert str(tmp_path) not in json.dumps(note)


def test_a_table_is_continued_only_as_it_was_made(frame, tmp_path, capsys):
    path, parser = tmp_path / "rows.csv", argparse.ArgumentParser()
    assert continued(parser, path, {"scale": "smoke"}) == continued(parser, None, {}) == ([], 0.0)
    more = {"scale": "smoke", "probe": "abc"}
    tables.write(frame, path, columns=COLUMNS, limits="none", seconds=3, **more)
    (rows,), seconds = continued(parser, path, more)
    assert (len(rows), seconds) == (2, 3.0)
    for made in ({"scale": "laptop"}, more | {"probe": "xyz"}, {"weights": "abc"}):
        with pytest.raises(SystemExit):
            continued(parser, path, made)
        assert "rows.csv cannot be continued, it was made with" in capsys.readouterr().err
