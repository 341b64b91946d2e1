import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from legatee.errors import TransferError
from legatee.surgery.files.checkpoint import (
    load_weights,
    read_metadata,
    read_weights,
    write_weights,
)
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import ZOO, cnn, small_resnet


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network() -> nn.Module:
    return scrambled(cnn("4-6"), 1)


def same(found: dict[str, torch.Tensor], network: nn.Module) -> bool:
    return not differing(dict(saved(network)), found)


# --- into a network -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["safetensors", "torch.save", "below a key"])
@pytest.mark.parametrize("kind", ["cnn", "tied", "bare", "counters"])
def test_a_network_gets_back_its_weights(kind, form):
    make = (lambda: cnn("4-6")) if kind == "cnn" else (lambda: ZOO[kind](4))
    source, target = scrambled(make(), 1), scrambled(make(), 2)
    if form == "safetensors":
        write_weights("a.safetensors", source, {})
    else:
        torch.save({"model": source.state_dict()} if "key" in form else source.state_dict(), "a.pt")
    load_weights(target, "a.safetensors" if form == "safetensors" else "a.pt")
    assert differing(dict(saved(source)), dict(saved(target))) == []


def test_loading_returns_the_network_itself(network):
    write_weights("a.safetensors", network, {})
    assert load_weights(network, "a.safetensors") is network


def test_ties_stay_tied_through_a_file():
    write_weights("a.safetensors", scrambled(ZOO["tied"](4), 1), {})
    target = load_weights(ZOO["tied"](4), "a.safetensors")
    assert target.one.weight is target.two.weight


def test_ties_are_written_once_and_named(network):
    tied = ZOO["tied"](4)
    write_weights("a.safetensors", tied, {})
    assert "two.weight" not in read_weights("a.safetensors")
    assert json.loads(read_metadata("a.safetensors")["ties"]) == {"two.weight": "one.weight"}


def test_loading_keeps_the_memory_format(network):
    write_weights("a.safetensors", network, {})
    target = cnn("4-6").to(memory_format=torch.channels_last)
    strides = {name: t.stride() for name, t in saved(target).items()}
    load_weights(target, "a.safetensors")
    assert strides == {name: t.stride() for name, t in saved(target).items()}
    assert same(read_weights("a.safetensors"), target)


def without(name: str) -> dict[str, torch.Tensor]:
    return {n: t for n, t in cnn("4-6").state_dict().items() if n != name}


BROKEN = {
    "missing": lambda: without("head.bias"),
    "unknown": lambda: without("") | {"tail.bias": torch.ones(4)},
    "of another shape": lambda: without("") | {"head.weight": torch.ones(4, 5)},
    "of the same size but another shape": lambda: without("") | {"head.weight": torch.ones(6, 4)},
    "of more axes": lambda: without("") | {"head.bias": torch.ones(4, 1)},
    "NaN": lambda: without("") | {"head.bias": torch.full((4,), float("nan"))},
    "infinite": lambda: without("") | {"head.weight": torch.full((4, 6), float("-inf"))},
    "renamed in part": lambda: {
        n if "conv" in n else f"wrap.{n}": t for n, t in without("").items()
    },
}


@pytest.mark.parametrize("form", ["safetensors", "torch.save"])
@pytest.mark.parametrize("kind", BROKEN)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(network, kind, form):
    tensors = {name: tensor.contiguous() for name, tensor in BROKEN[kind]().items()}
    path = "a.safetensors" if form == "safetensors" else "a.pt"
    (save_file if form == "safetensors" else torch.save)(tensors, path)
    before = snapshot(network)
    with pytest.raises(TransferError, match=r"a\.(pt|safetensors)"):
        load_weights(network, path)
    assert differing(before, snapshot(network)) == []


def test_the_refusal_names_the_tensor(network):
    torch.save(without("") | {"head.weight": torch.ones(4, 5)}, "a.pt")
    with pytest.raises(TransferError, match=r"head\.weight"):
        load_weights(network, "a.pt")


def test_weights_of_another_width_are_refused():
    write_weights("a.safetensors", small_resnet(4), {})
    with pytest.raises(TransferError):
        load_weights(small_resnet(6), "a.safetensors")
