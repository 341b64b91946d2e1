import io
import json
import os
import pickle
import resource
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from legatee.errors import TransferRefused, UnusableCheckpoint, UnusableOutput
from legatee.surgery.checkpoint import load_weights, read_metadata, read_weights, write_weights
from surgery_zoo import ZOO, cnn, differing, saved, scrambled, small_resnet, snapshot


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network() -> nn.Module:
    return scrambled(cnn("4-6"), 1)


def listed() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def same(found: dict[str, torch.Tensor], network: nn.Module) -> bool:
    return not differing(dict(saved(network)), found)


# --- reading what is in order ---------------------------------------------------------------------


def test_safetensors_come_back_bit_for_bit(network):
    write_weights("a.safetensors", network, {})
    assert same(read_weights("a.safetensors"), network)


def test_other_programs_can_read_what_was_written(network):
    from safetensors.torch import load_file

    write_weights("a.safetensors", network, {})
    assert same(load_file("a.safetensors"), network)


def test_what_other_programs_wrote_is_read(network):
    save_file({n: t.detach() for n, t in saved(network).items()}, "a.safetensors")
    assert same(read_weights("a.safetensors"), network)


@pytest.mark.parametrize("modern", [True, False], ids=["zip", "legacy"])
def test_files_of_torch_save_come_back_bit_for_bit(network, modern):
    torch.save(network.state_dict(), "a.pt", _use_new_zipfile_serialization=modern)
    assert same(read_weights("a.pt"), network)


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_weights_below_a_key_are_found(network, key):
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, key: network.state_dict()}, "a.pt")
    assert same(read_weights("a.pt"), network)


def test_a_path_may_be_a_path_or_text(network, tmp_path):
    write_weights(tmp_path / "a.safetensors", network, {})
    assert same(read_weights(str(tmp_path / "a.safetensors")), network)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool], ids=str
)
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_types_come_back_as_they_were(name, dtype):
    tensors = {"x": torch.tensor([0, 1, 1]).to(dtype), "scalar": torch.tensor(1).to(dtype)}
    (save_file if name.endswith("safetensors") else torch.save)(tensors, name)
    found = read_weights(name)
    assert not differing(tensors, found)
    assert {t.dtype for t in found.values()} == {dtype}


def test_weights_of_another_layout_in_memory_come_back(network):
    network = network.to(memory_format=torch.channels_last)
    write_weights("a.safetensors", network, {})
    assert same(read_weights("a.safetensors"), network)


def test_provenance_comes_back(network):
    write_weights("a.safetensors", network, {"plan": '{"alpha": 1}', "who": "ä \n b"})
    assert (
        read_metadata("a.safetensors").items() >= {"plan": '{"alpha": 1}', "who": "ä \n b"}.items()
    )


def test_a_file_without_provenance_has_none():
    save_file({"x": torch.ones(2)}, "a.safetensors")
    assert read_metadata("a.safetensors") == {}


@pytest.mark.parametrize("name", ["missing.safetensors", "a.pt"])
def test_provenance_of_what_is_no_safetensors_file_is_refused(name):
    torch.save({"x": torch.ones(2)}, "a.pt")
    with pytest.raises(UnusableCheckpoint, match=name):
        read_metadata(name)


