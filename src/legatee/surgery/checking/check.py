"""Checks a plan by numbers: does every inherited channel compute what it computed?"""

import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from legatee.errors import TransferError, first_line
from legatee.plans.check import Difference, PlanCheck
from legatee.plans.plan import TransferPlan
from legatee.plans.positions import expand
from legatee.surgery.checking.compare import (
    Comparison,
    Deviation,
    Groups,
    Key,
    Remembered,
)
from legatee.surgery.checking.copies import Copy, silenced_copies
from legatee.surgery.checking.examples import Pair, pairs
from legatee.surgery.checking.watch import Reading, Watch
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.inputs import ExampleInputs, Inputs
from legatee.surgery.network.names import module_of
from legatee.surgery.network.network import Network

MOST = 2**29  # elements of both networks together: a check needs 8 bytes and more for each [count]


def self_check(
    plan: TransferPlan,
    source: Network | nn.Module,
    target: Network | nn.Module,
    example_inputs: ExampleInputs | None = None,
) -> TransferPlan:
    """Check whether inherited channels compute what they computed in the source.

    Copies of both networks get random weights. What the plan does not take or fill is set to zero,
    both run on the same inputs in double precision, and each inherited layer is compared. This
    knows nothing of channel groups: it is a second opinion on what the trace found. It costs one or
    two runs of both networks on the CPU.

    Args:
        plan: Made for the two networks.
        source: The upstream network; it is not changed.
        target: The downstream network; it is not changed.
        example_inputs: Inputs that both accept; guessed if absent. Only shapes and types are used,
            and whole numbers that are all 1, as in a mask.

    Returns:
        The plan with what agrees, which channel groups do not, and why; with a warning if there are
        any.

    Example:
        >>> from legatee.surgery.planning.plan import plan
        >>> wide = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> slim = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> print(self_check(plan(wide, slim), wide, slim).check)
        checked: consistent (2 of 2 channel groups agree)
    """
    networks = (
        source if isinstance(source, Network) else Network.of(source, example_inputs),
        target
        if isinstance(target, Network)
        else Network.of(target, example_inputs, which="target"),
    )
    found = _found(plan, *networks, example_inputs)
    before = () if plan.check is None else plan.check.warnings
    warned = tuple(warning for warning in plan.warnings if warning not in before)
    return plan.model_copy(update={"check": found, "warnings": (*found.warnings, *warned)})


def _found(
    plan: TransferPlan, source: Network, target: Network, example_inputs: ExampleInputs | None
) -> PlanCheck:
    """Compare two networks, or say why that cannot be done."""
    reason = _cannot(plan, source, target)
    if reason:
        return PlanCheck(verdict="unchecked", reason=reason)
    assert source.module is not None, "refused otherwise"
    assert target.module is not None, "refused otherwise"
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            copies = silenced_copies(plan, source.module, target.module)
            return _checked(plan, copies, (source, target), example_inputs)
        except Exception as error:  # the user's forward and copies raise whatever they like
            return PlanCheck(verdict="unchecked", reason=first_line(error))


def _cannot(plan: TransferPlan, source: Network, target: Network) -> str:
    """Say why two networks cannot be compared, if so."""
    for network in (source, target):
        if network.module is None:
            return (
                f"only the catalogue of the {network.which} was given, and it cannot run; give the "
                "network"
            )
    if not plan.moves:
        return "nothing is inherited"
    elements = source.catalog.elements + target.catalog.elements
    if elements > MOST:
        return f"the networks have {elements:,} elements, and at most {MOST:,} are computed with"
    return ""


def _checked(
    plan: TransferPlan,
    copies: tuple[Copy, Copy],
    networks: tuple[Network, Network],
    example: ExampleInputs | None,
) -> PlanCheck:
    """Compare the networks as they are, and then without silent channels in averages."""
    catalogs = [network.catalog for network in networks]
    groups = _groups_at(catalogs[1])
    inherited = _inherited(plan, groups, catalogs[1])
    pair, comparison, _ = _compared(
        plan, copies, groups, pairs(plan, [c.module for c in copies], catalogs, example)
    )
    result = _result(comparison, inherited, catalogs[1])
    if not comparison.deviations:
        return result
    _, apart, left_out = _compared(plan, copies, groups, [pair], apart=True)
    if not left_out:
        return result
    if apart.deviations:
        return _result(apart, inherited, catalogs[1], left_out)
    agreeing = _result(apart, inherited, catalogs[1], left_out)
    return agreeing.model_copy(
        update={
            "verdict": "except_normalisation",
            "differences": result.differences,
            "following": 0,
        }
    )


