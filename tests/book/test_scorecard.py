"""Every row of the scorecard, computed once more from the tables that it is about."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from t2v.book import scorecard, tables
from t2v.book.scorecard import CLAIMS, FAILS, HOLDS, NOT_RUN, OPEN, SOURCES, Scorecard
from t2v.errors import FileError, InputError

BOOK = Path(__file__).resolve().parents[2] / "book"
INTERVAL = re.compile(r"([−+]?[\d.]+) \[([−+]?[\d.]+), ([−+]?[\d.]+)\]")
SHOWN_IN_12 = {"living": "living things (as iNat+CUB)", "mixed": "all tasks (as Mixed)"}
PRINTED, COMMON = "MODEL2VEC, as printed", "common t₀ × 1"
LIVING = ["cub", "living things"]


def numbers(text):
    """Value and ends of an interval that is written out."""
    found = INTERVAL.search(text.replace("-", "−"))
    return tuple(float(number.replace("−", "-")) for number in found.groups())


# ---- the same numbers, without a line of t2v.book.scorecard or t2v.evaluation -----------------
# each gives value, low, high, and the bound; with low and high of a bootstrap of its own


def resampled(values):
    """Mean and BCa interval, from other draws than the scorecard's."""
    values = np.asarray(values, dtype=float)
    found = stats.bootstrap((values,), np.mean, rng=np.random.default_rng(7))
    return values.mean(), *found.confidence_interval


def student(values):
    found = stats.ttest_1samp(values, 0).confidence_interval() if np.ptp(values) else values[:2]
    return np.mean(values), *found


def of(folder, name, **where):
    frame = pd.read_csv(folder / f"{name}.csv")
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def of_first(rows, column, parts):
    """The rows about the first of some parts of libraries that is in a table."""
    for part in parts:
        about = rows[rows[column].str.split(":").str[0] == part]
        if len(about):
            return about
    raise KeyError(parts)


def same_group(folder, parts, against_domain):
    rows = of_first(of(folder, "map_rates"), "question", parts).set_index("embedding")
    bounds = [rows.chance["task"], rows.rate["domain"]] if against_domain else [rows.chance["task"]]
    return *(100 * rows.loc["task", ["rate", "low", "high"]]), 100 * max(bounds)


def least_norm(folder):
    rows = of(folder, "norm_correlations", against="error")
    row = rows[rows.within != "everything"].sort_values("spearman").iloc[0]
    return row.spearman, row.low, row.high, 0


def beaten(folder):
    wide = of(folder, "error_matrix")
    wide.loc[wide.own, "error"] = np.inf
    wide = wide.pivot(index="task", columns="expert", values="error")
    others = wide.drop(columns=["generic", "HOG"])
    return *resampled(100 * (others.lt(wide.generic, axis=0)).any(axis=1)), 50


def luck(folder):
    row = of(folder, "matrix_gains", tasks="all").iloc[0]
    return *numbers(row.gain), row.luck


def beyond_luck(folder):
    rows = of(folder, "matrix_worth")
    return *resampled(100 * (rows.p[rows.pool == rows.pool[0]] <= 0.05)), 100 / 3


def curves(folder, way):
    last = of(folder, "figure_4_curves")
    last = last[last.way.str.endswith(way)].sort_values("images").groupby("way").last()
    (pick, generic) = (last.loc[f"{who} {way}"] for who in ("Task2Vec", "generic"))
    variance = sum(((row.high - row.low) / 2) ** 2 for row in (pick, generic))
    value = pick["mean"] - generic["mean"]
    return value, value - variance**0.5, value + variance**0.5, 0


def worst_probe(folder):
    rows = of(folder, "choice_of_probe", **{"meta-task": "living"})
    column = next(c for c in rows if c.startswith("minus"))
    return *max(numbers(text) for text in rows[column].dropna()), 0


