"""Distances: against scipy pair by pair, and the properties each of them must have."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.spatial.distance as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from t2v import distances
from t2v.distances import asymmetric_parts, distance_matrix, scale_locally, symmetric, taxonomic
from t2v.errors import InputError
from tests.fakes import FakeEmbedding

# float64 sums of a few hundred terms of order one
CLOSE = 1e-12


def embedded(fisher, **changes):
    half = len(fisher) // 2
    trivial = np.concatenate([np.full(half, 2.0), np.full(len(fisher) - half, 3.0)])
    return FakeEmbedding(fisher, **{"trivial": trivial} | changes)


def naive_symmetric(a, b):
    """The definition, filter by filter."""
    kept = (a + b) > 0
    if not kept.any():
        return 0.0
    a, b = a[kept], b[kept]
    if not a.any() or not b.any():
        return 1.0
    return oracle.cosine(a / (a + b), b / (a + b))


def naive_kl(v, w):
    return 0.5 * (v / w - 1 + np.log(w) - np.log(v))


def naive(kind, a, b, trivial):
    kept = (a > 0) & (b > 0)
    v, w, base = 1 / a[kept], 1 / b[kept], trivial[kept]
    if kind in ("symmetric", "cosine"):
        return naive_symmetric(a, b)
    if kind == "normalized_cosine":
        return oracle.cosine(base * v, base * w)
    if kind == "correlation":
        return oracle.correlation(v, w)
    if kind == "kl":
        return np.maximum(naive_kl(v, w), naive_kl(w, v)).sum()
    middle = (v + w) / 2
    return (0.5 * (naive_kl(v, middle) + naive_kl(w, middle))).mean()


@pytest.fixture
def fisher():
    draw = np.random.default_rng(0).lognormal(sigma=2, size=(9, 301))
    draw[:, :4] = 0  # filters that no task uses
    draw[1:3] *= 1e6  # tasks of very different size
    draw[3] *= 1e-9
    return draw


def positive(shape, low=1e-6, high=1e6):
    return npst.arrays(np.float64, shape, elements=st.floats(low, high))


def with_zeros(shape):
    numbers = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
    return npst.arrays(np.float64, shape, elements=numbers)


@pytest.mark.parametrize(
    "kind", ["symmetric", "cosine", "normalized_cosine", "correlation", "kl", "jensen_shannon"]
)
@pytest.mark.parametrize("columns", [None, 5])
@pytest.mark.parametrize("block", [1, 1000, 10**6])
def test_every_kind_agrees_with_its_definition(fisher, kind, columns, block, monkeypatch):
    monkeypatch.setattr("t2v._numerics.pairwise._BLOCK", block)
    trivial = np.linspace(1, 2, fisher.shape[1])
    others = None if columns is None else fisher[:columns] * fisher[4]
    got = distance_matrix(fisher, others, kind, trivial=trivial, jobs=2)
    second = fisher if others is None else others
    wanted = np.array([[naive(kind, a, b, trivial) for b in second] for a in fisher])
    # relative for kl, which reaches 1e15 here; 1e-9 for the cancellation inside the definition
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_asymmetric_rows_are_targets_and_columns_sources(fisher):
    trivial = np.linspace(1, 2, fisher.shape[1])
    got = distance_matrix(fisher[:3], fisher[3:], "asymmetric", trivial=trivial, alpha=0.3)
    for i, target in enumerate(fisher[:3]):
        for j, source in enumerate(fisher[3:]):
            wanted = naive_symmetric(source, target) - 0.3 * naive_symmetric(source, trivial)
            assert got[i, j] == pytest.approx(wanted, abs=CLOSE)
            one = distances.asymmetric(source, target, trivial, alpha=0.3)
            assert one == pytest.approx(wanted, abs=CLOSE)


@pytest.mark.parametrize(
    "options",
    [{}, {"trivial": 2.0 + np.arange(301)}, {"prior": 0.0}, {"prior": 0.7}, {"layers": ["conv2"]}],
    ids=lambda options: "-".join(options) or "default",
)
@pytest.mark.parametrize("columns", [None, slice(2, 7)])
def test_asymmetric_parts_give_the_distance_for_every_alpha(fisher, columns, options):
    tasks = [embedded(row, trivial=row[::-1] + 1) for row in fisher]
    sources = None if columns is None else tasks[columns]
    common, offset = asymmetric_parts(tasks, sources, **options)
    for alpha in (0.0, 0.15, 1.0, -2.0):
        whole = distance_matrix(tasks, sources, "asymmetric", alpha=alpha, **options)
        np.testing.assert_array_equal(common - alpha * offset, whole)
    # and the parts are what their names say, by the definition
    prior, part = options.get("prior", distances.DEFAULT_PRIOR), slice(0, 301)
    if "layers" in options:
        part = tasks[0].layers["conv2"]
    target, source = tasks[1], (tasks if sources is None else sources)[3]
    base = options.get("trivial", source.trivial)
    a = (source.fisher + prior * base)[part]
    # in a square matrix a task is its own target, with the same trivial embedding
    own = options.get("trivial", target.trivial) if sources is None else target.trivial
    b = (target.fisher + prior * own)[part]
    assert common[1, 3] == pytest.approx(naive_symmetric(a, b), abs=CLOSE)
    assert offset[3] == pytest.approx(naive_symmetric(a, base[part]), abs=CLOSE)


def test_asymmetric_parts_of_arrays_take_one_trivial_embedding_or_one_per_source(fisher):
    each = fisher[3:] + 1
    _, offset = asymmetric_parts(fisher[:3], fisher[3:], trivial=each)
    for j, (source, trivial) in enumerate(zip(fisher[3:], each, strict=True)):
        assert offset[j] == pytest.approx(naive_symmetric(source, trivial), abs=CLOSE)
    common, _ = asymmetric_parts(fisher[:3], fisher[3:], trivial=each[0], prior=0.5)
    pair = fisher[2] + each[0] / 2, fisher[4] + each[0] / 2
    assert common[2, 1] == pytest.approx(naive_symmetric(*pair), abs=CLOSE)
    with pytest.raises(InputError, match="asymmetric needs trivial"):
        asymmetric_parts(fisher)


def test_one_asymmetric_distance_is_that_of_the_matrix_with_the_prior_too(fisher):
    target, source = (embedded(row, trivial=row[::-1] + 1) for row in fisher[:2])
    a, b = (e.fisher + distances.DEFAULT_PRIOR * e.trivial for e in (source, target))
    wanted = naive_symmetric(a, b) - distances.ALPHA * naive_symmetric(a, source.trivial)
    assert distances.asymmetric(source, target, source.trivial) == pytest.approx(wanted, abs=CLOSE)
    one = distance_matrix([target], [source], "asymmetric")[0, 0]
    assert one == pytest.approx(wanted, abs=CLOSE)


@pytest.mark.parametrize("estimator", ["robust", "domain-mean", "domain-second"])
def test_other_kinds_of_embedding_are_refused(fisher, estimator):
    plain = embedded(fisher[0], spec={"estimator": "exact"})
    assert distance_matrix([plain], [embedded(fisher[1], spec={"estimator": "sketch"})]).shape
    with pytest.raises(InputError, match="differ in kind"):
        distance_matrix([plain], [embedded(fisher[1], spec={"estimator": estimator})])
    with pytest.raises(InputError, match="differ in image_size"):
        sizes = ({"estimator": "exact", "image_size": size} for size in (96, 224))
        distance_matrix([embedded(fisher[0], spec=spec) for spec in sizes])


def test_asymmetric_takes_each_sources_own_trivial_embedding(fisher):
    tasks = [embedded(row, trivial=row[::-1] + 1) for row in fisher]
    got = distance_matrix(tasks, kind="asymmetric", prior=0)
    for j, source in enumerate(tasks):
        wanted = naive_symmetric(fisher[0], source.fisher) - distances.ALPHA * naive_symmetric(
            source.fisher, source.trivial
        )
        assert got[0, j] == pytest.approx(wanted, abs=CLOSE)


@given(with_zeros((2, 40)))
def test_symmetric_is_a_symmetric_number_between_0_and_1(pair):
    d = symmetric(*pair)
    assert 0 <= d <= 1
    assert symmetric(*pair[::-1]) == pytest.approx(d, abs=CLOSE)
    assert d == pytest.approx(naive_symmetric(*pair), abs=1e-9)


@given(with_zeros(40), st.floats(1e-3, 1e3))
def test_a_task_is_at_distance_0_from_itself_and_its_multiples(a, factor):
    assert symmetric(a, a) == 0
    if a.any():
        assert symmetric(a, factor * a) == pytest.approx(0, abs=CLOSE)


@settings(deadline=None)
@given(positive((2, 30)), st.integers(-200, 200), st.randoms(use_true_random=False))
@pytest.mark.parametrize("kind", distances.KINDS)
def test_a_common_scale_and_the_order_of_filters_change_nothing(kind, pair, exponent, random):
    if kind.startswith("taxonomic"):
        return
    order = list(range(30))
    random.shuffle(order)
    trivial = np.linspace(1, 5, 30)
    wanted = distance_matrix(pair, kind=kind, trivial=trivial)
    # a power of two multiplies exactly; logarithms of it (jensen_shannon) lose the last digits
    scaled = distance_matrix(pair * 2.0**exponent, kind=kind, trivial=trivial * 2.0**exponent)
    np.testing.assert_allclose(scaled, wanted, rtol=1e-12, atol=1e-12)
    shuffled = distance_matrix(pair[:, order], kind=kind, trivial=trivial[order])
    np.testing.assert_allclose(shuffled, wanted, rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(positive((4, 20)))
@pytest.mark.parametrize("kind", ["normalized_cosine", "correlation", "kl", "jensen_shannon"])
def test_the_other_distances_are_symmetric_and_0_on_the_diagonal(kind, fisher):
    d = distance_matrix(fisher, kind=kind, trivial=np.ones(20))
    np.testing.assert_allclose(d, d.T, rtol=1e-9, atol=1e-9)
    assert not d.diagonal().any() and np.all(d >= 0)


def test_zeros_in_both_are_left_out():
    a, b = np.array([3.0, 1, 2]), np.array([1.0, 5, 2])
    padded = [np.concatenate([x, np.zeros(50)]) for x in (a, b)]
    for kind in ("symmetric", "correlation", "kl", "jensen_shannon"):
        short, long = distance_matrix([a, b], kind=kind), distance_matrix(padded, kind=kind)
        np.testing.assert_allclose(long, short, rtol=1e-12, err_msg=kind)


def test_zeros_in_one_are_as_far_as_filters_can_be():
    a, b = np.array([1.0, 2, 0, 0]), np.array([0.0, 0, 3, 1])
    assert symmetric(a, b) == 1
    assert symmetric(np.zeros(4), b) == 1
    assert symmetric(np.zeros(4), np.zeros(4)) == 0
    both = distance_matrix([[1.0, 2, 3], [1.0, 0, 3]], kind="kl")
    assert both[0, 1] == np.inf and both[0, 0] == 0


def test_tiny_and_huge_values_keep_their_digits():
    a, b = np.random.default_rng(1).lognormal(size=(2, 100))
    wanted = naive_symmetric(a, b)
    for scale in (1e-250, 1e250):
        assert symmetric(a * scale, b * scale) == pytest.approx(wanted, rel=1e-9)
    # one task a million times the other: the definition in longer numbers
    wide_a, wide_b = a.astype(np.longdouble) * 10**6, b.astype(np.longdouble)
    r = wide_a / (wide_a + wide_b)
    s = wide_b / (wide_a + wide_b)
    wanted = float(1 - (r * s).sum() / np.sqrt((r * r).sum() * (s * s).sum()))
    assert symmetric(a * 1e6, b) == pytest.approx(wanted, rel=1e-12)
    assert symmetric(b, a * 1e6) == pytest.approx(wanted, rel=1e-12)


def test_prior_and_layers_are_applied_first(fisher):
    tasks = [embedded(row) for row in fisher]
    trivial = tasks[0].trivial
    got = distance_matrix(tasks, prior=0.5)
    assert got[0, 4] == pytest.approx(
        naive_symmetric(fisher[0] + trivial / 2, fisher[4] + trivial / 2)
    )
    alone = distance_matrix(tasks, layers=["conv2"], prior=0)
    assert alone[0, 4] == pytest.approx(naive_symmetric(fisher[0, 150:], fisher[4, 150:]))


def test_the_default_prior_is_the_modules_and_arrays_have_none(fisher, monkeypatch):
    tasks = [embedded(row) for row in fisher]
    monkeypatch.setattr(distances, "DEFAULT_PRIOR", 2.0)
    np.testing.assert_array_equal(distance_matrix(tasks), distance_matrix(tasks, prior=2.0))
    np.testing.assert_array_equal(distance_matrix(fisher), distance_matrix(tasks, prior=0.0))
    assert symmetric(tasks[0], tasks[4]) == distance_matrix(tasks)[0, 4]


def test_local_scaling_divides_by_the_kth_nearest(fisher):
    raw, scaled = distance_matrix(fisher), distance_matrix(fisher, local_scaling=3)
    for i, j in ((0, 1), (5, 2)):
        sigma = [np.sort(np.delete(raw[x], x))[2] for x in (i, j)]
        assert scaled[i, j] == pytest.approx(raw[i, j] / np.sqrt(sigma[0] * sigma[1]))
    cross = scale_locally(raw[:4, 4:], 2, same=False)
    sigma = np.sort(raw[1, 4:])[1], np.sort(raw[:4, 6])[1]
    assert cross[1, 2] == pytest.approx(raw[1, 6] / np.sqrt(sigma[0] * sigma[1]))


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        (("life", "aves", "owls"), ("life", "aves", "owls"), 0),
        (("life", "aves", "owls"), ("life", "aves", "ducks"), 1),
        (("life", "aves", "owls"), ("life", "mammals", "owls"), 2),
        (("life", "aves", "owls"), ("dresses", "red", "dark"), 3),
        (("life", "aves"), ("life", "aves", "owls"), 1),
        (("life",), ("life", "aves", "owls"), 2),
        ((), ("life", "aves"), 2),
    ],
)
def test_taxonomic_counts_levels_to_the_common_ancestor(a, b, wanted):
    assert taxonomic(a, b) == taxonomic(b, a) == wanted


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=5, max_size=5), min_size=3, max_size=3))
def test_taxonomic_of_equal_depth_is_an_ultrametric(lineages):
    a, b, c = lineages
    assert taxonomic(a, b) <= max(taxonomic(a, c), taxonomic(c, b))


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=6), min_size=3, max_size=9))
def test_taxonomic_matrix_is_the_pairwise_one_and_a_metric(lineages):
    d = distance_matrix([tuple(x) for x in lineages], kind="taxonomic")
    np.testing.assert_array_equal(d, [[taxonomic(x, y) for y in lineages] for x in lineages])
    assert np.all(d[:, None, :] <= d[:, :, None] + d[None])


PATHS = st.lists(st.sampled_from("ab"), min_size=1, max_size=5).map(tuple)
TASKS = st.lists(st.lists(PATHS, min_size=1, max_size=4), min_size=1, max_size=5)


@given(TASKS, TASKS)
def test_the_distance_of_label_sets_is_the_least_over_all_pairs(rows, columns):
    """D_tax by brute force: each pair of labels, each level of their paths."""

    def levels(a, b):
        shared = max(n for n in range(min(len(a), len(b)) + 1) if a[:n] == b[:n])
        return max(len(a), len(b)) - shared

    expected = [[min(levels(i, j) for i in a for j in b) for b in columns] for a in rows]
    assert [[taxonomic(a, b) for b in columns] for a in rows] == expected
    tasks, others = (
        [SimpleNamespace(class_lineages=paths, lineage=("elsewhere",)) for paths in side]
        for side in (rows, columns)
    )
    assert distance_matrix(tasks, others, "taxonomic_classes").tolist() == expected
    same = distance_matrix(tasks, kind="taxonomic_classes")
    assert not same.diagonal().any() and (same == same.T).all()
    assert not distance_matrix(tasks, others, "taxonomic").any()  # places, whatever the classes


def test_a_task_without_class_lineages_counts_with_its_place():
    birds = SimpleNamespace(lineage=("life", "aves"), class_lineages=[("life", "aves", "owls")])
    owls = embedded([1, 2], lineage=("life", "aves", "owls"))
    assert distance_matrix([birds], [owls], "taxonomic_classes").tolist() == [[0]]
    assert distance_matrix([birds], [owls], "taxonomic").tolist() == [[1]]


def test_lineages_are_read_from_embeddings():
    tasks = [embedded([1, 2], lineage=("life", x)) for x in ("aves", "insecta")]
    assert distance_matrix(tasks[:1], tasks, "taxonomic").tolist() == [[0, 1]]


def test_1460_embeddings_take_memory_in_proportion():
    """Blocks do not grow with the number of tasks: what is held is the matrix and its inputs."""
    import tracemalloc

    fisher = np.random.default_rng(0).lognormal(size=(120, 8512))
    distance_matrix(fisher[:2])
    tracemalloc.start()
    distance_matrix(fisher, jobs=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # two copies of the embeddings (checked; sorted), the masks, 2 work arrays of 1 MB
    assert peak < 3.5 * fisher.nbytes + 4e6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: distance_matrix(f, kind="euclid"), ["euclid", "symmetric"]),
        (lambda f: distance_matrix([]), ["at least one"]),
        (lambda f: distance_matrix(-f), ["number 0", ">= 0"]),
        (lambda f: distance_matrix(f * np.nan), ["number 0", "nan"]),
        (lambda f: distance_matrix(f, f[:, :5]), ["301", "5"]),
        (lambda f: distance_matrix([f[0], f[0, :5]]), ["301", "5"]),
        (lambda f: distance_matrix([embedded(f[0]), f[1]]), ["mixture"]),
        (lambda f: distance_matrix(f, kind="asymmetric"), ["asymmetric", "trivial"]),
        (lambda f: distance_matrix(f, prior=1.0), ["prior=1.0", "trivial"]),
        (lambda f: distance_matrix([embedded(f[0])], prior=-1), ["prior=-1"]),
        (lambda f: distance_matrix(f, layers=["conv1"]), ["layers"]),
        (lambda f: distance_matrix([embedded(f[0])], layers=["fc"]), ["fc", "conv1, conv2"]),
        (lambda f: distance_matrix(f, local_scaling=9), ["local_scaling=9", "1 to 8"]),
        (lambda f: distance_matrix(f[[0, 0, 1]], local_scaling=1), ["row 0", "distance 0"]),
        (lambda f: distance_matrix(f, kind="asymmetric", local_scaling=1), ["local_scaling"]),
        (lambda f: distance_matrix([embedded(f[0])], kind="taxonomic"), ["task", "lineage"]),
        (lambda f: distance_matrix([embedded(f[0])], kind="taxonomic_classes"), ["no lineage"]),
    ],
)
def test_bad_input_is_named(fisher, call, words):
    with pytest.raises(InputError) as raised:
        call(fisher)
    assert "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": {"probe": "resnet34"}},
        {"layers": {"conv1": slice(0, 3), "conv2": slice(3, 4)}},
        {"layers": {"conv1": slice(0, 2), "conv9": slice(2, 4)}},
    ],
)
def test_embeddings_of_different_probes_are_refused_by_name(changes):
    a, b = embedded([1, 2, 3, 4], name="owls"), embedded([1, 2, 3, 4], name="ducks", **changes)
    for call in (lambda: distance_matrix([a, b]), lambda: distance_matrix([a], [b])):
        with pytest.raises(InputError, match="'owls' and 'ducks'"):
            call()
