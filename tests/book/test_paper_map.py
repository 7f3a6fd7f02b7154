"""The paper map's table: our numbers beside the paper's, from the tables of the chapters."""

import pandas as pd
import pytest
from builder.chapters import Run
from builder.paper_numbers import write_paper_numbers

from t2v.book import tables
from t2v.errors import FileError

ITEMS = ["Fig. 1", "Fig. 2 left", "Fig. 2 centre", "Fig. 2 right", "Fig. 3", "Fig. 4", "Fig. 5",
         "Fig. 6", "Table 1", "Table 2"]  # fmt: skip


@pytest.fixture
def run(tmp_path):
    run = Run("synthetic", "smoke", root=tmp_path)
    (run.out / "results").mkdir(parents=True)
    return run


def written(run):
    write_paper_numbers(run)
    return tables.read(run.out / "results" / "paper_numbers.csv")


def put(run, name, **columns):
    tables.write(
        pd.DataFrame(columns),
        run.out / "results" / f"{name}.csv",
        limits="made for a test",
        columns={column: {"unit": "", "meaning": "made for a test"} for column in columns},
    )


def test_every_figure_and_table_has_a_row(run):
    frame = written(run)
    assert list(dict.fromkeys(frame.paper)) == ITEMS
    assert set(frame.iloc[:, 3]) == {"–"}  # no chapter was run
    assert frame.iloc[:, 2].str.contains("+9.97%", regex=False).sum() == 2  # Tables 1 and 2


def test_numbers_come_from_the_tables_of_the_run(run):
    put(run, "taxonomic_curve", tree=["t"] * 2, k=[1, 2], mean=[0.93, 2], low=[0.8, 1],
        high=[1.04, 3], best=[0.74, 1])  # fmt: skip
    put(run, "selection_strategies", meta_task=["living"] * 2, overlap=[False, True],
        strategy=["asymmetric"] * 2, increase=[9, 0.15], low=[9, 0.1], high=[9, 0.25],
        optimal=[0.1, 0.62])  # fmt: skip
    put(run, "figure_4_curves", way=["generic fixed", "Task2Vec fixed", "Task2Vec fixed"],
        images=[32, 32, 64], mean=[1, 55.4, 80.2], low=[0, 22.9, 60], high=[2, 88, 90])  # fmt: skip
    ours = written(run).set_index("what").iloc[:, 2]
    assert ours["taxonomic distance of the nearest"] == "0.93 [0.80, 1.04] levels (best: 0.74)"
    assert ours["error over the best: asymmetric, iNat+CUB"] == "+15.0% [+10.0%, +25.0%]"
    assert ours["error over the best: asymmetric, Mixed"] == "–"
    assert ours["asymmetric picks that are the best expert, living things"] == "62%"
    fewest, most = (ours[f"pick over brute force, fixed, with the {k} images"]
                    for k in ("fewest", "most"))  # fmt: skip
    assert (fewest, most) == ("+55% [23, 88], 32 images", "+80% [60, 90], 64 images")


def test_a_table_that_was_changed_by_hand_is_refused(run):
    put(run, "matrix_gains", tasks=["all"], pool=["all experts"], better=[55])
    path = run.out / "results" / "matrix_gains.csv"
    path.write_text(path.read_text().replace("55", "95"))
    with pytest.raises(FileError, match="changed by hand"):
        write_paper_numbers(run)


def test_printed_numbers_are_those_of_the_tables_of_the_paper(run):
    paper = written(run).set_index("what").iloc[:, 1]
    assert paper["error over the best, by probe, iNat+CUB"] == (
        "VGG-13 +38.03%, DenseNet-121 +10.63%, ResNet-34 +9.97%"
    )
    assert paper["error over the best: MODEL2VEC, Mixed"] == "+27.81%"
    assert paper["error over the best: generic, iNat+CUB"] == "+30.18%"
