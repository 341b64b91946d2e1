"""Weights spread over several files, under keys, or too large to hold: what reading them costs."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

import legatee
from legatee.errors import CheckpointError, OutputError, TransferError
from legatee.surgery.files.checkpoint import load_weights, read_weights, write_weights
from legatee.surgery.files.fitted import fitted
from legatee.surgery.files.serialise import TYPES, header, order, raw
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import ZOO, cnn

INDEX = "model.safetensors.index.json"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network() -> nn.Module:
    return scrambled(cnn("4-6"), 1)


# --- several files --------------------------------------------------------------------------------


def spread(network: nn.Module) -> dict[str, str]:
    """Write a network over two files, as transformers does; return what the index says."""
    tensors = {name: value.detach().contiguous() for name, value in saved(network).items()}
    where = {name: f"model-{i % 2 + 1}-of-2.safetensors" for i, name in enumerate(tensors)}
    for file in sorted(set(where.values())):
        save_file({name: tensors[name] for name in tensors if where[name] == file}, file)
    write_index(where)
    return where


def write_index(where: object) -> None:
    Path(INDEX).write_text(json.dumps({"metadata": {"total_size": 3}, "weight_map": where}))


def test_several_files_are_read_as_one(network):
    spread(network)
    assert differing(dict(saved(network)), read_weights(INDEX)) == []
    target = load_weights(cnn("4-6"), INDEX)
    assert differing(dict(saved(network)), dict(saved(target))) == []


def test_only_what_the_index_names_is_read(network):
    where = spread(network)
    save_file({"head.bias": torch.ones(4), "other": torch.ones(1)}, "more.safetensors")
    write_index(where | {"head.bias": "more.safetensors"})
    assert read_weights(INDEX)["head.bias"].tolist() == [1] * 4
    assert "other" not in read_weights(INDEX)


BROKEN = {
    "of a file that is missing": ({"a": "none.safetensors"}, "missing"),
    "of a tensor that is missing": ({"a": "model-1-of-2.safetensors"}, "lacks 'a'"),
    "of another folder": ({"a": "../model.safetensors"}, "files in the same folder"),
    "of an absolute path": ({"a": "/etc/model.safetensors"}, "files in the same folder"),
    "of a pickle": ({"a": "model.bin"}, "files in the same folder"),
    "that is a list": ([1], "damaged"),
    "of numbers": ({"a": 3}, "damaged"),
    "of nothing": (None, "damaged"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_index(network, kind):
    where, cause = BROKEN[kind]
    spread(network)
    write_index(where)
    with pytest.raises(CheckpointError, match=cause) as refusal:
        read_weights(INDEX)
    assert INDEX in str(refusal.value) or "model-1-of-2" in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"{}", b'"text"'])
def test_an_index_that_is_none_is_refused(content):
    Path(INDEX).write_bytes(content)
    with pytest.raises(CheckpointError, match="index"):
        read_weights(INDEX)


@pytest.mark.parametrize("part", [0.3, 0.99])
def test_one_of_several_files_cut_off_is_refused(network, part):
    file = Path(sorted(set(spread(network).values()))[1])
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(CheckpointError, match=INDEX):
        read_weights(INDEX)


# --- under keys -----------------------------------------------------------------------------------


def several(network: nn.Module) -> dict[str, object]:
    smooth = {name: value * 0.5 for name, value in network.state_dict().items()}
    return {"epoch": 3, "state_dict_ema": smooth, "optimizer": {"lr": 0.1}}


@pytest.mark.parametrize("prefix", ["", "module."])
def test_of_two_networks_in_a_file_one_has_to_be_named(network, prefix):
    """An average of networks, as training scripts keep it, sometimes with a wrapper's prefix."""
    own, average = network.state_dict(), {}
    for name, value in own.items():
        average[prefix + name] = value * 0.5
    torch.save({"model": own, "ema": average | {"n_averaged": torch.tensor(3)}}, "a.pt")
    with pytest.raises(CheckpointError) as refusal:
        read_weights("a.pt")
    assert str(refusal.value) == (
        "'a.pt' holds weights under 'model' and 'ema': say which, as a.pt#model or a.pt#ema (in "
        "Python key='model')"
    )
    assert differing(dict(saved(network)), read_weights("a.pt", "model")) == []
    half = read_weights("a.pt", "ema")[f"{prefix}head.bias"]
    assert torch.equal(half, network.head.bias * 0.5)


