"""Ranking experts, how sure it is, and the report: against plain numpy and fresh draws."""

import csv
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from scipy.optimize import brentq

from t2v.cli.plain_words import next_steps, verdict
from t2v.cli.report import page, write_report
from t2v.distances import DEFAULT_PRIOR
from t2v.errors import FileError, InputError
from t2v.meta_task import MetaTask
from t2v.pretrained.thresholds import COLUMNS, KIND, threshold_of
from t2v.probe import load_probe
from t2v.recommendation import STRATEGIES, recommend
from t2v.selection import BruteForce, Nearest, TaskBlind
from tests.fakes import FakeEmbedding

F = 40


def embedding(name, fisher):
    return FakeEmbedding(fisher, name)


def zoo(count=4, seed=0):
    rng = np.random.default_rng(seed)
    return [embedding(f"e{m}", rng.gamma(1.0, size=F) + 0.01) for m in range(count)]


def images(sources, count=100, noise=1.0, seed=0, near=(0.7, 0.3)):
    """Per-image contributions whose mean lies between the first two sources."""
    rng = np.random.default_rng(seed)
    centre = near[0] * sources[0].fisher + near[1] * sources[1].fisher
    return centre * rng.gamma(1 / noise, noise, size=(count, F))


def halves_of(sample, splits, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(splits):
        order = rng.permutation(len(sample))
        parts = np.array_split(sample[order], 2)
        pairs.append(tuple(embedding("half", part.mean(0)) for part in parts))
    return pairs


def by_hand(target, source, alpha=0.15, prior=0.3):
    def cosine_distance(a, b):
        a, b = a / (a + b), b / (a + b)
        return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    t, s = (e.fisher + prior * e.trivial for e in (target, source))
    return cosine_distance(t, s) - alpha * cosine_distance(s, source.trivial)


def test_order_and_distances_are_those_of_the_definition():
    sources = zoo()
    target = embedding("mine", images(sources).mean(0))
    found = recommend(target, sources)
    expected = {s.name: by_hand(target, s) for s in sources}
    assert list(found.experts) == sorted(expected, key=expected.get)
    np.testing.assert_allclose(found.distance, sorted(expected.values()), rtol=1e-9)
    assert found.margin == pytest.approx(found.distance[1] - found.distance[0])
    assert found.halves == 0 and np.isnan(found.spread).all() and not found.decisive
    between = [by_hand(a, b, alpha=0) for i, a in enumerate(sources) for b in sources[:i]]
    assert found.median_zoo_distance == pytest.approx(np.median(between))


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_order_is_that_of_the_strategy(name):
    """One ranking path: what the book's strategies pick is what is recommended."""
    for seed in range(5):
        sources = zoo(seed=seed)
        target = embedding("mine", images(sources, seed=seed).mean(0))
        meta = MetaTask([target], sources, np.zeros((1, 4)), task_domains=[target],
                        expert_domains=sources)  # fmt: skip
        ranking = STRATEGIES[name].select(meta.query(0))
        found = recommend(target, sources, strategy=STRATEGIES[name])
        assert found.experts == tuple(sources[m].name for m in ranking)
        assert found.as_dict()["strategy"] == name
    alpha = 0.15 if name == "asymmetric" else 0.0
    expected = sorted(by_hand(target, s, alpha=alpha) for s in sources)
    np.testing.assert_allclose(found.distance, expected, rtol=1e-9)


def test_strategies_that_need_more_than_embeddings_are_refused():
    sources = zoo()
    for strategy in (TaskBlind(), BruteForce(np.zeros((1, 4))), Nearest("asymmetric", "chosen")):
        with pytest.raises(InputError, match=f"{strategy.name} needs the errors of the experts"):
            recommend(sources[0], sources, strategy=strategy)
    with pytest.raises(InputError, match="kl has no symmetric distance"):
        recommend(sources[0], sources, strategy=Nearest("kl"))


def test_spread_over_halves_is_what_fresh_images_would_change():
    # the claim of the module: halves without replacement vary as fresh samples of full size do
    sources = zoo()
    told, leads = [], []
    for seed in range(60):
        sample = images(sources, seed=seed)
        found = recommend(embedding("mine", sample.mean(0)), sources, halves_of(sample, 6, seed))
        first = [s.name for s in sources].index("e0")
        lead = by_hand(embedding("m", sample.mean(0)), sources[1]) - by_hand(
            embedding("m", sample.mean(0)), sources[first]
        )
        leads.append(lead)
        assert found.experts[:2] == ("e0", "e1")
        told.append(found.margin_spread)
    # 60 draws know their standard deviation to 9%, halves of a few splits theirs to less
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(np.std(leads, ddof=1), rel=0.3)


def test_decisive_where_one_expert_is_near():
    sources = zoo()
    sample = images(sources, noise=0.3, near=(0.95, 0.05))
    found = recommend(embedding("mine", sample.mean(0)), sources, halves_of(sample, 4))
    assert found.decisive and found.contenders == ("e0",) and found.top_share[0] == 1
    assert "clearly" in verdict(found)


def test_seldom_decisive_where_two_experts_are_equally_near():
    sources = zoo()

    def lead(share):
        target = embedding("m", share * sources[0].fisher + (1 - share) * sources[1].fisher)
        return by_hand(target, sources[1]) - by_hand(target, sources[0])

    share = brentq(lead, 0, 1)
    sure = 0
    for seed in range(30):
        sample = images(sources, noise=3.0, near=(share, 1 - share), seed=seed)
        found = recommend(embedding("mine", sample.mean(0)), sources, halves_of(sample, 4, seed))
        assert found.top_share.sum() == pytest.approx(1)
        assert ("clearly" in verdict(found)) == found.decisive
        assert any("More images" in step for step in next_steps(found)) != found.decisive
        sure += found.decisive
    # two standard deviations known from 8 halves: by chance in about one of ten, 8 of 30 in 1%
    assert sure < 8


def test_a_task_unlike_all_experts_is_for_the_generic_network():
    rng = np.random.default_rng(1)
    base = rng.gamma(1.0, size=F)
    sources = [embedding(f"e{m}", base * rng.uniform(0.8, 1.2, F)) for m in range(4)]
    target = embedding("odd", rng.permutation(base) ** 3)
    halves = halves_of(np.tile(target.fisher, (10, 1)), 2)
    distance = min(by_hand(target, source, alpha=0) for source in sources)
    found = recommend(target, sources, halves, strategy=STRATEGIES["symmetric"], threshold=0.15)
    assert distance > 0.15 and found.use == "generic"
    words = verdict(found)
    assert words.startswith("Take the generic network") and f"{distance:.3f}" in words
    assert "Add experts" in next_steps(found)[-1]
    assert (found.as_dict()["use"], found.as_dict()["threshold"]) == ("generic", 0.15)
    assert "nearer than 0.150" in page(found, top=4, facts="")
    near = recommend(sources[0], sources, halves, threshold=0.15)
    assert near.use == near.experts[0] == near.as_dict()["use"] == "e0"
    assert "its training task is at the symmetric distance 0.000" in verdict(near)
    assert "even the nearest expert, " in words
    assert "Add experts" not in str(next_steps(near))
    unknown = recommend(target, sources, halves)
    assert unknown.use == unknown.experts[0] and unknown.as_dict()["threshold"] is None
    assert "no threshold" in verdict(unknown) and "Threshold" not in page(unknown, top=4, facts="")


def test_at_the_threshold_and_beyond_the_generic_network_is_taken():
    """As the strategy does: an expert counts only below the threshold."""
    sources = zoo()
    target = embedding("mine", images(sources).mean(0))
    distance = recommend(target, sources).symmetric.min()
    uses = {t: recommend(target, sources, threshold=t).use for t in (distance, distance + 1e-9)}
    assert list(uses.values()) == ["generic", "e0"]


def test_the_threshold_is_of_the_nearest_expert_also_where_another_comes_first():
    """It was measured for the smallest symmetric distance, whatever ranks the experts."""
    sources = zoo()
    target = embedding("mine", sources[0].fisher)
    against = Nearest(lambda targets, _: -np.array([[by_hand(t, s, 0) for s in sources]
                                                    for t in targets]))  # fmt: skip
    found = recommend(target, sources, strategy=against, threshold=0.01)
    assert found.experts[-1] == found.nearest == "e0" and found.symmetric[0] > 0.01
    assert found.use == found.experts[0] != "e0"
    assert "the nearest one, e0, is at the symmetric distance 0.000" in verdict(found)


def test_the_package_knows_the_threshold_of_its_own_probe():
    probe = load_probe("synthetic", device="cpu")
    assert 0 < threshold_of(probe.sha256, probe.image_size) < 1
    assert threshold_of(probe.sha256, probe.image_size + 1) is None
    assert threshold_of("0" * 64, probe.image_size) is None
    with (files("t2v.pretrained") / "thresholds.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:  # what recommend compares with it
        assert tuple(row) == COLUMNS and all(row.values())
        assert (row["kind"], float(row["prior"])) == (KIND, DEFAULT_PRIOR)


def test_one_expert_and_one_pair_of_halves():
    [only] = zoo(1)
    found = recommend(embedding("mine", images(zoo()).mean(0)), [only])
    assert np.isnan(found.margin) and "only expert" in verdict(found)
    target = embedding("mine", images(zoo()).mean(0))
    for threshold, words in ((0.0, "Take the generic network: the only"), (1.0, "Take e0, the")):
        assert verdict(recommend(target, [only], threshold=threshold)).startswith(words)
    json.dumps(found.as_dict(), allow_nan=False)
    with pytest.raises(InputError, match="no expert"):
        recommend(only, [])
    with pytest.raises(InputError, match="one pair"):
        recommend(only, [only], [(only, only)])


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.loads = [], []

    def handle_starttag(self, tag, attrs):
        self.loads += [value for key, value in attrs if key in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_report_is_one_file_with_everything_in_it(tmp_path):
    sources = zoo()
    sources[0].name = "birds & <b>bees</b>"
    sample = images(sources)
    found = recommend(embedding("mine", sample.mean(0)), sources, halves_of(sample, 3))
    write_report(found, tmp_path / "r.html", top=3, facts="Embedded: 100 images.")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    text = (tmp_path / "r.html").read_text()
    tags = _Tags()
    tags.feed(text)
    assert tags.open == [] and tags.loads == [] and "url(" not in text
    assert "<b>bees" not in text and "birds &amp; &lt;b&gt;bees" in text
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text
    assert text.count("<circle") == 3 and found.experts[3] not in text
    # dots stand where the distances are: linear in them
    x = [float(v) for v in re.findall(r'circle cx="([\d.]+)"', text)]
    assert np.corrcoef(x, found.distance[:3])[0, 1] == pytest.approx(1, abs=1e-4)
    for value in found.distance[:3]:
        assert f"<td>{value:.3f}</td>" in text
    assert page(found, top=99, facts="").count("<circle") == 4
    for name, words in (
        ("symmetric", "Symmetric distance"),
        ("domain", "of the domain embeddings"),
    ):
        other = recommend(sources[0], sources, strategy=STRATEGIES[name])
        assert words in page(other, top=2, facts="") and "α" not in page(other, top=2, facts="")
    with pytest.raises(FileError, match="folder does not exist"):
        write_report(found, tmp_path / "no" / "r.html", top=3, facts="")
