"""Where a file of weights comes from: written into it, and checked against it and the source."""

import os
from collections.abc import Mapping
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from legatee.errors import CheckpointError, TransferError
from legatee.fingerprint import weights_fingerprint
from legatee.plans.plan import TransferPlan
from legatee.surgery.applying.blend import blended
from legatee.surgery.applying.elements import take
from legatee.surgery.files.checkpoint import read_metadata, read_weights
from legatee.surgery.files.serialise import raw
from legatee.surgery.network.catalog import architecture_digest


class Provenance(BaseModel):
    """How a file of inherited weights was made; its fields are the file's metadata.

    Attributes:
        plan: The plan that was applied, as JSON.
        plan_digest: Its digest.
        weights_digest: That of the file's weights.
        source_digest: That of the source's weights.
        model: The target network, as it was asked for.
        command: What was typed, or called.
        version: Of legatee.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan: str
    plan_digest: str
    weights_digest: str
    source_digest: str
    model: str
    command: str
    version: str

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read what a file says of itself.

        Args:
            path: A ``.safetensors`` file that ``legatee inherit`` wrote.

        Returns:
            What it says; nothing is checked.

        Raises:
            CheckpointError: If it cannot be read or says nothing.
        """
        try:
            return cls.model_validate(read_metadata(path))
        except ValidationError as error:
            missing = ", ".join(str(one["loc"][0]) for one in error.errors())
            raise CheckpointError(
                f"{os.fspath(path)!r} does not say how it was made (it lacks {missing}); "
                "only what `legatee inherit` wrote can be verified"
            ) from error


def verify(
    path: str | os.PathLike[str], source: Mapping[str, Tensor] | None = None
) -> tuple[Provenance, TransferPlan]:
    """Check that a file of inherited weights is what it says.

    Its weights must have the digest that was written into it, its plan too, its architecture must
    be the one planned for. With the source's weights, these must have the digest in the file, and
    every element that the plan names must be the source's.

    Args:
        path: The file.
        source: Weights of the source, under the names that the plan speaks of.

    Returns:
        What the file says of itself, and its plan; all of it found true. Without ``source`` the
        inherited elements were not compared with anything.

    Raises:
        CheckpointError: If the file cannot be read, or is not what it says.
        TransferError: If the source is not the one that the file was made from.
    """
    what = os.fspath(path)
    said, weights = Provenance.of_file(path), read_weights(path)
    plan = TransferPlan.from_json(said.plan)
    names = dict.fromkeys(entry.target for entry in plan.entries)
    if plan.digest != said.plan_digest:
        raise CheckpointError(f"{what!r} is not what it says: its plan was changed")
    if (
        set(names) != set(weights)
        or architecture_digest({name: weights[name] for name in names}) != plan.target_digest
    ):
        raise CheckpointError(f"{what!r} is not what it says: its plan is for other tensors")
    if weights_fingerprint(weights) != said.weights_digest:
        raise CheckpointError(
            f"{what!r} is not what it says: its weights were changed since they were inherited"
        )
    if source is not None:
        _compare(plan, said, weights, source, what)
    return said, plan


def _compare(
    plan: TransferPlan,
    said: Provenance,
    weights: Mapping[str, Tensor],
    source: Mapping[str, Tensor],
    what: str,
) -> None:
    """Refuse a source that a file was not made from, and a file that differs from its source."""
    if architecture_digest(source) != plan.source_digest:
        raise TransferError(f"{what!r} inherited from a network of another architecture")
    if weights_fingerprint(source) != said.source_digest:
        raise TransferError(f"{what!r} inherited from other weights than these")
    for move in plan.moves:
        given = blended(take(source[move.source].detach(), move.take), move)
        found = take(weights[move.target], move.put)
        if move.blend is None:
            same = raw(given.to(found.dtype)).tobytes() == raw(found).tobytes()
        else:  # resizing may round in another way on another machine
            same = torch.allclose(given.to(found.dtype), found, atol=1e-6, equal_nan=True)
        if not same:
            raise CheckpointError(
                f"{what!r} is not what it says: {move.target!r} differs from {move.source!r} of "
                "its source"
            )
