"""The arguments of a simulation, checked before anything is computed."""

import os
from collections.abc import Iterable, Sequence

import torch

from legatee.errors import LegateeError, SettingError, UnknownNameError
from legatee.simulator.batch import How, bytes_of
from legatee.simulator.label import RUNS
from legatee.world.quantity import Quantity, brief
from legatee.world.setting import Setting

GIB = 2**30
SMALLEST = {"float32": 1e-30, "float64": 1e-290}  # numbers that are safe from underflow
_STEP = Quantity(about="a step to record", units="count", whole=True)
_SEEDS = Quantity(about="seeds", units="count", low=1, whole=True)
_SEED = Quantity(about="a seed", units="1", whole=True)
_DRAWS = Quantity(about="test points", units="count", low=2, whole=True)


def how_of(
    settings: list[Setting],
    *,
    device: str,
    dtype: str,
    record_steps: Iterable[int],
    test_draws: int,
    coefficients: bool,
) -> How:
    """Return how to simulate.

    Args:
        settings: The settings.
        device: As :func:`~legatee.simulator.run.simulate` takes it, as all that follows.
        dtype: See there.
        record_steps: See there.
        test_draws: See there.
        coefficients: See there.

    Returns:
        The same, checked.

    Raises:
        SettingError: If a number is out of its range.
        UnknownNameError: If there is no such ``dtype``.
        LegateeError: If there is no such device here.
    """
    if not isinstance(dtype, str) or dtype not in SMALLEST:
        raise UnknownNameError("dtype", brief(dtype).strip("'"), SMALLEST)
    tasks = [task for setting in settings for task in setting.resolved]
    room = (max(task.m for task in tasks), max(task.n for task in tasks))
    return How(
        device=_device(device),
        dtype=getattr(torch, dtype),
        record_steps=_record_steps(record_steps),
        test_draws=_DRAWS.check("test_draws", test_draws),
        coefficients=room if coefficients else None,
    )


def settings_of(settings: Setting | Iterable[Setting]) -> list[Setting]:
    """Return the settings to simulate.

    Args:
        settings: One, several, or a grid of them.

    Returns:
        At least one.

    Raises:
        SettingError: If there is none, or something else.
    """
    chosen = [settings] if isinstance(settings, Setting) else settings
    if not isinstance(chosen, Iterable):
        raise SettingError(f"settings is {brief(settings)}; expected a Setting, several, or a Grid")
    chosen = list(chosen)
    if wrong := [value for value in chosen if not isinstance(value, Setting)]:
        raise SettingError(f"settings holds {brief(wrong[0])}; expected a Setting")
    if not chosen:
        raise SettingError("there is no setting to simulate; give one or more")
    return chosen


def seeds_of(seeds: int | Iterable[int]) -> Sequence[int]:
    """Return the seeds to simulate.

    Args:
        seeds: The seeds, or how many of them.

    Returns:
        At least one.

    Raises:
        SettingError: If there is none, one comes twice, or one is no whole number from 0 on.
    """
    if isinstance(seeds, str) or not isinstance(seeds, Iterable):
        return range(_SEEDS.check("seeds", seeds))
    chosen = [_SEED.check("an element of seeds", seed) for seed in seeds]
    if not chosen or len(set(chosen)) < len(chosen):
        raise SettingError(f"seeds is {brief(chosen)}; expected one or more, none twice")
    return chosen


def check_memory(settings: list[Setting], seeds: Sequence[int], how: How) -> None:
    """Hold a request to what this machine and these numbers can do.

    Args:
        settings: The settings.
        seeds: The seeds.
        how: How they are to be computed.

    Raises:
        SettingError: If weights would underflow.
        LegateeError: If more memory is needed than there is.
    """
    smallest = SMALLEST[str(how.dtype).removeprefix("torch.")]
    for setting in settings:
        least = min(1.0, *(task.sigma_p for task in setting.resolved))
        if setting.sigma_0 * least < smallest:
            raise SettingError(
                f"sigma_0 is {setting.sigma_0:g}, too small to compute with in {how.dtype}; "
                f"expected at least {smallest / least:g}"
            )
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    m, n = how.coefficients or (0, 0)
    runs = len(settings) * len(seeds)
    kept = 8 * runs * len(RUNS) * how.records * (18 + 2 * m * (3 + 2 * n))
    one = max(bytes_of(setting, how) for setting in settings)
    if kept + one > there:
        raise LegateeError(
            f"{runs} runs need {(kept + one) / GIB:.1f} GiB, {one / GIB:.1f} for the largest and "
            f"{kept / GIB:.1f} for the results; this machine has {there / GIB:.1f}; simulate "
            "fewer or smaller settings at a time, or record fewer steps"
        )


def _record_steps(steps: Iterable[int]) -> tuple[int, ...]:
    """Return the steps to record beside the first, each once and in order."""
    if isinstance(steps, str) or not isinstance(steps, Iterable):
        raise SettingError(f"record_steps is {brief(steps)}; expected a list of steps")
    checked = {_STEP.check("an element of record_steps", step) for step in steps}
    return tuple(sorted(checked - {0}))


def _device(name: str) -> torch.device:
    """Return the device to compute on, which exists."""
    try:
        device = torch.device(str(name))
        torch.zeros(1, device=device).cpu()  # it must hold numbers and give them back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).split("\n")[0][:200]
        raise LegateeError(f"cannot simulate on device={name!r} (--device): {cause}") from error
    return device
