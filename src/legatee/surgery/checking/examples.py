"""The same random inputs for both networks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from legatee.plans.plan import TransferPlan
from legatee.plans.positions import expand
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.example_inputs import guesses
from legatee.surgery.network.inputs import ExampleInputs, Inputs

NUMBERS = 2**16  # numbers of an input that several examples share [count]
MOST = 16  # examples of one input [count]
GUESSES = 20  # inputs that are guessed for each network, at most [count]
SMALL = 64  # side of an image that is tried before larger ones [count]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Inputs on which the source and the target are compared.

    Attributes:
        source: Inputs of the source.
        target: Inputs of the target: the same, but for image channels that the plan sums or
            repeats.
    """

    source: Inputs
    target: Inputs


def pairs(
    plan: TransferPlan,
    networks: Sequence[nn.Module],
    catalogs: Sequence[Catalog],
    example: ExampleInputs | None,
) -> Iterator[Pair]:
    """Draw inputs for both networks, the likeliest first.

    Args:
        plan: What is inherited; image channels that it sums or repeats are fed accordingly.
        networks: The source and the target.
        catalogs: Their catalogues.
        example: Inputs that both accept; guessed if absent.

    Yields:
        Inputs of both networks.
    """
    tokens = _tokens(plan, catalogs)
    channels = _channels(plan)
    for shapes in _candidates(networks, example):
        draw = torch.Generator().manual_seed(0)
        single = len(shapes.args) == 1 and not shapes.kwargs

        def drawn(value: Any, draw: Any = draw, single: bool = single) -> Any:
            return _drawn(value, draw, tokens, channels, single) if _is(value) else value

        both = tree_map(drawn, (shapes.args, shapes.kwargs))
        source, target = (
            tree_map(lambda x, side=side: x[side] if _is_both(x) else x, both, is_leaf=_is_both)
            for side in (0, 1)
        )
        yield Pair(
            source=Inputs(args=source[0], kwargs=source[1]),
            target=Inputs(args=target[0], kwargs=target[1]),
        )


class _Both(tuple):
    """One input, as the source and as the target see it."""


def _candidates(networks: Sequence[nn.Module], example: ExampleInputs | None) -> Iterator[Inputs]:
    """Return shapes of inputs; small images come first, because they say as much."""
    if example is not None:
        yield _kept(example)
    found = [
        Inputs.of(guess) for network in networks for guess in islice(guesses(network), GUESSES)
    ]
    small = [g for g in found if {tuple(x.shape[2:]) for x in g.tensors} == {(SMALL, SMALL)}]
    seen = set()
    for guess in small + found:
        if (described := repr(guess.described)) not in seen:
            seen.add(described)
            yield guess


def _kept(example: ExampleInputs) -> Inputs:
    """Read the user's inputs; whole numbers of one value, such as a mask of ones, are kept."""
    blank = Inputs.of(example)
    given = [example] if _is(example) else example
    args = given if isinstance(given, tuple | list) else ()
    kwargs = given if isinstance(given, dict) else {}

    def chosen(shape: Any, value: Any) -> Any:
        fixed = _is(value) and not value.is_meta and not value.is_floating_point()
        return value.detach().cpu() if fixed and bool((value == 1).all()) else shape

    return Inputs(
        args=tree_map(chosen, tuple(blank.args), tuple(args)),
        kwargs=tree_map(chosen, blank.kwargs, {name: kwargs[name] for name in blank.kwargs}),
    )


def _drawn(
    shape: Tensor, draw: Any, tokens: Tensor, channels: tuple[int, int], single: bool
) -> _Both:
    """Draw one input for both networks."""
    if not shape.is_meta:
        return _Both((shape, shape.clone()))
    size = list(shape.shape)
    if single and size and size[0] == 1:
        size[0] = max(1, min(MOST, NUMBERS // max(shape.numel(), 1)))
    if shape.dtype == torch.bool:
        return _Both((torch.ones(size, dtype=torch.bool), torch.ones(size, dtype=torch.bool)))
    if not shape.is_floating_point():
        chosen = torch.randint(tokens.shape[1], size, generator=draw)
        return _Both(side[chosen].to(shape.dtype) for side in tokens)
    have, want = channels
    axis = 1 if shape.ndim in (2, 4) else shape.ndim - 1
    if have == want or shape.ndim < 2 or size[axis] not in channels:
        values = torch.randn(size, generator=draw, dtype=torch.float64)
        return _Both((values, values.clone()))
    size[axis] = have if want > 1 else 1
    values = torch.randn(size, generator=draw, dtype=torch.float64)
    if want == 1:
        return _Both((values.repeat_interleave(have, axis), values))
    turns = torch.arange(want) % have
    times = torch.bincount(turns, minlength=have)
    form = [-1 if other == axis else 1 for other in range(shape.ndim)]
    scale = (want / have) / times[turns].double()
    heard = values * (times > 0).reshape(form)
    return _Both((heard, heard.index_select(axis, turns) * scale.reshape(form)))


def _tokens(plan: TransferPlan, catalogs: Sequence[Catalog]) -> Tensor:
    """Return numbers that every table of both networks has: as the source and the target see them.

    Where the plan moves rows of the largest table, only these rows are looked up.
    """
    tables = [
        [use.reads["weight"] for use in catalog.uses if use.kind == "embedding"]
        for catalog in catalogs
    ]
    most = [
        min((catalog.tensors[name].shape[0] for name in names), default=2)
        for catalog, names in zip(catalogs, tables, strict=True)
    ]
    moves = [m for m in plan.moves if m.target in tables[1] and len(m.take) == 2]
    if moves:
        move = max(moves, key=lambda m: m.target_shape[0])
        rows = zip(expand(move.take[0]), expand(move.put[0]), strict=True)
        known = [row for row in rows if row[0] < most[0] and row[1] < most[1]]
        if known:
            return torch.tensor(known).T
    return torch.arange(min(most)).repeat(2, 1)


def _channels(plan: TransferPlan) -> tuple[int, int]:
    """Return how many input channels the plan reads, and how many it computes of them."""
    for move in plan.moves:
        if move.blend is not None and move.blend.how in ("sum", "cycle"):
            return move.counts[move.blend.axis]
    return 1, 1


def _is(value: Any) -> bool:
    return isinstance(value, Tensor)


def _is_both(value: Any) -> bool:
    return isinstance(value, _Both)
