"""A file that inherited says how it was made, and lies about it are found out."""

import hashlib
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

import legatee
from edited_plans import with_options
from legatee.errors import CheckpointError, LegateeError, TransferError
from legatee.fingerprint import weights_fingerprint
from legatee.surgery.applying.apply import Transfer
from legatee.surgery.applying.casts import Allowed
from legatee.surgery.files.checkpoint import read_metadata, write_weights
from legatee.surgery.files.verify import FileRecord, verify
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import ZOO, small_resnet


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(source: nn.Module, target: nn.Module, **options: object) -> legatee.TransferPlan:
    """Write ``a.safetensors``, the target with everything inherited, as the command does."""
    plan = legatee.plan(source, target, **options)
    weights = Transfer(plan, source, target, Allowed())
    source_digest = weights_fingerprint(saved(source))
    facts = FileRecord.of(plan, source_digest=source_digest, model="resnet", command="typed")
    write_weights("a.safetensors", target, facts.model_dump(), weights)
    return plan


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    return scrambled(small_resnet(6), 1), scrambled(small_resnet(4), 2)


def test_how_a_file_was_made_cannot_be_changed_afterwards(pair):
    plan = legatee.plan(*pair)
    facts = FileRecord.of(plan, source_digest="s", model="resnet", command="typed")
    for field in type(facts).model_fields:
        with pytest.raises(ValidationError):
            setattr(facts, field, "something else")


@pytest.mark.parametrize("alpha", [0.4, 1.0])
def test_what_is_written_tensor_by_tensor_is_what_is_inherited_in_memory(pair, alpha):
    before = snapshot(pair[1])
    plan = written(*pair, alpha=alpha)
    assert differing(before, snapshot(pair[1])) == []  # only the file has inherited
    legatee.inherit(plan, *pair)
    assert differing(dict(saved(pair[1])), load_file("a.safetensors")) == []


def test_a_file_as_it_was_written_is_true(pair):
    plan = written(*pair)
    record, written_plan = verify("a.safetensors")
    assert (record.command, written_plan) == ("typed", plan)
    assert verify("a.safetensors", saved(pair[0]))[1] == plan


def test_ties_are_verified_too():
    source, target = scrambled(ZOO["tied"](6), 1), scrambled(ZOO["tied"](4), 2)
    written(source, target)
    verify("a.safetensors", saved(source))


FIELDS = ("plan", "plan_digest", "source_digest", "model", "command", "version")


def changed(file: str, *, sealed: bool = True, **facts: str) -> None:
    """Write the file again with other metadata and, if sealed, with their digest."""
    metadata = read_metadata(file) | facts
    if sealed:
        lines = sorted(f"{key} {metadata[key]}" for key in FIELDS)
        lines = [f"{len(line) - len(line.split()[0]) - 1} {line}" for line in lines]
        metadata["record_digest"] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    save_file(load_file(file), file, metadata=metadata)


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_record_of_how_it_was_made_is_found(pair, field):
    written(*pair)
    changed("a.safetensors", sealed=False)
    verify("a.safetensors")
    said = read_metadata("a.safetensors")[field]
    changed("a.safetensors", sealed=False, **{field: said[:-1] + chr(ord(said[-1]) ^ 1)})
    with pytest.raises(CheckpointError, match="damaged: the record of how it was made was changed"):
        verify("a.safetensors")


def test_another_program_may_write_it_again(pair):
    written(*pair)
    changed("a.safetensors", format="pt")
    verify("a.safetensors", saved(pair[0]))