def _compared(
    plan: TransferPlan,
    copies: tuple[Copy, Copy],
    groups: Groups,
    inputs: Iterable[Pair],
    *,
    apart: bool = False,
) -> tuple[Pair, Comparison, tuple[str, ...]]:
    """Run both networks on the first inputs that both accept, and compare them."""
    failure: Exception | None = None
    for pair in inputs:
        remembered = Remembered({move.source for move in plan.moves})
        comparison = Comparison(plan, groups, remembered)
        try:
            counts = [
                _run(one, given, see, apart=apart)
                for one, given, see in (
                    (copies[0], pair.source, remembered.see),
                    (copies[1], pair.target, comparison.see),
                )
            ]
        except Exception as error:  # the user's forward raises whatever it likes
            failure = failure or error
            continue
        return pair, comparison, _differing(*counts)
    cause = "no input could be guessed" if failure is None else first_line(failure)
    raise TransferError(
        f"the networks do not run on the same inputs: {cause} (pass example_inputs=, inputs that "
        "both accept)"
    )


def _run(
    one: Copy, inputs: Inputs, see: Callable[[Reading], None], *, apart: bool
) -> list[tuple[str, int, int]]:
    """Run a network once, and return the averages from which silent channels were left out."""
    watch = Watch(one.tensors, see, apart=apart)
    for tensor in inputs.tensors:
        watch.feed(tensor)
    with torch.random.fork_rng(devices=[]), watch:
        torch.default_generator.manual_seed(0)
        one.module(*inputs.args, **inputs.kwargs)
    return watch.left_out


def _differing(
    source: list[tuple[str, int, int]], target: list[tuple[str, int, int]]
) -> tuple[str, ...]:
    """Name the averages that leave out channels of which the other network has more or fewer."""
    if len(source) == len(target):
        names = [s[0] for s, t in zip(source, target, strict=True) if s[1:] != t[1:]]
    else:
        names = [name for name, _, _ in source or target]
    return tuple(dict.fromkeys(names))


def _groups_at(catalog: Catalog) -> dict[tuple[str, int], Tensor]:
    """Return the number of the channel group at each position of each axis, -1 for none."""
    found: dict[tuple[str, int], Tensor] = {}
    for number, group in enumerate(catalog.groups):
        for (name, axis), positions in group.members.items():
            size = catalog.tensors[name].shape[axis]
            rows = found.setdefault((name, axis), torch.full((size,), -1))
            rows[torch.from_numpy(positions.reshape(-1))] = number
    return found


def _inherited(plan: TransferPlan, groups: Groups, catalog: Catalog) -> set[Key]:
    """Return the groups of which anything is inherited.

    A group that runs through a single axis, such as the rows of a table, is shared with nothing.
    """
    return {
        int(key)
        for move in plan.moves
        for axis, text in enumerate(move.put)
        if (rows := groups.get((move.target, axis))) is not None
        for key in rows[torch.tensor(list(expand(text)), dtype=torch.long)].unique()
        if key >= 0 and len(catalog.groups[int(key)].members) > 1
    }


def _result(
    comparison: Comparison,
    inherited: set[Key],
    catalog: Catalog,
    left_out: tuple[str, ...] = (),
) -> PlanCheck:
    """Count the groups that agree, and describe those at which the networks first differ."""
    first: dict[Key, Deviation] = {}
    for deviation in comparison.deviations:
        if deviation.key not in first or (deviation.why and not first[deviation.key].why):
            first[deviation.key] = deviation
    origins = [deviation for deviation in first.values() if deviation.why]
    groups = inherited | comparison.heard | first.keys()
    heard = comparison.heard - first.keys()
    if not first and not heard:
        reason = "no inherited layer carries a signal that can be compared"
        return PlanCheck(verdict="unchecked", groups=len(groups), reason=reason)
    return PlanCheck(
        verdict="inconsistent" if first else "consistent",
        groups=len(groups),
        agreeing=len(heard),
        following=len(first) - len(origins),
        unreached=len(groups) - len(heard) - len(first),
        differences=tuple(_described(deviation, catalog) for deviation in origins),
        normalisations=left_out,
    )


def _described(deviation: Deviation, catalog: Catalog) -> Difference:
    """Describe a group by its layers and its size."""
    if isinstance(deviation.key, str):
        shape = catalog.tensors[deviation.key].shape
        return Difference(layers=(deviation.key,), size=max(shape, default=1), why=deviation.why)
    group = catalog.groups[deviation.key]
    layers = dict.fromkeys(module_of(name) or name for name, _ in group.members)
    return Difference(layers=tuple(layers), size=group.size, why=deviation.why)
