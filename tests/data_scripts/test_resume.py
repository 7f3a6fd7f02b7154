"""Tables that grow seed by seed: what is there is not measured again, another scale is refused."""

import sys

import pandas as pd
import pytest

from data_scripts.claims.resume import seed_by_seed
from t2v.book import tables

COLUMNS = {"seed": ("", "seed of the world"), "x": ("", "twice the seed")}


def test_a_later_run_adds_the_seeds_that_are_not_there(tmp_path, monkeypatch, capsys):
    measured = []

    def measure(seed, scale, probe):
        measured.append(seed)
        yield {"seed": seed, "x": 2 * seed}

    def run(*arguments):
        command = ["claims", *arguments, "--device", "cpu", "--out", str(tmp_path / "t.csv")]
        monkeypatch.setattr(sys, "argv", command)
        seed_by_seed("Claims.\nMore.", measure, COLUMNS, lambda rows: f"{rows.x.mean()}")

    run("--seeds", "1")
    run("--seeds", "1", "2")
    assert measured == [1, 2]
    pd.testing.assert_frame_equal(
        tables.read(tmp_path / "t.csv"), pd.DataFrame({"seed": [1, 2], "x": [2, 4]})
    )
    assert capsys.readouterr().out.endswith("all seeds\n3.0\n")
    with pytest.raises(SystemExit):
        run("--scale", "smoke")
    assert "made with scale laptop, not smoke" in capsys.readouterr().err