def strategy(folder, meta_task, name, against, overlap=True, sign=1):
    rows = of(folder, "selection_strategies", meta_task=meta_task, overlap=overlap, strategy=name)
    ends = [f"minus_{against}{end}" for end in ("", "_low", "_high")]
    value, *interval = sign * 100 * rows[ends].iloc[0].to_numpy()
    return value, *sorted(interval), 0


def against_chance(folder, meta_task):
    rows = of(folder, "selection_tasks", meta_task=meta_task)
    return *resampled(rows.asymmetric - rows.chance), 0


def best_picked(folder):
    rows = of(folder, "selection_tasks", meta_task="living")
    return *resampled(100 * (rows.picked_error <= rows.best_error)), 50


def symmetric(folder, meta_task):
    row = of(folder, "distance_pairs_shown", distance="asymmetric").iloc[0]
    return *numbers(row[SHOWN_IN_12[meta_task]]), half(meta_task)


def half(meta_task):
    printed = pd.read_csv(BOOK / "paper" / "table_2.csv", index_col="strategy")
    column = printed[{"living": "inat_cub", "mixed": "mixed"}[meta_task]]
    return (column["asymmetric"] - column["symmetric"]) / 2


def worlds(folder, meta_task, one, other, overlap=True, bound=0):
    rows = of(folder, "selection", meta_task=meta_task, overlap=overlap)
    increases = {
        name: part.sort_values("seed").increase.to_numpy()
        for name, part in rows.groupby("strategy")
    }
    return *student(100 * (increases[one] - increases[other])), bound


def share(folder, column):
    rows = of(folder, "selection", meta_task="living", overlap=True, strategy="asymmetric")
    return *student(100 * rows[column].to_numpy()), 50


def claim(folder, name, bound, factor=1):
    return *student(factor * of(folder, "claims", claim=name).value.to_numpy()), bound


CHAPTER = {
    "same-images": lambda f: same_group(f, ["fashion", "same images"], True),
    "nearest-relative": lambda f: same_group(f, LIVING, False),
    "tree": lambda f: tuple(
        of(f, "taxonomic_curve", k=1)[["mean", "low", "high", "chance"]].iloc[0]
    ),
    "norm": lambda f: (
        *of_first(of(f, "norm_correlations", against="error"), "within", LIVING)
        .iloc[0][["spearman", "low", "high"]],
        0,
    ),
    "norm-everywhere": least_norm,
    "beaten": beaten,
    "luck": luck,
    "worth-choosing": beyond_luck,
    "best-picked": best_picked,
    "images-fixed": lambda f: curves(f, "fixed"),
    "images-fine-tuned": lambda f: curves(f, "fine-tuned"),
    "probe": worst_probe,
}  # fmt: skip
WORLDS = {
    "same-images": lambda f: claim(f, "wardrobe_times_chance", 1),
    "nearest-relative": lambda f: claim(f, "phylogeny_same_class", 70, 100),
    "norm": lambda f: claim(f, "phylogeny_norm_error", 0),
    "norm-everywhere": lambda f: min(
        claim(f, f"{library}_norm_error", 0) for library in ("phylogeny", "wardrobe")
    ),
    "beaten": lambda f: share(f, "beaten"),
    "best-picked": lambda f: share(f, "optimal"),
}
for m in ("living", "mixed"):
    CHAPTER |= {
        f"chance-{m}": lambda f, m=m: against_chance(f, m),
        f"generic-{m}": lambda f, m=m: strategy(f, m, "asymmetric", "generic"),
        f"generic-{m}-strict": lambda f, m=m: strategy(f, m, "asymmetric", "generic", False),
        f"symmetric-{m}": lambda f, m=m: symmetric(f, m),
        f"model2vec-{m}": lambda f, m=m: strategy(f, m, PRINTED, "asymmetric"),
        f"model2vec-{m}-ours": lambda f, m=m: strategy(f, m, "MODEL2VEC", "asymmetric"),
        f"domain-{m}": lambda f, m=m: strategy(f, m, "domain", "asymmetric", sign=-1),
    }
    WORLDS |= {
        f"chance-{m}": lambda f, m=m: worlds(f, m, "asymmetric", "chance"),
        f"generic-{m}": lambda f, m=m: worlds(f, m, "asymmetric", "generic"),
        f"generic-{m}-strict": lambda f, m=m: worlds(f, m, "asymmetric", "generic", False),
        f"symmetric-{m}": lambda f, m=m: worlds(f, m, "asymmetric", "symmetric", bound=half(m)),
        f"symmetric-{m}-common": lambda f, m=m: worlds(
            f, m, f"asymmetric, {COMMON}", f"symmetric, {COMMON}", bound=half(m)
        ),
        f"model2vec-{m}": lambda f, m=m: worlds(f, m, PRINTED, "asymmetric"),
        f"model2vec-{m}-ours": lambda f, m=m: worlds(f, m, "MODEL2VEC", "asymmetric"),
        f"domain-{m}": lambda f, m=m: worlds(f, m, "asymmetric", "domain"),
    }