def test_tensors_of_other_names_are_no_second_network(network):
    rates = {"lr": torch.tensor(0.1)}
    torch.save({"model": network.state_dict(), "optimizer": rates}, "a.pt")
    assert differing(dict(saved(network)), read_weights("a.pt")) == []


def test_smoothed_weights_alone_are_named_not_taken(network):
    torch.save(several(network), "a.pt")
    with pytest.raises(CheckpointError, match=r"say which, as a\.pt#state_dict_ema \("):
        read_weights("a.pt")


def test_a_key_that_is_not_there_is_refused_with_those_that_are(network):
    torch.save(several(network), "a.pt")
    with pytest.raises(CheckpointError, match=r"under 'ema'; it does under 'state_dict_ema'"):
        read_weights("a.pt", "ema")
    with pytest.raises(CheckpointError, match="no tensors under 'optimizer'"):
        read_weights("a.pt", "optimizer")


def test_a_safetensors_file_has_no_keys(network):
    write_weights("a.safetensors", network, {})
    with pytest.raises(CheckpointError, match="no tensors under 'model'"):
        read_weights("a.safetensors", "model")


# --- into networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_what_a_wrapper_saved_is_read_without_its_prefix(network, prefix):
    torch.save({prefix + n: t for n, t in network.state_dict().items()}, "a.pt")
    target = load_weights(cnn("4-6"), "a.pt")
    assert differing(dict(saved(network)), dict(saved(target))) == []


def test_a_wrapped_network_is_given_bare_weights(network):
    write_weights("a.safetensors", network, {})
    target = nn.DataParallel(cnn("4-6"))
    load_weights(target, "a.safetensors")
    assert differing(dict(saved(network)), dict(saved(target.module))) == []


def test_narrow_weights_are_widened_and_wide_ones_refused(network):
    write_weights("a.safetensors", network.half(), {})
    target = load_weights(cnn("4-6"), "a.safetensors")
    assert torch.equal(target.head.weight, network.head.weight.float())
    before = snapshot(target)
    write_weights("b.safetensors", cnn("4-6").double(), {})
    with pytest.raises(TransferError, match="float64"):
        load_weights(target, "b.safetensors")
    assert differing(before, snapshot(target)) == []


@pytest.mark.parametrize("form", ["safetensors", "pt", "spread"])
def test_a_file_is_a_source(form):
    source, target = scrambled(cnn("6-8"), 1), scrambled(cnn("4-6"), 2)
    path = {"safetensors": "a.safetensors", "pt": "a.pt", "spread": INDEX}[form]
    if form == "pt":
        torch.save(source.state_dict(), path)
    else:
        write_weights("a.safetensors", source, {}) if form == "safetensors" else spread(source)
    plan = legatee.plan(source, target)
    legatee.inherit(plan, fitted(read_weights(path), source, path), target)
    before = snapshot(target)
    legatee.inherit(plan, source, target)
    assert differing(before, snapshot(target)) == []


# --- written tensor by tensor ---------------------------------------------------------------------


def written(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    return header(tensors, metadata) + b"".join(raw(tensors[name]) for name in order(tensors))


@pytest.mark.parametrize("kind", ["tied", "bare", "squeeze"])
def test_the_file_is_the_one_that_safetensors_itself_writes(kind):
    tensors = {
        name: value.detach().contiguous()
        for name, value in saved(scrambled(ZOO[kind](4), 1)).items()
    }
    assert written(tensors, {"who": "ä"}) == save(tensors, metadata={"who": "ä"})
    assert written(tensors, {}) == save(tensors)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_type_is_read_back_by_safetensors(dtype):
    from safetensors.torch import load

    tensors = {
        "x": torch.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype),
        "scalar": torch.tensor(1).to(dtype),
        "none": torch.zeros(0, 3).to(dtype),
        "odd": torch.tensor([True, False, True]),
    }
    found = load(written(tensors, {"a": "b"}))
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert torch.equal(found[name].to(torch.complex64), value.to(torch.complex64))


def test_a_type_that_the_format_lacks_is_refused():
    network = nn.Linear(1, 1)
    network.register_buffer("wide", torch.zeros(2, dtype=torch.complex128))
    with pytest.raises(OutputError, match=r"'wide' has type torch\.complex128"):
        write_weights("a.safetensors", network, {})
    assert not list(Path().iterdir())
