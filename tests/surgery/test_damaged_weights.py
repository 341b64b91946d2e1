"""Files of weights that are damaged or hostile in ways that their headers do not tell."""

import json
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import legatee
from legatee.errors import CheckpointError, TransferError
from legatee.fingerprint import weights_fingerprint
from legatee.surgery.files.checkpoint import (
    load_weights,
    read_metadata,
    read_weights,
    write_weights,
)
from legatee.surgery.files.digest import file_digest
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import ZOO, cnn


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def flip(path: str, at: int) -> None:
    """Change one bit of a file."""
    content = bytearray(Path(path).read_bytes())
    content[at] ^= 4
    Path(path).write_bytes(content)


# --- files of torch.save --------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["head.weight", "features.conv1a.weight"])
def test_one_flipped_bit_in_a_file_of_torch_save_is_found(part):
    network = scrambled(cnn("4-6"), 1)
    torch.save(network.state_dict(), "a.pt")
    needle = network.state_dict()[part].numpy().tobytes()
    flip("a.pt", Path("a.pt").read_bytes().index(needle) + len(needle) // 2)
    before = snapshot(network)
    for use in (lambda: read_weights("a.pt"), lambda: load_weights(network, "a.pt")):
        with pytest.raises(CheckpointError, match=r"'a\.pt' is damaged: its part 'a/data/\d+'"):
            use()
    assert differing(before, snapshot(network)) == []


def test_names_and_shapes_are_checked_even_where_weights_are_not():
    torch.save({"first.weight": torch.ones(3)}, "a.pt")
    flip("a.pt", Path("a.pt").read_bytes().index(b"first.weight") + 2)
    with pytest.raises(CheckpointError, match=r"its part 'a/data.pkl' does not have the checksum"):
        read_weights("a.pt", check=False)


def test_a_file_that_was_saved_without_checksums_is_read():
    if not hasattr(torch.serialization, "set_crc32_options"):
        pytest.skip("this PyTorch always computes checksums")
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"x": torch.arange(5.0)}, "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert zipfile.ZipFile("a.pt").testzip() is not None  # or this test would show nothing
    assert read_weights("a.pt")["x"].tolist() == [0, 1, 2, 3, 4]


