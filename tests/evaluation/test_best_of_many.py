"""The best of many experts: by hand, against McNemar's test, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from t2v.errors import InputError
from t2v.evaluation.best_of_many import best_of_many, gain_chosen_elsewhere

LABELS = np.array([0, 0, 0, 0, 1, 1])
GENERIC = np.array([1, 1, 0, 0, 1, 0], dtype=bool)  # errors 1/2 and 1/2


def simulated(rng, experts, *, images=120, classes=4, error=0.2, alike=0.7, better=0.0):
    """Mistakes of equally good networks that find the same images hard; one may be better."""
    labels = np.arange(images) % classes
    hard = np.sqrt(alike) * rng.normal(size=images)
    own = np.sqrt(1 - alike) * rng.normal(size=(experts + 1, images))
    limit = np.full((experts + 1, 1), stats.norm.ppf(error))
    limit[-1] = stats.norm.ppf(error - better)
    mistakes = hard + own < limit
    return mistakes[0], mistakes[1:], labels


def rejections(runs, **options):
    rng = np.random.default_rng(0)
    found = [best_of_many(*simulated(rng, **options), resamples=199, seed=i) for i in range(runs)]
    return np.mean([f.p <= 0.05 for f in found])


def test_the_gain_is_a_difference_of_balanced_errors_and_the_best_has_the_largest():
    experts = np.array([[1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0]], dtype=bool)
    # errors: 1; (1/4 + 1/2) / 2 = 3/8; (1/2 + 0) / 2 = 1/4; the generic one's: 1/2
    found = best_of_many(GENERIC, experts, LABELS)
    assert (found.best, found.gain) == (2, pytest.approx(1 / 4))
    assert best_of_many(GENERIC, experts[:2], LABELS)[:2] == (1, pytest.approx(1 / 8))
    assert best_of_many(GENERIC, experts[:1], LABELS).gain == pytest.approx(-1 / 2)


def test_of_one_expert_it_is_mcnemars_test():
    generic, expert = np.zeros((2, 40), dtype=bool)
    generic[:12], expert[12:17] = True, True  # 17 images on which they differ, 12 for the expert
    exact = stats.binomtest(12, 17, alternative="greater").pvalue
    found = best_of_many(generic, expert[None], np.zeros(40, dtype=int), resamples=20000)
    # four standard deviations of a share of 20,000 draws
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact / 20000))


def test_experts_that_make_the_same_mistakes_are_no_better():
    experts = np.stack([GENERIC, GENERIC])
    assert best_of_many(GENERIC, experts, LABELS) == (0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"experts": 1},
        {"experts": 20},
        {"experts": 20, "alike": 0.9},
        {"experts": 20, "error": 0.4, "alike": 0.3},
        {"experts": 20, "images": 300},
    ],
)
def test_if_all_experts_are_equal_no_more_than_one_in_twenty_is_called_better(options):
    # 0.05 and three standard deviations of a share of 250 tasks; the many-expert test may be strict
    assert rejections(250, **options) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


def test_the_share_is_the_nominal_one_for_many_images():
    # so the test is not merely strict
    assert rejections(250, experts=20, images=300, error=0.3) >= 0.02


def test_one_better_expert_among_many_is_found():
    assert rejections(100, experts=20, images=240, better=0.1) > 0.8


def test_the_best_of_equal_experts_seems_to_gain_but_not_on_other_images():
    rng = np.random.default_rng(1)
    seeming, lucky, elsewhere = [], [], []
    for _ in range(300):
        generic, experts, labels = simulated(rng, 20)
        found = best_of_many(generic, experts, labels, resamples=49)
        seeming.append(found.gain)
        lucky.append(found.luck)
        parts = np.arange(len(labels)) // 4 % 5
        elsewhere.append(gain_chosen_elsewhere(generic, experts, labels, parts))
    assert np.mean(seeming) > 0.03
    # the coins know how large it is: the two means differ by their sampling only
    assert np.mean(lucky) == pytest.approx(np.mean(seeming), abs=4 * stats.sem(seeming))
    # no gain within four standard errors, while the luck of the best is ten times as large
    assert abs(np.mean(elsewhere)) < 4 * stats.sem(elsewhere) < 0.015


def test_each_part_is_judged_by_the_expert_that_is_best_on_the_others():
    parts = np.array([0, 1, 0, 1, 0, 1])
    labels = np.zeros(6, dtype=int)
    generic = np.ones(6, dtype=bool)
    left, right = parts == 0, parts == 1  # one expert errs on the one part, one on the other
    # each is perfect on the other part, and so chosen for the part on which it always errs
    assert gain_chosen_elsewhere(generic, np.stack([left, right]), labels, parts) == 0
    both = gain_chosen_elsewhere(generic, np.zeros((1, 6), dtype=bool), labels, parts)
    assert both == pytest.approx(1)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"expected shapes \[N\], \[M, N\]"):
        best_of_many(GENERIC, GENERIC, LABELS)
    with pytest.raises(InputError, match="two or more of them different"):
        gain_chosen_elsewhere(GENERIC, GENERIC[None], LABELS, np.zeros(6))
