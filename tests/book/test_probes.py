"""The probes of chapter 13: what is changed in each of them, and that nothing else is."""

import torch

from t2v import load_probe
from t2v.book.chapter import Chapter
from t2v.book.probes import compared_probes, untrained, up_to


def images():
    return torch.randint(0, 256, (4, 3, 48, 48), generator=torch.Generator().manual_seed(0)).byte()


def test_an_untrained_probe_has_the_architecture_and_other_weights():
    like = load_probe("imagenet", device="cpu")
    state = torch.get_rng_state()
    one, same, other = untrained(like), untrained(like), untrained(like, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.filters == like.filters and one.image_size == like.image_size
    assert one.sha256 == same.sha256
    assert len({like.sha256, one.sha256, other.sha256}) == 3
    x = one.features(images())
    assert x.shape == like.features(images()).shape
    assert torch.equal(x, same.features(images())) and not torch.equal(x, other.features(images()))
    assert x.std(0).gt(0).any()  # it tells images apart


def test_a_cut_probe_gives_the_mean_of_the_stage_where_it_is_cut():
    whole = load_probe("synthetic", device="cpu")
    cut = up_to(whole, 2)
    assert cut.sha256 not in {whole.sha256, up_to(whole, 1).sha256}
    assert [n for n in cut.filters if n.startswith("layer")] == [
        n for n in whole.filters if n.startswith(("layer1", "layer2"))
    ]
    kept = {}
    whole.network.layer2.register_forward_hook(lambda m, i, out: kept.update(out=out))
    whole.features(images())
    torch.testing.assert_close(cut.features(images()), kept["out"].mean((2, 3)))


def test_on_the_open_zoo_probes_differ_from_the_usual_one_in_one_thing():
    chapter = Chapter("open", "smoke", device="cpu")
    probes = compared_probes(chapter)
    usual = chapter.probe
    assert list(probes.values())[-1] is usual
    same_weights = {n for n, probe in probes.items() if probe.sha256 == usual.sha256}
    assert same_weights == {n for n in probes if n.startswith("ImageNet")}
    assert {probes[n].image_size for n in same_weights} == {48, 64, 96}
    assert probes["random weights"].image_size == usual.image_size


def test_on_worlds_probes_differ_in_depth():
    probes = compared_probes(Chapter("worlds", "smoke", device="cpu"))
    lengths = [len(probe.filters) for probe in probes.values()]
    assert lengths == sorted(set(lengths)) and len(lengths) == 4