def test_compressed_data_is_refused_before_it_is_unpacked():
    """A zip of 1 MiB that would unpack to 1 GiB."""
    with (
        zipfile.ZipFile("a.pt", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a/data.pkl", "w", force_zip64=True) as record,
    ):
        for _ in range(64):
            record.write(b"\0" * 2**24)
    with pytest.raises(CheckpointError, match=r"'a\.pt' holds compressed data"):
        read_weights("a.pt")


HUGE = """
import re, sys
from pathlib import Path
import torch
from legatee.errors import CheckpointError
from legatee.surgery.files.checkpoint import read_weights
try:
    read_weights("a.pt")
except CheckpointError as error:
    print(error)
# Not getrusage: its maximum counts the process that this one was started from.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], file=sys.stderr)
"""


def test_a_tensor_that_repeats_a_few_bytes_for_ever_is_refused_before_any_work():
    torch.save({"head.weight": torch.ones(1, 1).expand(10**11, 2)}, "a.pt")
    assert Path("a.pt").stat().st_size < 4096
    run = subprocess.run(
        [sys.executable, "-c", HUGE], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout == (
        "'a.pt' holds 'head.weight' as a tensor of shape (100000000000, 2) that repeats 4 bytes; "
        "save a copy of it: tensor.clone()\n"
    )
    assert int(run.stderr) < 2**21  # KiB, PyTorch itself included


def test_a_small_expanded_tensor_is_read():
    torch.save({"scale": torch.full((1,), 2.0).expand(6)}, "a.pt")
    assert read_weights("a.pt")["scale"].tolist() == [2.0] * 6


# --- files that legatee wrote ---------------------------------------------------------------------


@pytest.fixture
def written() -> nn.Module:
    network = scrambled(cnn("4-6"), 1)
    write_weights("a.safetensors", network, {"who": "me"})
    return network


def test_the_digest_in_a_file_is_that_of_its_weights(written):
    digest = read_metadata("a.safetensors")["weights_digest"]
    assert digest == weights_fingerprint(dict(saved(written))) == file_digest(Path("a.safetensors"))


@pytest.mark.parametrize("kind", ["bare", "counters", "tied"])
def test_the_digest_is_right_for_scalars_integers_and_ties(kind):
    write_weights("a.safetensors", scrambled(ZOO[kind](4), 1), {})
    digest = read_metadata("a.safetensors")["weights_digest"]
    assert digest == weights_fingerprint(load_file("a.safetensors"))
    read_weights("a.safetensors")


def test_metadata_that_look_like_the_place_of_the_digest_stay_as_they_are():
    text = '"weights_digest":"' + "-" * 64 + '"'
    write_weights("a.safetensors", cnn("4-6"), {"a": text, "weights_digest": "mine"})
    assert read_metadata("a.safetensors")["a"] == text
    read_weights("a.safetensors")


@pytest.mark.parametrize("part", ["first", "middle", "last"])
def test_one_flipped_bit_in_the_weights_is_found(written, part):
    content = Path("a.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    at = {"first": start, "middle": (start + len(content)) // 2, "last": len(content) - 1}[part]
    flip("a.safetensors", at)
    before = snapshot(written)
    with pytest.raises(CheckpointError, match=r"'a\.safetensors' is damaged: its weights were"):
        load_weights(written, "a.safetensors")
    assert differing(before, snapshot(written)) == []
    assert set(read_weights("a.safetensors", check=False)) == set(saved(written))


def test_one_flipped_bit_in_the_header_is_found(written):
    """In every byte of it: a name, a shape, an offset, the digest itself."""
    content = Path("a.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length]
    metadata = header.index(b'"who"'), header.index(b'"who"') + len('"who":"me",')
    believed = []
    for at in range(length):
        Path("b.safetensors").write_bytes(content)
        flip("b.safetensors", 8 + at)
        try:
            read_weights("b.safetensors")
        except CheckpointError:
            continue
        believed.append(at)
    end = len(header.rstrip())
    # Other metadata are not the weights', and blanks at the end of the header mean nothing. The
    # name of the digest's field is what tells that there is one.
    field = header.index(b'"weights_digest"')
    free = {*range(*metadata), *range(field, field + len('"weights_digest"'))}
    assert [at for at in believed if at < end and at not in free] == []


def test_a_file_of_another_program_is_read_without_a_digest(written):
    save_file(load_file("a.safetensors"), "b.safetensors")
    flip("b.safetensors", Path("b.safetensors").stat().st_size - 1)
    assert len(read_weights("b.safetensors")) == len(saved(written))


def test_a_damaged_part_of_several_is_found(written):
    index = {"weight_map": dict.fromkeys(load_file("a.safetensors"), "a.safetensors")}
    Path("m.safetensors.index.json").write_text(json.dumps(index))
    read_weights("m.safetensors.index.json")
    flip("a.safetensors", Path("a.safetensors").stat().st_size - 1)
    with pytest.raises(CheckpointError, match=r"'a\.safetensors' is damaged"):
        read_weights("m.safetensors.index.json")


def test_checking_takes_no_memory_for_the_weights():
    network = nn.Sequential(nn.Linear(4096, 8192, bias=False))  # 128 MiB
    write_weights("a.safetensors", network, {})
    del network
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert file_digest(Path("a.safetensors")) == read_metadata("a.safetensors")["weights_digest"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**15  # KiB


# --- what a message says --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.safetensors", "m.safetensors.index.json"])
def test_a_file_without_tensors_is_refused(name):
    save_file({}, "a.safetensors")
    Path("m.safetensors.index.json").write_text('{"weight_map": {}}')
    with pytest.raises(CheckpointError, match=re.escape(f"'{name}' holds no tensors")):
        read_weights(name)


def test_a_folder_is_told_from_a_missing_file_and_the_files_in_it_are_named():
    Path("run").mkdir()
    with pytest.raises(CheckpointError) as refusal:
        read_weights("run")
    assert str(refusal.value) == ("no weights at 'run': it is a folder; expected a file of weights")
    for name in ("model.safetensors", "notes.txt"):
        Path("run", name).touch()
    with pytest.raises(CheckpointError, match=r"weights, such as run/model\.safetensors$"):
        read_weights("run")


def test_a_path_that_is_too_long_is_one_sentence():
    with pytest.raises(CheckpointError, match=r"no weights at 'a+': File name too long$"):
        read_weights("a" * 300)


ESCAPES = {"\x1b]0;pwn\x07w": r"\x1b]0;pwn\x07w", "a\u202eb": r"a\u202eb", "a\nb": r"a\nb"}


@pytest.mark.parametrize("name", ESCAPES)
def test_names_in_a_file_do_not_reach_the_terminal_as_they_are(name):
    tensors = cnn("4-6").state_dict()
    save_file({**tensors, name: torch.ones(2)}, "a.safetensors")
    with pytest.raises(TransferError) as refusal:
        load_weights(cnn("4-6"), "a.safetensors")
    assert ESCAPES[name] in str(refusal.value)
    assert str(refusal.value).isprintable()


def renamed(network: nn.Module, **others: torch.Tensor) -> None:
    tensors = {f"_{name}": value for name, value in network.state_dict().items()}
    torch.save(tensors | others, "a.pt")


def test_weights_that_differ_in_their_names_alone_are_told_as_such():
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    renamed(network)
    with pytest.raises(TransferError) as refusal:
        load_weights(network, "a.pt")
    assert str(refusal.value) == (
        "'a.pt' is not of this architecture: it lacks 4 tensors [0.weight, 0.bias, 1.weight, ... "
        "and 1 more] and it has 4 tensors [_0.weight, _0.bias, _1.weight, ... and 1 more] that the "
        "network does not have, but all of these have the same shapes in the same order: probably "
        "it is the same network whose tensors have other names; rename them and save it again"
    )


def test_weights_of_another_network_are_not_told_to_be_renamed():
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    renamed(network, other=torch.ones(7))
    with pytest.raises(TransferError, match="not of this architecture") as refusal:
        load_weights(network, "a.pt")
    assert "other names" not in str(refusal.value)


def test_what_is_not_lacking_is_not_counted():
    network = nn.Linear(3, 4)
    torch.save(network.state_dict() | {"extra": torch.ones(2)}, "a.pt")
    with pytest.raises(TransferError) as refusal:
        load_weights(network, "a.pt")
    assert str(refusal.value) == (
        "'a.pt' is not of this architecture: it has 1 tensor [extra] that the network does not have"
    )


def test_a_damaged_source_is_not_inherited_from():
    source, target = scrambled(cnn("6-8"), 1), scrambled(cnn("4-6"), 2)
    write_weights("a.safetensors", source, {})
    flip("a.safetensors", Path("a.safetensors").stat().st_size - 1)
    spec = "cnn:widths=6-8@a.safetensors"
    with pytest.raises(CheckpointError, match="is damaged"):
        legatee.build(spec)
    assert legatee.plan(source, target).moves