@pytest.mark.parametrize("where", ["head.bias", "blocks.2.norm2.running_var", "conv.weight"])
def test_a_single_changed_bit_is_found(pair, where):
    written(*pair)
    tensors, metadata = load_file("a.safetensors"), read_metadata("a.safetensors")
    tensors[where].view(torch.int32).view(-1)[-1] ^= 1
    save_file(tensors, "a.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=r"a\.safetensors.*weights were changed"):
        verify("a.safetensors")


def test_a_changed_weight_with_a_mended_digest_is_found_with_the_source(pair):
    written(*pair)
    tensors, metadata = load_file("a.safetensors"), read_metadata("a.safetensors")
    tensors["conv.weight"][2, 1, 0, 0] += 1
    metadata["weights_digest"] = weights_fingerprint(tensors)
    save_file(tensors, "a.safetensors", metadata=metadata)
    verify("a.safetensors")  # nothing in the file itself tells
    with pytest.raises(CheckpointError, match=r"'conv\.weight' differs"):
        verify("a.safetensors", saved(pair[0]))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            lambda plan: with_options(plan, alpha=0.5),
            "its plan does not have the digest",
        ),
        (
            lambda plan: plan.model_copy(update={"entries": plan.entries[1:]}),
            "plan does not have the digest",
        ),
    ],
    ids=["alpha", "an entry less"],
)
def test_a_changed_plan_is_found(pair, change, cause):
    plan = written(*pair)
    changed("a.safetensors", plan=change(plan).to_json())
    with pytest.raises(CheckpointError, match=cause):
        verify("a.safetensors")


def test_a_plan_for_other_tensors_is_found(pair):
    written(*pair)
    other = legatee.plan(pair[0], small_resnet(5))
    changed("a.safetensors", plan=other.to_json(), plan_digest=other.digest)
    with pytest.raises(CheckpointError, match="its plan was made for other tensors"):
        verify("a.safetensors")


def test_other_sources_are_told_apart(pair):
    written(*pair)
    with pytest.raises(TransferError, match="other weights than those of this source"):
        verify("a.safetensors", saved(scrambled(small_resnet(6), 3)))
    with pytest.raises(TransferError, match="another architecture"):
        verify("a.safetensors", saved(small_resnet(5)))


def test_a_file_that_says_nothing_is_refused(pair):
    write_weights("a.safetensors", pair[0], {"plan": "x"})
    with pytest.raises(CheckpointError, match=r"lacks plan_digest.*only what `legatee inherit`"):
        verify("a.safetensors")


@pytest.mark.parametrize("text", ["", "{}", "[" * 10_000])
def test_a_plan_that_is_none_is_refused(pair, text):
    written(*pair)
    changed("a.safetensors", plan=text)
    with pytest.raises(LegateeError, match="plan"):
        verify("a.safetensors")


@pytest.mark.parametrize("part", [0.0, 0.2, 0.9, 0.999])
def test_a_file_cut_off_is_refused(pair, part):
    written(*pair)
    content = Path("a.safetensors").read_bytes()
    Path("a.safetensors").write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointError, match=r"a\.safetensors"):
        verify("a.safetensors")


# --- digests --------------------------------------------------------------------------------------


def test_the_digest_is_the_one_computed_by_hand():
    bits = hashlib.sha256(bytes([0, 0, 128, 63, 0, 0, 0, 64])).hexdigest()  # 1.0, 2.0
    expected = hashlib.sha256(f"w torch.float32 (1, 2) {bits}".encode()).hexdigest()
    assert weights_fingerprint({"w": torch.tensor([[1.0, 2.0]])}) == expected


CHANGES = {
    "a name": {"v": torch.tensor([[1.0, 2.0]])},
    "a shape": {"w": torch.tensor([1.0, 2.0])},
    "a type": {"w": torch.tensor([[1.0, 2.0]]).view(torch.int32)},
    "a sign of zero": {"w": torch.tensor([[1.0, 2.0]]), "z": torch.tensor(-0.0)},
    "an order of elements": {"w": torch.tensor([[2.0, 1.0]])},
}


@pytest.mark.parametrize("kind", CHANGES)
def test_the_digest_tells(kind):
    plain = {"w": torch.tensor([[1.0, 2.0]])}
    if kind == "a sign of zero":
        plain["z"] = torch.tensor(0.0)
    assert weights_fingerprint(CHANGES[kind]) != weights_fingerprint(plain)


def test_the_digest_does_not_tell_layouts_in_memory():
    images = torch.randn(2, 3, 4, 5)
    digests = {
        weights_fingerprint({"w": images.contiguous(memory_format=layout)})
        for layout in (torch.contiguous_format, torch.channels_last)
    }
    assert len(digests) == 1
