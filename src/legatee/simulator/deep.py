"""Networks of more layers than the paper's two, in the same world.

The network of :func:`simulate_deep` is the paper's with ReLU layers between its filters and its
fixed outputs. A patch goes through the first layer, 2 m filters, and then through layers of 2 m
features that read all 2 m features below (convolutions of width 1); the features of the last one
are added up over both patches, and half of them count +1/m, the others -1/m. With two layers this
is the paper's network, number by number. The first layer starts at ``sigma_0``, small, as in the
paper; those above as He et al. 2015 (arXiv 1502.01852) have it, variance 1/m for 2 m inputs:
if they were small too, their product would be all but zero and training would not begin.

Of every layer the first ``inherited_filters`` features of each half are inherited, with the
weights that lead from inherited features to inherited features; all others are drawn anew.

The first layer's gradients are combinations of patches whatever stands above, so that the
coordinates of docs/theory.md, section 2, are enough for any depth, and the draws are those of
:func:`~legatee.simulator.run.simulate`. The training is plain: autograd, full batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
import xarray as xr
from numpy.random import SeedSequence, default_rng
from torch import Tensor
from torch.nn.functional import softplus

from legatee.errors import SettingError
from legatee.simulator import evaluate
from legatee.simulator.batch import Cell, How, Measured, World
from legatee.simulator.inherit import Heirs
from legatee.simulator.label import label
from legatee.simulator.request import check_memory, how_of, seeds_of, settings_of
from legatee.simulator.run import in_batches
from legatee.simulator.train import Lesson
from legatee.world.quantity import Quantity
from legatee.world.setting import Setting

Network = list[Tensor]  # of each layer the weights [S, features, inputs], in one floating type
UPPER = 7  # the first stream of random numbers that the two-layer simulator leaves free
MEASURED_DEEP = ("train_loss", "test_accuracy", "test_accuracy_error")
LAYERS = Quantity(about="layers, the fixed outputs among them", units="count", low=2, whole=True)


def simulate_deep(
    settings: Setting | Iterable[Setting],
    seeds: int | Iterable[int],
    *,
    layers: int,
    device: str = "cpu",
    dtype: str = "float32",
    test_draws: int = 500,
) -> xr.Dataset:
    """Train upstream, scratch and inheriting networks of any depth by plain gradient descent.

    Everything random that does not depend on the depth is as in
    :func:`~legatee.simulator.run.simulate`, and networks of one seed share it: scratch and
    inherited, settings of the same sizes, and different depths. ``eta``, ``weight_decay`` and
    ``l2_sp`` hold for every layer. One thread is used.

    Args:
        settings: What to simulate: a setting, several, or a grid.
        seeds: Seeds, or how many of them, from 0 on.
        layers: Layers, the fixed outputs among them; 2 is the paper's network [count, >= 2].
        device: Where to compute, such as ``"cuda"``.
        dtype: ``"float32"`` or ``"float64"``.
        test_draws: Test points of each seed and task; each stands for four samples [count].

    Returns:
        ``train_loss``, ``test_accuracy`` and its standard error ``test_accuracy_error``, each
        ``[setting, seed, run, step]``, before the first and after the last step, and ``status
        [setting, seed, run]``, with coordinates as :func:`~legatee.simulator.run.simulate` has
        them. Zero-shot is ``run="inherited"`` at step 0.

    Raises:
        SettingError: If there are no settings or seeds, or filters are to be inherited by
            another rule than ``random``.
        LegateeError: If an option is out of its range, or more memory is needed than there is.

    Example:
        >>> from legatee.world.task import Task
        >>> setting = Setting(d=300, m=4, u_norm=2.0, alpha=0.5, eta=1.0, sigma_0=1e-4, steps=50,
        ...                   upstream=Task(n=40, v_norm=1.0, sigma_p=1.0),
        ...                   downstream=Task(n=10, v_norm=1.0, sigma_p=1.0))
        >>> found = simulate_deep(setting, seeds=8, layers=3).isel(setting=0, step=-1)
        >>> accuracy = found["test_accuracy"].mean("seed")
        >>> bool(accuracy.sel(run="inherited") > accuracy.sel(run="scratch"))
        True
    """
    chosen, numbers = settings_of(settings), seeds_of(seeds)
    depth = LAYERS.check("layers", layers)
    for setting in chosen:
        if setting.inherit != "random":
            raise SettingError(f"inherit is {setting.inherit}; deeper networks support only random")
    how = how_of(
        chosen,
        device=device,
        dtype=dtype,
        record_steps=(),
        test_draws=test_draws,
        coefficients=False,
    )
    check_memory(chosen, numbers, how)
    run = partial(_run, layers=depth)
    found = label(chosen, list(numbers), how, in_batches(chosen, numbers, how, run))
    unused = ["task", "sign", "statistic", "coordinates"]
    return found.drop_vars(unused).assign_attrs(layers=depth)


@torch.inference_mode(False)
def _run(cells: Sequence[Cell], how: How, layers: int) -> Measured:
    """Run a batch of settings of one shape: what was measured by name ``[S, run, step]``."""
    world = World(cells, how)
    start, fresh = (_fresh(cells, world, task, layers) for task in (0, 1))
    upstream, first = _follow(start, world, 0)
    heirs = world.heirs(upstream[0])
    _, scratch = _follow(fresh, world, 1)
    _, inherited = _follow(_inherit(upstream, fresh, heirs), world, 1)
    runs = (first, scratch, inherited)
    return {name: torch.stack([run[name] for run in runs], 1).cpu().numpy() for name in first}


def _fresh(cells: Sequence[Cell], world: World, task: int, layers: int) -> Network:
    """Draw networks anew, those of a seed the same in every setting and the deeper ones on top."""
    first = world.filters[task]
    m = first.shape[1] // 2
    shape = (layers - 2, 2 * m, 2 * m)
    streams = [default_rng(SeedSequence(seed, spawn_key=(UPPER, task))) for _, seed in cells]
    upper = torch.stack([torch.from_numpy(stream.standard_normal(shape)) for stream in streams], 1)
    return [w.to(first.device, world.how.dtype) for w in (first, *upper / m**0.5)]


def _inherit(upstream: Network, fresh: Network, heirs: Heirs) -> Network:
    """Put networks together from inherited features, what leads between these, and fresh ones."""
    both = heirs.inherited[:, :, None] & heirs.inherited[:, None]
    upper = [  # contiguous: how numbers lie decides how sums are rounded
        torch.where(both, heirs.take(heirs.take(old).mT).mT, new).contiguous()
        for old, new in zip(upstream[1:], fresh[1:], strict=True)
    ]
    return [heirs.take(upstream[0], fresh[0]), *upper]


def _follow(network: Network, world: World, task: int) -> tuple[Network, dict[str, Tensor]]:
    """Train networks; return them, and what was measured before and after ``[S, step]``."""
    lesson = world.lessons[task]
    names = ("patches", "signal", "labels", "signs", "eta", "weight_decay", "l2_sp")
    lesson = replace(lesson, **{name: getattr(lesson, name).to(lesson.dtype) for name in names})
    trained = _train(network, lesson, world.tasks[task].steps)
    records = [_measure(weights, lesson, world, task) for weights in (network, trained)]
    return trained, {name: torch.stack([r[name] for r in records], 1) for name in records[0]}


def _train(network: Network, lesson: Lesson, steps: int) -> Network:
    """Take steps of gradient descent in all layers."""
    eta, keep, back = (
        x[:, None, None] for x in (lesson.eta, lesson.keep, lesson.eta * lesson.l2_sp)
    )
    start = weights = network
    for _ in range(steps):
        weights = [w.detach().requires_grad_() for w in weights]
        gradients = torch.autograd.grad(_losses(weights, lesson).sum(), weights)
        with torch.no_grad():
            weights = [
                keep * w + back * w_0 - eta * gradient
                for w, w_0, gradient in zip(weights, start, gradients, strict=True)
            ]
    return weights


def _response(heard: Tensor, upper: Network) -> Tensor:
    """Return what networks say of patches ``[S, P]`` of which filters hear ``[S, P, R]``."""
    for weights in upper:
        heard = heard.relu() @ weights.mT
    positive, negative = heard.relu().chunk(2, dim=-1)
    return positive.mean(-1) - negative.mean(-1)


def _responses(heard: Tensor, upper: Network) -> Tensor:
    """Return the same, and what they say of the patches' negatives ``[2, S, P]``."""
    return torch.stack([_response(heard, upper), _response(-heard, upper)])


def _losses(network: Network, lesson: Lesson) -> Tensor:
    """Return the mean logistic loss of the training samples ``[S]``."""
    first, *upper = network
    shown, hidden = _responses(lesson.signal[:, None] @ first.mT, upper)
    noise = _response(lesson.patches @ first.mT, upper)
    outputs = noise + torch.where(lesson.signs > 0, shown, hidden)
    return softplus(-lesson.labels * outputs).mean(1)


@torch.no_grad()
def _measure(network: Network, lesson: Lesson, world: World, task: int) -> dict[str, Tensor]:
    """Measure how well networks do ``[S]``."""
    accuracy, error = evaluate.test_accuracy(
        network[0].double(),
        world.lessons[task].signal,
        world.scales[task],
        world.tests,
        partial(_responses, upper=network[1:]),
    )
    loss = _losses(network, lesson).double()
    return {"train_loss": loss, "test_accuracy": accuracy, "test_accuracy_error": error}
