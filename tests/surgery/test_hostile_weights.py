import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from legatee.errors import CheckpointError
from legatee.surgery.files.checkpoint import (
    load_weights,
    read_metadata,
    read_weights,
    write_weights,
)
from surgery_references import scrambled
from surgery_zoo import cnn


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network() -> nn.Module:
    return scrambled(cnn("4-6"), 1)


# --- reading what is not in order -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pth", "a.bin"])
def test_a_missing_file_is_refused_by_name(name):
    with pytest.raises(CheckpointError, match=name):
        read_weights(name)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_folder_is_no_file(name):
    Path(name).mkdir()
    with pytest.raises(CheckpointError, match=name):
        read_weights(name)


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"hello\n" * 50, b"\x80\x02", bytes(range(256)) * 4]
)
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_file_of_something_else_is_refused(name, content):
    Path(name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
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
    with pytest.raises(CheckpointError, match=name):
        read_weights(name)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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
    except CheckpointError:
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


@pytest.mark.parametrize(
    "thing", [3, "text", [1, 2], {}, {"a": 1}, {"state_dict": {}}, None], ids=str
)
def test_a_file_without_tensors_is_refused(thing):
    torch.save(thing, "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        read_weights("a.pt")


UNUSUAL = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "meta": lambda: torch.empty(3, 3, device="meta"),
    "quantized": lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8),
}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")  # made here, not by a reader
@pytest.mark.parametrize("kind", UNUSUAL)
@pytest.mark.parametrize("key", [None, "model"])
def test_a_tensor_that_is_no_plain_array_is_refused_by_name(kind, key):
    tensors = {"fine": torch.ones(2), "odd": UNUSUAL[kind]()}
    torch.save(tensors if key is None else {key: tensors}, "a.pt")
    with pytest.raises(CheckpointError, match=rf"'a\.pt' holds 'odd' as a {kind} tensor"):
        read_weights("a.pt", key)


def test_a_whole_pickled_network_is_refused(network):
    torch.save(network, "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt"):
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
    with pytest.raises(CheckpointError, match=name):
        read_weights(name)
    with pytest.raises(CheckpointError, match=name):
        load_weights(nn.Linear(1, 1), name)
    with pytest.raises(CheckpointError, match=name):
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
    with pytest.raises(CheckpointError):
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
    with pytest.raises(CheckpointError, match=r"a\.safetensors"):
        read_weights("a.safetensors")