# --- reading what is not in order -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pth", "a.bin"])
def test_a_missing_file_is_refused_by_name(name):
    with pytest.raises(UnusableCheckpoint, match=name):
        read_weights(name)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_folder_is_no_file(name):
    Path(name).mkdir()
    with pytest.raises(UnusableCheckpoint, match=name):
        read_weights(name)


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"hello\n" * 50, b"\x80\x02", bytes(range(256)) * 4]
)
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_file_of_something_else_is_refused(name, content):
    Path(name).write_bytes(content)
    with pytest.raises(UnusableCheckpoint, match=name):
        read_weights(name)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.5, 0.8, 0.999])
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "legacy.pt"])
def test_a_cut_file_is_refused(network, name, part):
    if name == "a.safetensors":
        write_weights(name, network, {})
    else:
        modern = name == "a.pt"
        torch.save(network.state_dict(), name, _use_new_zipfile_serialization=modern)
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: int(part * len(content))])
    with pytest.raises(UnusableCheckpoint, match=name):
        read_weights(name)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_damaged_file_is_read_or_refused(name, data):
    tensors = {"x": torch.arange(6.0).view(2, 3), "y": torch.ones(2)}
    (save_file if name.endswith("safetensors") else torch.save)(tensors, name)
    content = bytearray(Path(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    Path(name).write_bytes(content)
    try:
        found = read_weights(name)
    except UnusableCheckpoint:
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


@pytest.mark.parametrize(
    "thing", [3, "text", [1, 2], {}, {"a": 1}, {"state_dict": {}}, None], ids=str
)
def test_a_file_without_tensors_is_refused(thing):
    torch.save(thing, "a.pt")
    with pytest.raises(UnusableCheckpoint, match=r"a\.pt"):
        read_weights("a.pt")


def test_a_whole_pickled_network_is_refused(network):
    torch.save(network, "a.pt")
    with pytest.raises(UnusableCheckpoint, match=r"a\.pt"):
        read_weights("a.pt")


class Payload:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self):
        return (open, ("mark", "w"))


HOSTILE = {
    "plain pickle": lambda: pickle.dumps(Payload()),
    "old pickle": lambda: pickle.dumps({"x": Payload()}, protocol=0),
    "torch zip": lambda: torched({"x": torch.ones(2), "y": Payload()}),
    "torch legacy": lambda: torched({"x": Payload()}, _use_new_zipfile_serialization=False),
    "torch nested": lambda: torched({"state_dict": {"x": torch.ones(1)}, "args": [Payload()]}),
}


def torched(thing: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.ckpt", "a.safetensors", "a"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_code_in_a_file_is_refused_and_never_executed(kind, name):
    Path(name).write_bytes(HOSTILE[kind]())
    with pytest.raises(UnusableCheckpoint, match=name):
        read_weights(name)
    with pytest.raises(UnusableCheckpoint, match=name):
        load_weights(nn.Linear(1, 1), name)
    with pytest.raises(UnusableCheckpoint, match=name):
        read_metadata(name)
    assert not Path("mark").exists()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the payload leaves its file open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["torch zip", "torch legacy", "torch nested"])
def test_the_hostile_files_would_execute_where_nobody_minds(kind):
    Path("a.pt").write_bytes(HOSTILE[kind]())
    torch.load("a.pt", weights_only=False)
    assert Path("mark").exists()


def test_a_zip_that_only_looks_like_torch_is_refused():
    with zipfile.ZipFile("a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"x": Payload()}))
        archive.writestr("archive/version", "3")
    with pytest.raises(UnusableCheckpoint):
        read_weights("a.pt")
    assert not Path("mark").exists()


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes


HEADERS = {
    "longer than the file": struct.pack("<Q", 10**6) + b"{}",
    "longer than memory": struct.pack("<Q", 2**63) + b"{}",
    "all ones": b"\xff" * 16,
    "no JSON": struct.pack("<Q", 4) + b"{{{{",
    "a list": struct.pack("<Q", 2) + b"[]",
    "deeply nested": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "beyond the file": {"x": entry(data_offsets=[0, 10**9], shape=[25 * 10**7])},
    "backwards": {"x": entry(data_offsets=[8, 0])},
    "negative": {"x": entry(data_offsets=[-8, 0])},
    "overlapping": {"x": entry(), "y": entry()},
    "with a hole": {"x": entry(shape=[1], data_offsets=[4, 8])},
    "another size": {"x": entry(shape=[3])},
    "overflowing shape": {"x": entry(shape=[2**62, 8])},
    "negative shape": {"x": entry(shape=[-2])},
    "unknown type": {"x": entry(dtype="F31")},
    "metadata that is no text": {"__metadata__": {"a": 3}, "x": entry()},
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_hostile_header_is_refused(kind):
    content = HEADERS[kind]
    if isinstance(content, dict):
        text = json.dumps(content).encode()
        content = struct.pack("<Q", len(text)) + text + b"\0" * 8
    Path("a.safetensors").write_bytes(content)
    with pytest.raises(UnusableCheckpoint, match=r"a\.safetensors"):
        read_weights("a.safetensors")


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
    "renamed by a wrapper": lambda: {f"wrap.{n}": t for n, t in without("").items()},
}


@pytest.mark.parametrize("form", ["safetensors", "torch.save"])
@pytest.mark.parametrize("kind", BROKEN)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(network, kind, form):
    tensors = {name: tensor.contiguous() for name, tensor in BROKEN[kind]().items()}
    path = "a.safetensors" if form == "safetensors" else "a.pt"
    (save_file if form == "safetensors" else torch.save)(tensors, path)
    before = snapshot(network)
    with pytest.raises(TransferRefused, match=r"a\.(pt|safetensors)"):
        load_weights(network, path)
    assert differing(before, snapshot(network)) == []


def test_the_refusal_names_the_tensor(network):
    torch.save(without("") | {"head.weight": torch.ones(4, 5)}, "a.pt")
    with pytest.raises(TransferRefused, match=r"head\.weight"):
        load_weights(network, "a.pt")


def test_weights_of_another_width_are_refused():
    write_weights("a.safetensors", small_resnet(4), {})
    with pytest.raises(TransferRefused):
        load_weights(small_resnet(6), "a.safetensors")


# --- writing --------------------------------------------------------------------------------------


def test_writing_leaves_nothing_beside_the_file(network):
    write_weights("a.safetensors", network, {})
    assert listed() == ["a.safetensors"]


def test_writing_changes_no_weight(network):
    before = snapshot(network)
    write_weights("a.safetensors", network, {})
    assert differing(before, snapshot(network)) == []


def test_writing_replaces_what_was_there(network):
    write_weights("a.safetensors", cnn("4-6"), {"who": "old"})
    write_weights("a.safetensors", network, {"who": "new"})
    assert same(read_weights("a.safetensors"), network)
    assert read_metadata("a.safetensors")["who"] == "new"


def test_the_same_weights_are_the_same_file(network):
    write_weights("a.safetensors", network, {"a": "1"})
    write_weights("b.safetensors", network, {"a": "1"})
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


def test_a_folder_in_the_way_is_refused(network):
    Path("a.safetensors").mkdir()
    with pytest.raises(UnusableOutput, match=r"a\.safetensors"):
        write_weights("a.safetensors", network, {})
    assert listed() == ["a.safetensors"]


def test_a_file_where_a_folder_should_be_is_refused(network):
    Path("folder").write_text("mine")
    with pytest.raises(UnusableOutput, match="folder"):
        write_weights("folder/a.safetensors", network, {})
    assert Path("folder").read_text() == "mine"


@pytest.fixture
def full_disk():
    """No file may grow beyond 2,000 bytes, as on a disk that fills up while writing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_on_full_disk(fill, network) -> None:
    fill()
    with suppress(Exception):  # which one is asked in another test
        write_weights("a.safetensors", network, {})


def test_a_full_disk_leaves_no_half_written_file(network, full_disk):
    write_on_full_disk(full_disk, network)
    assert listed() == []


def test_a_full_disk_leaves_the_file_that_was_there(network, full_disk):
    write_weights("a.safetensors", network, {})
    before = Path("a.safetensors").read_bytes()
    write_on_full_disk(full_disk, scrambled(cnn("4-6"), 2))
    assert Path("a.safetensors").read_bytes() == before
    assert listed() == ["a.safetensors"]


@pytest.mark.parametrize("error", [OSError("no"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_a_rename_that_fails_leaves_the_file_that_was_there(network, monkeypatch, error):
    write_weights("a.safetensors", network, {})
    before = Path("a.safetensors").read_bytes()

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises((UnusableOutput, KeyboardInterrupt)):
        write_weights("a.safetensors", scrambled(cnn("4-6"), 2), {})
    assert Path("a.safetensors").read_bytes() == before
    assert listed() == ["a.safetensors"]