RESAMPLED = {"beaten", "best-picked", "worth-choosing", "chance-living", "chance-mixed"}
ABOVE = {"same-images", "nearest-relative", "norm", "norm-everywhere", "beaten", "luck",
         "best-picked", "worth-choosing", "toy", "probe"}  # fmt: skip


def cells():
    for key, made in CLAIMS.items():
        for source in SOURCES:
            if not made.rerun and (made.worlds if source == "worlds" else made.chapter):
                yield source, key


@pytest.fixture(scope="module")
def card():
    return Scorecard(BOOK)


@pytest.mark.parametrize(("source", "key"), list(cells()))
def test_each_number_and_verdict_is_that_of_its_table(card, source, key):
    folder = BOOK / SOURCES[source].folder
    oracle = (WORLDS if source == "worlds" else CHAPTER)[key]
    verdict = card.verdict(source, key)
    if verdict.word == NOT_RUN:  # and there is nothing from which it could be told
        with pytest.raises((FileNotFoundError, KeyError)):
            oracle(folder)
        return
    value, low, high, bound = oracle(folder)
    shown = numbers(verdict.interval)
    form = CLAIMS[key].form if "×" not in verdict.interval else "{:.1f}"
    step = 10.0 ** -int(re.search(r"\.(\d)f", form)[1])
    # half a step by rounding; resampled intervals differ by their draws, by less than a tenth
    width = 0.1 * (high - low) if key in RESAMPLED and source != "worlds" else 0
    assert shown[0] == pytest.approx(value, abs=0.501 * step)
    assert shown[1:] == pytest.approx((low, high), abs=0.501 * step + width)
    if width:  # the two intervals may lie on different sides of the bound
        low, high = shown[1:]
    if key in ABOVE:
        low, high, bound = -high, -low, -bound
    word = HOLDS if high < bound else FAILS if low >= bound else OPEN
    assert verdict.word == word


