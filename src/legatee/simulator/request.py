"""What was asked for, checked before anything is computed."""

import os
from collections.abc import Iterable, Sequence

import torch

from legatee.errors import LegateeError, SettingError, UnknownNameError
from legatee.simulator.batch import How, bytes_of
from legatee.simulator.label import RUNS
from legatee.world.quantity import Quantity
from legatee.world.setting import Setting

GIB = 2**30
SMALLEST = {"float32": 1e-30, "float64": 1e-290}  # numbers that are safe from underflow
_STEPS = Quantity(about="steps to look at", units="count", low=2, whole=True)
_STEP = Quantity(about="a step to look at", units="count", whole=True)
_SEEDS = Quantity(about="seeds", units="count", low=1, whole=True)
_SEED = Quantity(about="a seed", units="1", whole=True)
_DRAWS = Quantity(about="test points", units="count", low=2, whole=True)
_MEMORY = Quantity(about="memory of a batch", units="GiB", low=1e-12)


def how_of(
    settings: list[Setting],
    *,
    device: str | None,
    dtype: str,
    log_steps: int | Iterable[int],
    test_draws: int,
    coefficients: bool,
) -> How:
    """Return how to simulate.

    Args:
        settings: The settings.
        device: As :func:`~legatee.simulator.run.simulate` takes it, as all that follows.
        dtype: See there.
        log_steps: See there.
        test_draws: See there.
        coefficients: See there.

    Returns:
        The same, checked.

    Raises:
        SettingError: If a number is out of its range.
        UnknownNameError: If there is no such ``dtype``.
        LegateeError: If there is no such device here.
    """
    if dtype not in SMALLEST:
        raise UnknownNameError("dtype", str(dtype), SMALLEST)
    tasks = [task for setting in settings for task in setting.resolved]
    room = (max(task.m for task in tasks), max(task.n for task in tasks))
    return How(
        device=_device(device),
        dtype=getattr(torch, dtype),
        log_steps=_log(log_steps),
        test_draws=_DRAWS.check("test_draws", test_draws),
        coefficients=room if coefficients else None,
    )


def settings_of(given: Setting | Iterable[Setting]) -> list[Setting]:
    """Return the settings to simulate.

    Args:
        given: One, several, or a grid of them.

    Returns:
        At least one.

    Raises:
        SettingError: If there is none, or something else.
    """
    chosen = [given] if isinstance(given, Setting) else given
    if not isinstance(chosen, Iterable):
        raise SettingError(f"settings is {given!r}; expected a Setting, several, or a Grid")
    chosen = list(chosen)
    if wrong := [one for one in chosen if not isinstance(one, Setting)]:
        raise SettingError(f"settings holds {wrong[0]!r}; expected a Setting")
    if not chosen:
        raise SettingError("there is no setting to simulate; give one or more")
    return chosen


def seeds_of(given: int | Iterable[int]) -> Sequence[int]:
    """Return the seeds to simulate.

    Args:
        given: The seeds, or how many of them.

    Returns:
        At least one.

    Raises:
        SettingError: If there is none, one comes twice, or one is no whole number from 0 on.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        return range(_SEEDS.check("seeds", given))
    seeds = [_SEED.check("an element of seeds", seed) for seed in given]
    if not seeds or len(set(seeds)) < len(seeds):
        raise SettingError(f"seeds is {seeds}; expected one or more, none twice")
    return seeds


def memory_of(settings: list[Setting], seeds: Sequence[int], how: How, memory: float) -> float:
    """Hold a request to what this machine and these numbers can do.

    Args:
        settings: The settings.
        seeds: The seeds.
        how: How they are to be computed.
        memory: What a batch of runs may take [GiB].

    Returns:
        What a batch of runs may take [bytes].

    Raises:
        SettingError: If ``memory`` is out of its range, or weights would underflow.
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
    kept = 8 * runs * len(RUNS) * how.looks * (18 + 2 * m * (3 + 2 * n))
    one = max(bytes_of(setting, how) for setting in settings)
    if kept + one > there:
        raise LegateeError(
            f"{runs} runs need {(kept + one) / GIB:.1f} GiB, {one / GIB:.1f} for the largest and "
            f"{kept / GIB:.1f} for the results; this machine has {there / GIB:.1f}; simulate "
            "fewer at a time, smaller ones, or fewer steps to look at"
        )
    return _MEMORY.check("memory", memory) * GIB


def _log(given: int | Iterable[int]) -> int | tuple[int, ...]:
    """Return how many steps to look at, or which."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return _STEPS.check("log_steps", given)
    return tuple(_STEP.check("an element of log_steps", step) for step in given)


def _device(name: str | None) -> torch.device:
    """Return the device to compute on, which exists."""
    try:
        device = torch.device("cpu" if name is None else str(name))
        torch.zeros(1, device=device).cpu()  # it must hold numbers and give them back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).split("\n")[0][:200]
        raise LegateeError(f"cannot simulate on device {name!r}: {cause}") from error
    return device
