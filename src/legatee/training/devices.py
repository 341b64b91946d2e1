"""Where networks are trained."""

import torch

from legatee.errors import LegateeError


def pick_device(name: str | None = None) -> torch.device:
    """Return the device to compute on.

    Args:
        name: Such as ``"cpu"`` or ``"cuda:1"``; ``None`` is the GPU if there is one, else the CPU.

    Returns:
        The device, which exists.

    Raises:
        LegateeError: If there is no such device here.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).split("\n")[0]
        raise LegateeError(f"cannot compute on device={name!r} (--device): {cause}") from error
