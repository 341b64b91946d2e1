"""Tensors that are useless without others: norms and biases without a layer, half a head."""

import numpy as np

from legatee.plans.moves import Move
from legatee.plans.positions import compress, expand
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.names import module_of
from legatee.surgery.planning.unsupported import Supply

Outcomes = dict[str, Move | str]  # target tensor -> its move, or the reason why there is none
NO_LAYER = "no layer that computes its channels is inherited"
NO_MODULE = "no other tensor of its module is inherited"


def drop_strays(outcomes: Outcomes, target: Catalog) -> None:
    """Drop norms and biases without their layer, counters without their norm, and half a head.

    A bias belongs to its own layer. A norm belongs to the layers whose output it normalises: it
    inherits the channels that at least one of them inherits.

    Args:
        outcomes: Target tensor -> its move or the reason why there is none; changed in place.
        target: Catalogue of the downstream network.
    """
    _drop_channels_without_layer(outcomes, target)
    _drop_biases_without_layer(outcomes, target)
    _drop_half_heads(outcomes, target)
    for name, tensor in target.tensors.items():
        if isinstance(outcomes[name], Move) and not tensor.shape:
            others = [n for n in _siblings(name, target) if target.tensors[n].shape]
            if others and not any(isinstance(outcomes[n], Move) for n in others):
                outcomes[name] = NO_MODULE


def _drop_channels_without_layer(outcomes: Outcomes, target: Catalog) -> None:
    """Drop channels of norms and scales that no inherited layer computes."""
    supply = Supply(target, {n: move for n, move in outcomes.items() if isinstance(move, Move)})
    computed: dict[str, np.ndarray] = {}
    for name, uses in target.scaling_vectors.items():
        move = outcomes[name]
        if isinstance(move, Move):
            channels = _key(uses, target.groups_along[name, 0])
            if channels not in computed:
                computed[channels] = _computed(supply, name, uses)
            outcomes[name] = _cut(move, computed[channels])


def _key(uses: tuple[int, ...], groups: tuple[int, ...]) -> str:
    """Return what tells whether two vectors scale the same channels at the same places."""
    return f"{uses} {groups}"


def _computed(supply: Supply, name: str, uses: tuple[int, ...]) -> np.ndarray:
    """Return which positions of a vector belong to channels that inherited layers compute."""
    target = supply.target
    mask = np.ones(target.tensors[name].shape[0], bool)
    for group in target.groups_along[name, 0]:
        positions = target.groups[group].members[name, 0]
        computed = np.any([supply.computed(use, group) for use in uses], axis=0)
        mask[positions] = computed[:, None]
    return mask


def _cut(move: Move, computed: np.ndarray) -> Move | str:
    """Return the move of a vector without the positions whose channels nothing computes."""
    if computed.all():
        return move
    take, put = (np.asarray(expand(side[0])) for side in (move.take, move.put))
    kept = computed[put]
    if kept.all():
        return move
    if not kept.any():
        return NO_LAYER
    return move.model_copy(update={"take": (compress(take[kept]),), "put": (compress(put[kept]),)})


def _drop_biases_without_layer(outcomes: Outcomes, target: Catalog) -> None:
    """Drop vectors that a layer, or an unknown operation, reads without the layer's weight."""
    inherited = {name for name, outcome in outcomes.items() if isinstance(outcome, Move)}
    for name in sorted(inherited - target.scaling_vectors.keys()):
        if len(target.tensors[name].shape) == 1:
            numbers = target.groups_along.get((name, 0), ())
            rows = frozenset[str]().union(*(target.makers[number] for number in numbers))
            own = rows & set(_siblings(name, target))
            if rows and inherited.isdisjoint(own or rows):
                outcomes[name] = NO_LAYER


def _drop_half_heads(outcomes: Outcomes, target: Catalog) -> None:
    """Drop a head's bias where its weight is dropped, and its weight where its bias is."""
    for group in target.groups:
        if group.role == "class":
            names = {name for name, _ in group.members}
            missing = next((n for n in names if not isinstance(outcomes[n], Move)), None)
            if missing is not None:
                for name in names:
                    if isinstance(outcomes[name], Move):
                        outcomes[name] = (
                            "weight and bias of a head are inherited together, and "
                            f"{missing!r} is not"
                        )


def _siblings(name: str, target: Catalog) -> list[str]:
    """Return the other tensors of a tensor's module."""
    return [n for n in target.modules[module_of(name)] if n != name]
