"""A batch of runs of one shape: upstream, scratch and inherited, from draws to measurements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from legatee.simulator import evaluate
from legatee.simulator.decompose import (
    Coefficients,
    decompose,
    hand_on,
    nothing,
    over_filters,
    own_samples,
)
from legatee.simulator.inherit import Heirs, active_heirs, random_heirs, selected_heirs
from legatee.simulator.span import draw, kept_coordinates
from legatee.simulator.train import Descent, Lesson
from legatee.world.setting import Setting

# Times that a run is estimated from, measured on one core by benchmarks/sweep_speed.py.
PRODUCT = 2e-11  # a multiplication [s]
RESPONSE = 8e-10  # a pre-activation [s]
DRAW = 2e-8  # a normal number [s]
RECORD = 6e-5  # a network, to be measured [s]
INNER = 2e-10  # a multiplication in double precision [s]
TEST = 4e-8  # a test point [s]
Cell = tuple[Setting, int]  # a setting and a seed
Measured = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class How:
    """How runs are computed, and what is kept of them.

    Attributes:
        device: Where.
        dtype: What training and test compute in.
        record_steps: Steps at which networks are measured, beside the first and the last [count].
        test_draws: Test points for each task, each standing for four samples [count].
        coefficients: Filters per sign and samples to make room for if every coefficient is kept,
            else ``None`` [count].
    """

    device: torch.device
    dtype: torch.dtype
    record_steps: tuple[int, ...]
    test_draws: int
    coefficients: tuple[int, int] | None

    @property
    def records(self) -> int:
        """Steps at which every network is measured [count]."""
        return len(self.record_steps) + 2


def recorded(record_steps: Iterable[int], steps: int) -> list[int]:
    """Return the steps of a training at which its network is measured.

    Args:
        record_steps: Steps to record beside the first and the last, in order [count, >= 1].
        steps: Steps of the training [count].

    Returns:
        Their numbers in order. A step beyond the end is the end, so that all trainings have equally
        many.

    Example:
        >>> recorded((10, 30), 50), recorded((10, 30), 20)
        ([0, 10, 30, 50], [0, 10, 20, 20])
    """
    return [0, *(min(step, steps) for step in record_steps), steps]


def shape_of(setting: Setting) -> tuple[object, ...]:
    """Return what must be equal of settings that run in one batch.

    Args:
        setting: The setting.

    Returns:
        Something to compare.
    """
    sizes = [(task.n, task.m, task.steps) for task in setting.resolved]
    return (*sizes, setting.inherit, setting.inherited_filters, kept_coordinates(setting))


def bytes_of(setting: Setting, how: How) -> int:
    """Return about how much memory one run of a setting takes while it is computed.

    Args:
        setting: The setting.
        how: How it is computed.

    Returns:
        Memory [bytes].
    """
    size = torch.empty(0, dtype=how.dtype).itemsize
    kept = kept_coordinates(setting)
    total = 0
    for task in setting.resolved:
        filters = 2 * task.m
        total += 8 * kept * (3 * task.n + 6 * filters)  # draws, patches, weights
        total += (8 + 3 * size) * min(task.n, 2 * kept) ** 2  # inner products, as made and dealt
        total += (40 + 8 * size) * filters * task.n  # coefficients and pre-activations
        total += 3 * size * how.test_draws * filters + 24 * filters**2
    return total


def seconds_of(setting: Setting, records: int, test_draws: int) -> float:
    """Return about how long one run of a setting takes a core of today, upstream to inherited.

    Args:
        setting: The setting.
        records: Steps at which every network is measured [count].
        test_draws: Test points for each task [count].

    Returns:
        Time, right to a factor of two [s].
    """
    kept, seconds = kept_coordinates(setting), 2e-4
    for task, trainings in zip(setting.resolved, (1, 2), strict=True):
        filters = 2 * task.m
        step = filters * task.n * (min(task.n, 2 * kept) * 2 * PRODUCT + RESPONSE)
        test = test_draws * (TEST + filters**2 * 2 * PRODUCT)
        record = RECORD + filters**2 * kept * INNER + test
        seconds += trainings * (task.steps * step + records * record)
        seconds += task.n * kept * DRAW + task.n**2 * kept * PRODUCT
    return seconds + test_draws * filters * DRAW


def run_batch(cells: Sequence[Cell], how: How) -> Measured:
    """Run settings of one shape, upstream, scratch and inherited.

    Args:
        cells: ``S`` settings of one shape, each with a seed.
        how: How they are computed.

    Returns:
        What was measured by name, each ``[S, run, step, ...]``, but ``inherited_filters
        [S, sign]``.
    """
    world = World(cells, how)
    fresh = [nothing(len(cells), 2 * t.m, world.samples, how.device) for t in world.tasks]
    upstream = Descent(world.lessons[0], world.filters[0])
    runs = [_follow(upstream, 0, world, fresh[0])]
    heirs = world.heirs(upstream.weights)
    runs.append(_follow(Descent(world.lessons[1], world.filters[1]), 1, world, fresh[1]))
    inherited = Descent(world.lessons[1], heirs.take(upstream.weights, world.filters[1]))
    handed_on = hand_on(decompose(upstream, 0, world.norms[0], fresh[0]), heirs)
    runs.append(_follow(inherited, 1, world, handed_on))
    measured = {name: torch.stack([run[name] for run in runs], 1) for name in runs[0]}
    measured["inherited_filters"] = heirs.inherited.unflatten(1, (2, -1)).sum(-1)
    return {name: values.cpu().numpy() for name, values in measured.items()}


class World:
    """What a batch of runs lives in.

    Args:
        cells: ``S`` settings of one shape, each with a seed.
        how: How they are computed.

    Attributes:
        tasks: Sizes of the tasks, upstream and downstream, equal for all settings.
        filters: Initial filters of the upstream networks, and fresh ones downstream ``[S, R, D]``.
        tests: Standard normals of the test points ``[S, draws, >= R]``.
        norms: For each task those of u and v_k ``[S]``.
        scales: For each task the standard deviation of its noise along each coordinate ``[S, D]``.
        lessons: For each task what is learned.
    """

    def __init__(self, cells: Sequence[Cell], how: How):
        self.how = how
        self.settings = [setting for setting, _ in cells]
        self.tasks = self.settings[0].resolved  # sizes are equal for all
        self.samples = (self.tasks[0].n, self.tasks[1].n)
        draws = [draw(setting, seed, how.test_draws) for setting, seed in cells]
        sigma_0 = self._column(s.sigma_0 for s in self.settings)[:, None, None]
        self.filters = [sigma_0 * self._stack(d.filters[k] for d in draws) for k in (0, 1)]
        self.tests = self._stack(d.tests for d in draws).to(how.dtype)
        u_norm = self._column(s.u_norm for s in self.settings)
        self.norms, self.scales, self.lessons = [], [], []
        for k in (0, 1):
            own = [s.resolved[k] for s in self.settings]
            scale = self._column(task.sigma_p for task in own)[:, None].repeat(1, self.kept)
            for direction in (0, 1 + k):
                scale[:, direction] *= self._column(
                    s.noise_signal_correlation for s in self.settings
                )
            v_norm = self._column(task.v_norm for task in own)
            signal = torch.zeros_like(scale)
            signal[:, 0], signal[:, 1 + k] = u_norm, v_norm
            self.norms.append((u_norm, v_norm))
            self.scales.append(scale)
            self.lessons.append(
                Lesson(
                    patches=scale[:, None] * self._stack(d.noise[k] for d in draws),
                    signal=signal,
                    labels=self._stack(d.labels[k] for d in draws),
                    signs=self._stack(d.signs[k] for d in draws),
                    eta=self._column(task.eta for task in own),
                    weight_decay=self._column(s.weight_decay for s in self.settings),
                    l2_sp=self._column(k * s.l2_sp for s in self.settings),  # downstream only
                    filters=2 * self.tasks[k].m,
                    dtype=how.dtype,
                )
            )

    @property
    def kept(self) -> int:
        """Coordinates of every vector [count]."""
        return self.filters[0].shape[-1]

    def heirs(self, upstream: Tensor) -> Heirs:
        """Choose what is inherited of the upstream networks' filters ``[S, R1, D]``."""
        first, lesson = self.settings[0], self.lessons[1]
        count = first.inherited_filters
        if first.inherit == "selected":
            return selected_heirs(upstream, lesson, count, self.scales[1])
        if first.inherit == "active":
            threshold = self._column(s.active_threshold for s in self.settings)
            return active_heirs(upstream, lesson, count, threshold)
        return random_heirs(upstream, lesson, count)

    def _column(self, values: Iterable[float]) -> Tensor:
        """Return one number for each run ``[S]``."""
        return torch.tensor(list(values), dtype=torch.float64, device=self.how.device)

    def _stack(self, arrays: Iterable[np.ndarray]) -> Tensor:
        """Return one array for each run ``[S, ...]``."""
        return torch.from_numpy(np.stack(list(arrays))).to(self.how.device)


