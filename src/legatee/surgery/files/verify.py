"""How a file of inherited weights was made: written into it, and checked against its source."""

import os
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from legatee.errors import CheckpointError, TransferError
from legatee.fingerprint import weights_fingerprint
from legatee.plans.plan import TransferPlan
from legatee.surgery.applying.apply import source_tensors
from legatee.surgery.applying.blend import blended
from legatee.surgery.applying.elements import take
from legatee.surgery.files.checkpoint import read_metadata, read_weights
from legatee.surgery.files.serialise import raw
from legatee.surgery.network.state import architecture_digest


class FileRecord(BaseModel):
    """How a file of inherited weights was made; the fields are part of the file's metadata.

    Attributes:
        plan: The plan that was applied, as JSON.
        plan_digest: Its digest.
        source_digest: Digest of the source's weights.
        model: The target network, as it was asked for.
        command: What was typed, or called.
        version: The version of legatee.
        record_digest: Digest of all of the fields above.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan: str
    plan_digest: str
    source_digest: str
    model: str
    command: str
    version: str
    record_digest: str

    @classmethod
    def of(cls, plan: TransferPlan, *, source_digest: str, model: str, command: str) -> Self:
        """Describe how a file is made that is about to be written.

        Args:
            plan: The plan that is applied.
            source_digest: Digest of the source's weights.
            model: The target network, as it was asked for.
            command: What was typed, or called.

        Returns:
            The description; ``model_dump()`` gives the file's metadata.
        """
        fields = {
            "plan": plan.to_json(),
            "plan_digest": plan.digest,
            "source_digest": source_digest,
            "model": model,
            "command": command,
            "version": version("legatee"),
        }
        return cls(**fields, record_digest=_digest(fields))

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read how a file was made.

        Args:
            path: A ``.safetensors`` file that ``legatee inherit`` wrote.

        Returns:
            What its metadata say; the plan and the weights are not checked.

        Raises:
            CheckpointError: If it cannot be read, does not say how it was made, or this record was
                changed.
        """
        try:
            record = cls.model_validate(read_metadata(path))
        except ValidationError as error:
            missing = ", ".join(str(detail["loc"][0]) for detail in error.errors())
            raise CheckpointError(
                f"{os.fspath(path)!r} does not say how it was made (it lacks {missing}); "
                "only what `legatee inherit` wrote can be verified"
            ) from error
        if _digest(record.model_dump(exclude={"record_digest"})) != record.record_digest:
            raise CheckpointError(
                f"{os.fspath(path)!r} is damaged: the record of how it was made was changed after "
                "it was written"
            )
        return record


def verify(
    path: str | os.PathLike[str], source: Mapping[str, Tensor] | None = None
) -> tuple[FileRecord, TransferPlan]:
    """Check that a file of inherited weights is as it was written, and agrees with its plan.

    Its weights, its plan and the record of how it was made must have the digests that the file
    carries, and its tensors must be those that the plan was made for. With the source's weights,
    these must have the digest in the file, and every element that the plan copies must be equal
    to the source's.

    Args:
        path: The file.
        source: Weights of the source, under the names that the plan uses.

    Returns:
        How the file was made, and its plan; both were checked. Without ``source`` the inherited
        elements were not compared with anything.

    Raises:
        CheckpointError: If the file cannot be read, is damaged, or differs from its plan.
        TransferError: If the source is not the one that the file was made from.
    """
    what = os.fspath(path)
    record, weights = FileRecord.of_file(path), read_weights(path)
    plan = TransferPlan.from_json(record.plan)
    names = dict.fromkeys(entry.target for entry in plan.entries)
    if plan.digest != record.plan_digest:
        raise CheckpointError(f"{what!r} is damaged: its plan does not have the digest in the file")
    if (
        set(names) != set(weights)
        or architecture_digest({name: weights[name] for name in names}) != plan.target_digest
    ):
        raise CheckpointError(
            f"{what!r} is damaged: its plan was made for other tensors than those in the file"
        )
    if source is not None:
        _compare(plan, record, weights, source, what)
    return record, plan


def _compare(
    plan: TransferPlan,
    record: FileRecord,
    weights: Mapping[str, Tensor],
    source: Mapping[str, Tensor],
    what: str,
) -> None:
    """Refuse a source that a file was not made from, and a file that differs from its source."""
    tensors, difference = source_tensors(plan, source)
    if difference:
        raise TransferError(
            f"{what!r} inherited from a network of another architecture than this source "
            f"({difference}); give the source that it was made from (--source)"
        )
    if weights_fingerprint(source) != record.source_digest:
        raise TransferError(
            f"{what!r} inherited from other weights than those of this source; give the source "
            "that it was made from (--source)"
        )
    for move in plan.moves:
        expected = blended(take(tensors[move.source].detach(), move.take), move)
        written = take(weights[move.target], move.put)
        if move.blend is None:
            same = raw(expected.to(written.dtype)).tobytes() == raw(written).tobytes()
        else:  # resizing may round in another way on another machine
            same = torch.allclose(expected.to(written.dtype), written, atol=1e-6, equal_nan=True)
        if not same:
            raise CheckpointError(
                f"{what!r} is not what its plan says: {move.target!r} differs from "
                f"{move.source!r} of its source"
            )


def _digest(fields: Mapping[str, str]) -> str:
    """Digest text by key [64 hexadecimal digits]."""
    lines = [f"{len(text)} {key} {text}" for key, text in sorted(fields.items())]
    return sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
