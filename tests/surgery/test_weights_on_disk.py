import os
import resource
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from legatee.errors import CheckpointError, OutputError
from legatee.surgery.files.checkpoint import read_metadata, read_weights, write_weights
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import cnn


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
    with pytest.raises(CheckpointError, match=name):
        read_metadata(name)


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
    with pytest.raises(OutputError, match=r"a\.safetensors"):
        write_weights("a.safetensors", network, {})
    assert listed() == ["a.safetensors"]


def test_a_file_where_a_folder_should_be_is_refused(network):
    Path("folder").write_text("mine")
    with pytest.raises(OutputError, match="folder"):
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
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_weights("a.safetensors", scrambled(cnn("4-6"), 2), {})
    assert Path("a.safetensors").read_bytes() == before
    assert listed() == ["a.safetensors"]


def test_a_full_disk_is_one_sentence(network, monkeypatch):
    """/dev/full is Linux's disk without space."""
    write_weights("a.safetensors", network, {"who": "old"})
    before = Path("a.safetensors").read_bytes()
    real = Path.open

    def full(path: Path, mode: str = "r", *args: object, **options: object):
        return real(Path("/dev/full") if "w" in mode else path, mode, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OutputError, match=r"a\.safetensors.*No space left") as refusal:
            write_weights("a.safetensors", scrambled(cnn("4-6"), 2), {})
    assert "\n" not in str(refusal.value)
    assert Path("a.safetensors").read_bytes() == before
    assert listed() == ["a.safetensors"]


@pytest.fixture
def read_only():
    """A folder that this process may read but not write, even where it is root's."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    folder.chmod(0o555)
    if user == 0:
        os.seteuid(65534)  # nobody
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_refused(network, read_only):
    with pytest.raises(OutputError, match=r"a\.safetensors.*Permission denied") as refusal:
        write_weights(read_only / "a.safetensors", network, {})
    assert "\n" not in str(refusal.value)
    assert list(read_only.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_weights_that_fail_halfway_leave_the_file_that_was_there(network, error):
    write_weights("a.safetensors", network, {})
    before = Path("a.safetensors").read_bytes()

    class Failing(dict):
        def __getitem__(self, name: str) -> torch.Tensor:
            if name == "head.weight":
                raise error
            return super().__getitem__(name)

    with pytest.raises(type(error)):
        write_weights("a.safetensors", network, {}, Failing(saved(network)))
    assert Path("a.safetensors").read_bytes() == before
    assert listed() == ["a.safetensors"]