def test_the_papers_numbers_are_those_of_its_tables(card):
    zoo = pd.read_csv(BOOK / "paper" / "inat_cub_exact.csv")
    errors = zoo[zoo.task].to_numpy()
    best = np.where(np.eye(50, dtype=bool), np.inf, errors).min(axis=1)
    cub = zoo.task.str.startswith("[CUB]")
    dots = pd.read_csv(BOOK / "paper" / "fig1_points.csv")
    # the left map has 199 dots of garments, drawn with the colours of eight legend entries
    names = dots.colour_group_by_legend.str.split(" (", regex=False).str[0]
    dots = dots[(dots.panel == "task")].assign(name=names)
    natural = {"Actinopterygii", "Amphibia", "Arachnida", "Aves", "Fungi", "Insecta", "Mammalia",
               "Mollusca", "Plantae", "Protozoa"}  # fmt: skip
    dots = dots[~dots.name.isin(natural)]
    assert len(dots) == 199
    apart = cdist(dots[["x_pt", "y_pt"]], dots[["x_pt", "y_pt"]])
    np.fill_diagonal(apart, np.inf)
    same = dots.name.to_numpy()[apart.argmin(axis=1)] == dots.name.to_numpy()
    rank = {part: stats.spearmanr(zoo.embedding_l1_norm[chosen], zoo.own_expert_error[chosen])[0]
            for part, chosen in (("all", cub | ~cub), ("iNat", ~cub))}  # fmt: skip
    gap = zoo.imagenet_expert_error - best
    curve = pd.read_csv(BOOK / "paper" / "fig4_digitised.csv").query("n_samples == 30000")
    curve = curve.set_index("curve").error_relative_to_brute_force_percent
    tuned = curve["Task2Vec finetune"] - curve["ImageNet finetune"]
    expected = {
        "same-images": f"{100 * same.mean():.0f}%",
        "nearest-relative": "90%",  # 45 of 50, tests/book/test_paper_numbers.py
        "tree": "1.27 levels",
        "norm": f"{rank['all']:+.2f}",
        "norm-everywhere": f"{rank['iNat']:+.2f}",
        "beaten": f"{100 * np.mean(gap > 1e-9):.0f}%",
        "luck": f"{gap.mean():+.1f} points",
        "best-picked": f"{100 * np.mean(zoo.fig6_red_selected_error == best):.0f}%",
        "images-fixed": f"{curve['Task2Vec fixed'] - curve['ImageNet fixed']:+.1f} points",
        "images-fine-tuned": f"{tuned:+.1f} points",
        "probe": "+28.1 points",  # 38.03 - 9.97
        "generic-living": "−20.2 points",  # 9.97 - 30.18
        "generic-mixed": "−46.5 points",  # 29.23 - 75.73
        "chance-living": "−49.6 points",  # 9.97 - 59.52, by floating point below .55
        "chance-mixed": "−83.3 points",
        "symmetric-living": "−32.6 points",
        "symmetric-mixed": "−11.1 points",
        "model2vec-living": "−3.2 points",
        "model2vec-mixed": "−1.4 points",
    }
    shown = {key: card._of(key).replace("−", "-") for key in expected}
    assert shown == {key: text.replace("−", "-") for key, text in expected.items()}


def test_same_order_experts_of_the_paper_and_what_is_left_without_them(card):
    zoo = pd.read_csv(BOOK / "paper" / "inat_cub_exact.csv")
    counterparts = {"Charadriiformes", "Pelecaniformes", "Piciformes", "Anseriformes"}
    named = zoo.task.str.extract(r"\[(?P<source>\w+)\] (?P<name>\w+) \(")
    picked = zoo.fig6_red_selected.str.extract(r"\[(?P<source>\w+)\] (?P<name>\w+) \(")
    family = named.name.str.endswith("dae")
    of_order = (named.name == picked.name) & named.name.isin(counterparts)
    of_order |= family & (picked.name == "Passeriformes")
    of_order &= named.source != picked.source
    assert of_order.sum() == 13 and (named.source[of_order] == "CUB").all()
    best = zoo.optimal_error_excl_own
    increase = 100 * (zoo.fig6_red_selected_error / best - 1)
    assert increase[of_order].mean() == pytest.approx(1.5, abs=0.05)
    assert increase[~of_order].mean() == pytest.approx(12.9, abs=0.06)
    generic = 100 * (zoo.imagenet_expert_error / best - 1)
    value, low, high = resampled((increase - generic)[~of_order])
    shown = card.verdict("paper", "own-overlap")
    assert numbers(shown.interval) == pytest.approx((value, low, high), abs=0.1 * (high - low))
    assert numbers(shown.interval)[0] == pytest.approx(value, abs=0.05)
    assert shown.word == HOLDS and high < 0


# ---- the card itself -----------------------------------------------------------------------------


