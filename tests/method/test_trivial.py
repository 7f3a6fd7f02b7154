"""The three forms of the trivial embedding: what they are, and what the second term sees."""

import numpy as np
import pytest
import torch

from t2v import Embedding, InputError, Nearest, asymmetric_parts, distance_matrix, task2vec
from t2v._numerics.trivial import probe_trivial
from t2v.distances import common_trivial, with_trivial
from t2v.meta_task import MetaTask
from t2v.robust import closed_form
from tests.fakes import FakeEmbedding
from tests.small import small_probe, small_task

LAYERS = {"conv1": slice(0, 5), "conv2": slice(5, 12)}
CLOSE = 1e-12  # float64 sums of a few terms of order one


def cosine_distance(a, b):
    return 1 - (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())


def naive_symmetric(a, b):
    return cosine_distance(a / (a + b), b / (a + b))


def drawn(seed, scale=1.0, **changes):
    """A task whose trivial embedding is the mean of each of its layers."""
    fisher = scale * np.random.default_rng(seed).lognormal(sigma=1, size=12)
    return FakeEmbedding(fisher, layers=LAYERS, **changes)


def offset(embedding):
    return asymmetric_parts([embedding])[1][0]


def test_the_own_form_does_not_see_the_scale_of_the_fisher_information():
    once, ten_times = offset(drawn(0)), offset(drawn(0, scale=10.0))
    assert once == pytest.approx(ten_times, abs=CLOSE) and once > 0.01


@pytest.mark.parametrize("form", ["common", "probe"])
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 10.0, 1e9])
def test_a_trivial_embedding_for_all_sees_it_as_the_formula_says(form, scale):
    """With all filters of a layer alike, d_sym has one term for each layer."""
    filters, f, t = np.array([5, 7]), scale * np.array([1.0, 1.0]), np.array([0.5, 2.0])
    fisher, trivial = np.repeat(f, filters), np.repeat(t, filters)
    [embedding] = with_trivial([FakeEmbedding(fisher, layers=LAYERS)], trivial, form)
    s, u = (f + t) / (f + 2 * t), t / (f + 2 * t)  # shares of F + t₀ and of t₀
    cosine = (filters * s * u).sum() / np.sqrt((filters * s**2).sum() * (filters * u**2).sum())
    assert offset(embedding) == pytest.approx(1 - cosine, abs=CLOSE)
    if scale == 0:  # a task without content is at t₀
        assert offset(embedding) == pytest.approx(0, abs=CLOSE)
    if scale == 1e9:  # the limit depends on the ratios of t₀ to F alone
        limit = cosine_distance(np.ones(12), trivial / fisher)
        assert offset(embedding) == pytest.approx(limit, abs=1e-8)


def test_the_example_on_the_page_of_the_robust_embedding():
    """`book/robust.md`: F = (1, 4) times 1, 10 and 0.1, and t₀ = (1, 1)."""
    tasks = [FakeEmbedding(s * np.array([1.0, 4.0])) for s in (1, 10, 0.1)]
    _, common = asymmetric_parts(with_trivial(tasks, np.ones(2)))
    np.testing.assert_array_equal(common.round(3), [0.092, 0.142, 0.007])
    np.testing.assert_allclose(asymmetric_parts(tasks)[1], 0, atol=CLOSE)


def test_a_dead_share_of_filters_lowers_the_limit_of_the_prior_by_itself():
    """`book/robust.md`: λ² → (1 - q) / mean w² where a share q of the filters has F = 0."""
    fisher = {"a": torch.tensor([2.0, 0.0, 1.0, 5.0], dtype=torch.float64)}
    assert closed_form(fisher, {"a": 0.04}, beta=1e-9).prior["a"] == pytest.approx(0.75 / 0.04)


def test_with_one_for_all_it_is_added_once_on_both_sides():
    targets, sources = [drawn(s) for s in (0, 1)], [drawn(s, scale=4.0) for s in (2, 3, 4)]
    t0 = common_trivial(sources)
    np.testing.assert_allclose(t0, np.mean([e.trivial for e in sources], axis=0), rtol=1e-15)
    targets, sources = with_trivial(targets, t0), with_trivial(sources, t0)
    got = distance_matrix(targets, sources, "asymmetric", alpha=0.3)
    for i, target in enumerate(targets):
        for j, source in enumerate(sources):
            a, b = source.fisher + t0, target.fisher + t0
            wanted = naive_symmetric(a, b) - 0.3 * naive_symmetric(a, t0)
            assert got[i, j] == pytest.approx(wanted, abs=CLOSE)


def test_two_forms_in_one_matrix_are_refused_by_name():
    own, other = drawn(0, name="owls"), drawn(1, name="ducks")
    [probe] = with_trivial([other], np.ones(12), "probe")
    for call in (lambda: distance_matrix([own, probe]), lambda: asymmetric_parts([own], [probe])):
        with pytest.raises(InputError, match=r"'owls' and 'ducks' differ in trivial \(own and pro"):
            call()
    two = with_trivial([own], np.ones(12)) + with_trivial([other], 2 * np.ones(12))
    with pytest.raises(InputError, match="'owls' and 'ducks': their trivial embeddings differ"):
        distance_matrix(two)
    for array, word in ((np.ones(3), "shape"), (-np.ones(12), ">= 0")):
        with pytest.raises(InputError, match=word):
            with_trivial([own], array)
    with pytest.raises(InputError, match="one probe; got 0"):
        common_trivial([])


