"""GBC against integrals and closed forms; PARC is a transformed AUC."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, ortho_group, spearmanr
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from t2v.errors import InputError
from t2v.transferability import gbc, parc, parc_auc, parc_ceiling
from t2v.transferability.principal import principal_scores


def exactly(mean, deviation, n, d, seed=0):
    """n rows whose sample mean and covariance are the given ones, the covariance spherical."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    q, _ = np.linalg.qr(x - x.mean(0))
    return mean + deviation * np.sqrt(n - 1) * q


def test_gbc_of_three_classes_on_a_line_by_integration():
    moments = [(0.0, 1.0), (1.5, 2.0), (-1.0, 0.5)]
    features = np.concatenate([exactly(m, s, 30, 1, seed=i) for i, (m, s) in enumerate(moments)])
    y = np.repeat(range(3), 30)
    overlaps = [
        quad(lambda x, a=a, b=b: np.sqrt(norm.pdf(x, *a) * norm.pdf(x, *b)), -25, 25)[0]
        for i, a in enumerate(moments)
        for b in moments[:i]
    ]
    for form in ("diagonal", "spherical"):  # the same on a line; 1e-7: that of the integral
        assert gbc(features, y, covariance=form) == pytest.approx(-np.mean(overlaps), abs=1e-7)


def test_every_dimension_counts_in_the_spherical_form():
    # equal means, variances 1 and 4, 64 dimensions: 0.8 to the power of 32, not of 1/2
    y = np.repeat([0, 1], 100)
    features = np.concatenate([exactly(0, 1, 100, 64), exactly(0, 2, 100, 64, seed=1)])
    for form in ("diagonal", "spherical"):
        assert gbc(features, y, covariance=form) == pytest.approx(-(0.8**32), rel=1e-9)


def test_gbc_takes_the_first_principal_components():
    rng = np.random.default_rng(0)
    features, y = rng.normal(size=(60, 10)) * np.arange(1, 11), np.arange(60) % 3
    by_sklearn = PCA(4).fit_transform(features)
    assert gbc(features, y, dimensions=4) == pytest.approx(gbc(by_sklearn, y), rel=1e-9)
    turned = principal_scores(features @ ortho_group.rvs(10, random_state=0), 4)
    np.testing.assert_allclose(turned, principal_scores(features, 4), atol=1e-9)


@pytest.mark.parametrize("classes", [2, 5, 20])
def test_parc_is_a_transformed_auc(classes):
    rng = np.random.default_rng(classes)
    y = rng.integers(classes, size=80)
    features = rng.normal(size=(80, 40)) + 2 * rng.normal(size=(classes, 40))[y]
    value, auc = parc(features, y), parc_auc(features, y)
    # continuous features: no ties, so the identity is exact up to rounding
    assert value == pytest.approx((2 * auc - 1) * parc_ceiling(y), rel=1e-9)
    assert 0 < value < parc_ceiling(y)


def test_parc_and_its_auc_by_their_definitions():
    rng = np.random.default_rng(1)
    y = rng.integers(4, size=60)
    features = rng.normal(size=(60, 12)) + np.eye(4, 12)[y]
    z = principal_scores(features, 32)
    pairs = np.tril_indices(60, -1)
    distances = (1 - np.corrcoef(z / z.std(0)))[pairs]
    # rounding would order distances that are equal
    of_labels = (1 - np.corrcoef(np.eye(4)[y])).round(9)[pairs]
    value = 100 * spearmanr(distances, of_labels).statistic
    assert parc(features, y) == pytest.approx(value, rel=1e-9)
    auc = roc_auc_score(of_labels > 0, distances)
    assert parc_auc(features, y) == pytest.approx(auc, rel=1e-9)


@pytest.mark.parametrize("classes, ceiling", [(10, 52), (100, 17)])
def test_ceiling_of_parc_for_balanced_classes(classes, ceiling):
    assert parc_ceiling(np.arange(20_000) % classes) == pytest.approx(ceiling, abs=0.5)


def test_parc_draws_images_by_seed():
    rng = np.random.default_rng(2)
    y = rng.integers(3, size=300)
    features = rng.normal(size=(300, 20)) + np.eye(3, 20)[y]
    assert parc(features, y, images=100) == parc(features, y, images=100)
    assert parc(features, y, images=100, seed=1) != parc(features, y, images=100)
    assert parc(features, y, images=None) == parc(features, y)
    with pytest.raises(InputError, match="rank 2"):
        parc(features[:, :2], y)