def test_the_toy_is_judged_by_the_running_build(tmp_path):
    assert Scorecard(BOOK, tmp_path).overall("toy") == NOT_RUN
    frame = pd.DataFrame({"features": ["ReLU features"], "what": "size and length of the boundary",
                          "mean": 0.8, "low": 0.7, "high": 0.9})  # fmt: skip
    put(tmp_path, "toy", frame)
    card = Scorecard(BOOK, tmp_path)
    assert card.overall("toy") == HOLDS
    row = card.frame().set_index("paper's").loc["Fig. 5"]
    assert "+0.80 [+0.70, +0.90] (this run)" in list(row)


def put(folder, name, frame):
    tables.write(
        frame,
        folder / f"{name}.csv",
        columns={c: {"unit": "", "meaning": "made for a test"} for c in frame},
        limits="made for a test",
    )


def test_the_front_page_has_few_lines_without_numbers(card):
    short = card.short()
    assert 1 <= len(short) <= 6
    assert not short.map(lambda text: bool(re.search(r"\d", text))).any().any()


def test_every_figure_and_table_of_the_paper_has_a_claim():
    named = " ".join(made.where for made in CLAIMS.values()).replace("3 and 6", "3 Fig. 6")
    for item in [*(f"Fig. {n}" for n in (1, 2, 4, 5, 6)), "Figs. 3", "Table 1", "Table 2"]:
        assert item in named, item


def test_without_tables_everything_is_not_run_yet(tmp_path):
    shutil.copytree(BOOK / "paper", tmp_path / "paper")
    card = Scorecard(tmp_path, tmp_path / "nothing")
    frame = card.frame()
    measured = frame.claim != CLAIMS["own-overlap"].says
    assert set(frame[measured].verdict) == {NOT_RUN}
    assert set(card.short().here) == {NOT_RUN}
    assert card.verdict("open", "norm").interval == "no table norm_correlations"


def test_sources_that_differ_are_named_in_the_verdict(tmp_path):
    shutil.copytree(BOOK / "paper", tmp_path / "paper")
    row = {"within": ["cub"], "against": "error", "tasks": 9}
    put(tmp_path / SOURCES["open"].folder, "norm_correlations",
        pd.DataFrame({**row, "spearman": 0.5, "low": 0.1, "high": 0.8}))  # fmt: skip
    assert Scorecard(tmp_path).overall("norm") == HOLDS
    put(tmp_path / SOURCES["five"].folder, "norm_correlations",
        pd.DataFrame({**row, "spearman": -0.5, "low": -0.8, "high": -0.1}))  # fmt: skip
    overall = Scorecard(tmp_path).overall("norm")
    assert overall == "open library: holds; five sets of photographs: does not hold"
    titles = Scorecard(tmp_path).frame().columns
    assert SOURCES["open"].title in titles and SOURCES["five"].title in titles
    assert SOURCES["worlds"].title not in titles  # nothing was run there


def test_a_table_changed_by_hand_and_an_unknown_name_are_refused(tmp_path):
    put(tmp_path / SOURCES["worlds"].folder, "claims", pd.DataFrame({"claim": ["a"], "seed": 1}))
    path = tmp_path / SOURCES["worlds"].folder / "claims.csv"
    path.write_text(path.read_text().replace("1", "2"))
    with pytest.raises(FileError, match="changed by hand"):
        Scorecard(tmp_path).verdict("worlds", "norm")
    with pytest.raises(InputError, match="claim 'norms': one of same-images"):
        Scorecard(tmp_path).verdict("worlds", "norms")
    with pytest.raises(InputError, match="source 'world': one of open"):
        Scorecard(tmp_path).verdict("world", "norm")


def test_both_tables_are_written_with_their_sidecars(tmp_path):
    scorecard.write(BOOK, tmp_path, command="make book", seed=0)
    frame, short = (tables.read(tmp_path / f"{name}.csv")
                    for name in ("scorecard", "scorecard_short"))  # fmt: skip
    assert len(frame) == len(CLAIMS) and list(short) == ["claim of the paper", "here"]
    assert list(frame)[:3] == ["paper's", "claim", "◆ paper"] and list(frame)[-1] == "verdict"
