"""The list of published networks: order, filters, where weights are found, what is missing."""

import json

import pytest
import torch

from t2v.candidates import load_networks, loading, published
from t2v.candidates.published import CURATED, short
from t2v.errors import FileError, InputError
from t2v.pretrained.architectures import IMAGENET_WEIGHTS


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch, tmp_path):
    """A fresh machine: no folder of weights, an empty cache of torch."""
    monkeypatch.delenv("T2V_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_the_list_goes_from_small_to_large_and_one_needs_no_download():
    found = published()
    assert [c.name for c in found] == list(CURATED)
    sizes = [c.parameters for c in found]
    assert sizes == sorted(sizes) and all(0.5 < c.top1 < 0.9 for c in found)
    assert [c.name for c in found if c.weights is not None] == ["squeezenet1_1"]
    assert found[0].weights == IMAGENET_WEIGHTS and found[0].licence == "Apache-2.0"
    assert [c.name for c in published(["imagenet"])] == ["squeezenet1_1"]


def test_filters_by_size_and_licence():
    assert [c.name for c in published(max_parameters=4e6)] == list(CURATED[:3])
    assert [c.name for c in published(licence="apache, mit")] == ["squeezenet1_1"]
    for wrong in ({"max_parameters": 10}, {"licence": "gpl"}):
        with pytest.raises(InputError, match="none has .*squeezenet1_1: 1,235,496, Apache-2.0"):
            published(**wrong)


def test_a_folder_of_weights_states_its_own_licence(tmp_path, monkeypatch):
    (tmp_path / "resnet18.safetensors").touch()
    assert published(["resnet18"], weights=tmp_path)[0].licence == "not stated"
    about = {"resnet18": {"licence": "ours (see LICENSE)", "stated_imagenet_val_top1": 66.7}}
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    [found] = published(["resnet18"], weights=tmp_path)
    assert (found.weights, found.top1) == (tmp_path / "resnet18.safetensors", 0.667)
    assert short(found.licence) == "ours"
    monkeypatch.setenv("T2V_WEIGHTS", str(tmp_path))
    assert published(["resnet18"])[0] == found


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["resnet19"], "unknown network 'resnet19'"),
        (["resnet18", "resnet18"], "'resnet18' is named twice"),
        (["imagenet", "squeezenet1_1"], "'squeezenet1_1' is named twice"),
    ],
)
def test_names_are_checked(names, message):
    with pytest.raises(InputError, match=message):
        published(names)
    with pytest.raises(FileError, match="no such folder of weights"):
        published(weights="nowhere")


def test_without_internet_what_is_missing_is_named_and_tried_once(monkeypatch):
    tried = []

    def fail(name, weights):
        if weights is None:
            tried.append(name)
            raise FileError("weights of it: the download failed (no such host)")
        return read(name, weights)

    read = loading.read_state_dict
    monkeypatch.setattr(loading, "read_state_dict", fail)
    networks, missing = load_networks(published(), device="cpu")
    assert [n.name for n in networks] == ["squeezenet1_1"]
    assert list(missing) == list(CURATED[1:]) and tried == [CURATED[1]]
    assert all("no such host" in reason for reason in missing.values())
    # the packaged weights are without a head, so there is no LEEP
    assert networks[0].head is None and networks[0].probe.image_size == 224


def test_a_damaged_file_is_an_error_not_a_missing_network(tmp_path):
    (tmp_path / "resnet18.pth").write_bytes(b"nothing")
    with pytest.raises(FileError, match="not a readable state dict"):
        load_networks(published(["resnet18"], weights=tmp_path), device="cpu")