def _follow(descent: Descent, task: int, world: World, before: Coefficients) -> dict[str, Tensor]:
    """Train a batch of networks; return what was measured on the way ``[S, step, ...]``."""
    records, now = [], 0
    for step in recorded(world.how.record_steps, world.tasks[task].steps):
        if step > now:
            descent.advance(step - now)
        now = step
        learned = decompose(descent, task, world.norms[task], before)
        records.append(_learning(learned, world) | _performance(descent, task, world))
    return {name: torch.stack([record[name] for record in records], 1) for name in records[0]}


def _performance(descent: Descent, task: int, world: World) -> dict[str, Tensor]:
    """Measure how well a batch of networks does ``[S]``."""
    accuracy, error = evaluate.test_accuracy(
        descent.weights, descent.lesson.signal, world.scales[task], world.tests, evaluate.responses
    )
    return {
        "train_loss": evaluate.train_loss(descent),
        "train_accuracy": evaluate.train_accuracy(descent),
        "test_accuracy": accuracy,
        "test_accuracy_error": error,
    }


def _learning(learned: Coefficients, world: World) -> dict[str, Tensor]:
    """Sum up what a batch of networks has learned, or keep all of it ``[S, ...]``."""
    noise = [
        own_samples(part, lesson.labels)
        for part, lesson in zip(learned.noise, world.lessons, strict=True)
    ]
    found = {
        "universal": over_filters(learned.universal),
        "specific": torch.stack([over_filters(part) for part in learned.specific], 1),
        "noise": torch.stack([over_filters(part) for part in noise], 1),
    }
    if room := world.how.coefficients:
        found["universal_coefficient"] = _widened(learned.universal, room[:1])
        found["specific_coefficient"] = torch.stack(
            [_widened(part, room[:1]) for part in learned.specific], 1
        )
        found["noise_coefficient"] = torch.stack(
            [_widened(part, room) for part in learned.noise], 1
        )
    return found


def _widened(values: Tensor, room: Sequence[int]) -> Tensor:
    """Tell the signs apart, and pad with NaN: [S, R, ...] to [S, 2, *room]."""
    apart = values.unflatten(1, (2, -1))
    short = [n - have for n, have in zip(room, apart.shape[2:], strict=True)]
    return pad(apart, [x for n in reversed(short) for x in (0, n)], value=torch.nan)