def brute_force(probe, beta):
    """β over the mean square, weight by weight."""
    values = []
    for name in ("conv1", "conv2"):
        weight = probe.network.get_submodule(name).weight
        squares = [float(w) ** 2 for w in weight.flatten()]
        values += [beta * len(squares) / sum(squares)] * len(weight)
    return np.array(values)


def test_the_probes_form_is_beta_over_the_mean_square_of_its_weights(tmp_path):
    probe, tasks = small_probe(), [small_task(), small_task("others", classes=2, seed=1)]
    own = task2vec(tasks[0], probe)
    first, second = (task2vec(task, probe, trivial="probe") for task in tasks)
    weights = 6 * 3 * 9 + 10 * 6 * 9
    assert first.spec["beta"] == 1 / weights and own.spec["trivial"] == "own"
    np.testing.assert_allclose(first.trivial, brute_force(probe, 1 / weights), rtol=1e-12)
    np.testing.assert_array_equal(first.trivial, second.trivial)
    np.testing.assert_array_equal(first.fisher, own.fisher)
    given = task2vec(tasks[0], probe, trivial="probe", beta=1e-3)
    np.testing.assert_allclose(given.trivial, brute_force(probe, 1e-3), rtol=1e-12)
    first.save(tmp_path / "e.safetensors")
    assert Embedding.load(tmp_path / "e.safetensors").spec["trivial"] == "probe"
    for options in ({"trivial": "mine"}, {"trivial": "probe", "estimator": "robust"}):
        with pytest.raises(InputError, match="trivial="):
            task2vec(tasks[0], probe, **options)
    with pytest.raises(InputError, match="beta: got 0"):
        task2vec(tasks[0], probe, trivial="probe", beta=0)
    with pytest.raises(InputError, match="layer a: all weights are 0"):
        probe_trivial({"a": np.zeros(3)})


def test_the_probes_form_is_the_limit_of_the_papers_optimum():
    """As β falls; the error is β / (F w̄²) to first order, see the page on the robust embedding."""
    fisher, weights = torch.full((4,), 3.0, dtype=torch.float64), np.array([0.1, -0.3, 0.2])
    power = float((weights**2).mean())
    for beta in (1e-3, 1e-5):
        trivial, _ = probe_trivial({"a": weights}, beta)
        optimum = beta * closed_form({"a": fisher}, {"a": power}, beta=beta).prior["a"]
        x = beta / (3.0 * power)
        assert optimum / trivial["a"] - 1 == pytest.approx(-x, rel=0.01 + 2 * x)


def meta_of(tasks, experts):
    return MetaTask(tasks=tasks, experts=experts, errors=np.zeros((len(tasks), len(experts))))


def test_nearest_in_the_common_form_takes_it_from_the_experts_only():
    rng = np.random.default_rng(0)
    tasks, experts = [drawn(s) for s in range(4)], [drawn(9 + s, rng.gamma(2)) for s in range(6)]
    strategy = Nearest("asymmetric", trivial="common", scale=0.3)
    assert strategy.name == "asymmetric, common t₀ × 0.3"
    t0 = 0.3 * common_trivial(experts)
    for t, target in enumerate(tasks):
        query = meta_of(tasks, [*experts, None]).query(t)
        a = [e.fisher + t0 for e in experts]
        wanted = [naive_symmetric(x, target.fisher + t0) - 0.15 * naive_symmetric(x, t0) for x in a]
        np.testing.assert_array_equal(strategy.select(query), np.argsort(wanted))
        others = [e if i == t else drawn(50 + i, 1e6) for i, e in enumerate(tasks)]
        again = meta_of(others, [*experts, None]).query(t)
        np.testing.assert_array_equal(strategy.select(again), strategy.select(query))
        array = Nearest("asymmetric", trivial=t0)
        np.testing.assert_array_equal(array.select(query), strategy.select(query))


def test_nearest_takes_the_form_that_embeddings_carry_or_says_that_they_do_not():
    tasks, experts = ([drawn(s + n) for s in range(3)] for n in (0, 9))
    own = meta_of(tasks, experts).query(0)
    with pytest.raises(InputError, match="of the form own, not probe"):
        Nearest("asymmetric", trivial="probe").select(own)
    parts = (with_trivial(part, np.ones(12), "probe") for part in (tasks, experts))
    carried = meta_of(*parts).query(0)
    with pytest.raises(InputError, match="of the form probe, not own"):
        Nearest("asymmetric").select(carried)
    for scale in (1.0, 0.5):
        found = Nearest("asymmetric", trivial="probe", scale=scale).select(carried)
        wanted = Nearest("asymmetric", trivial=scale * np.ones(12)).select(own)
        np.testing.assert_array_equal(found, wanted)
