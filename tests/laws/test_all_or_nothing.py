"""A transfer happens as a whole or not at all, and can be taken back."""

import copy
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import legatee
from legatee.surgery.files.checkpoint import load_weights, write_weights
from surgery_references import differing, poisoned, saved, scrambled, snapshot
from surgery_zoo import ZOO, cnn, small_resnet

PAIRS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "cnn, wider": (lambda: cnn("6-9"), lambda: cnn("8-20")),
    "resnet, deeper": (lambda: small_resnet(8), lambda: small_resnet(8, depth=14)),
    "tied, narrower": (lambda: ZOO["tied"](12), lambda: ZOO["tied"](8)),
}


# --- undo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS)
def test_undo_puts_back_every_bit(pair):
    source, target = (make() for make in PAIRS[pair])
    scrambled(target, 2)
    before = snapshot(target)
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(before, snapshot(target))
    receipt.undo()
    assert differing(before, snapshot(target)) == []


def test_undo_puts_back_even_nan():
    source, target = small_resnet(4), poisoned(small_resnet(4))
    before = snapshot(target)
    legatee.inherit(legatee.plan(source, target), source, target).undo()
    assert differing(before, snapshot(target)) == []


def test_undo_keeps_what_was_trained_meanwhile_where_nothing_was_inherited():
    source, target = small_resnet(6), small_resnet(4)
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    with torch.no_grad():
        target.head.weight.fill_(2.5)
    receipt.undo()
    assert bool((target.head.weight == 2.5).all())


# --- all or nothing -------------------------------------------------------------------------------


class Broken(Exception):
    pass


class Interrupt(TorchDispatchMode):
    """Raise just before the write number ``at`` into memory of the target."""

    def __init__(self, target: nn.Module, at: int, error: BaseException):
        super().__init__()
        self.owned = {t.untyped_storage().data_ptr() for t in saved(target).values()}
        self.at, self.error, self.writes = at, error, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for given_, declared in zip(args, func._schema.arguments, strict=False):
            written = declared.alias_info is not None and declared.alias_info.is_write
            if written and isinstance(given_, torch.Tensor) and self.mine(given_):
                self.writes += 1
                if self.writes == self.at:
                    raise self.error
        return func(*args, **(kwargs or {}))

    def mine(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self.owned


@pytest.mark.parametrize("error", [Broken(), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
def test_a_write_that_fails_leaves_the_target_as_it_was(part, error):
    source, target = scrambled(small_resnet(6), 1), scrambled(small_resnet(4), 2)
    plan = legatee.plan(source, target)
    before = snapshot(target)
    with Interrupt(target, -1, error) as counter:
        legatee.inherit(plan, source, target).undo()
    assert counter.writes >= 20  # or this test would interrupt nothing
    once = counter.writes // 2
    with (
        pytest.raises((Broken, KeyboardInterrupt, legatee.LegateeError)),
        Interrupt(target, 1 + round(part * (once - 1)), error),
    ):
        legatee.inherit(plan, source, target)
    assert differing(before, snapshot(target)) == []


def test_a_copy_that_fails_halfway_leaves_the_target_as_it_was(monkeypatch):
    source, target = scrambled(cnn("8-12"), 1), scrambled(cnn("6-8"), 2)
    plan = legatee.plan(source, target)
    before = snapshot(target)
    calls, real = [], torch.Tensor.copy_

    def copy_(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 7:
            raise Broken
        return real(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "copy_", copy_)
    with pytest.raises((Broken, legatee.LegateeError)):
        legatee.inherit(plan, source, target)
    monkeypatch.undo()
    assert differing(before, snapshot(target)) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["head.bias", "blocks.2.norm2.running_var", "conv.weight"])
def test_a_source_that_is_not_finite_leaves_the_target_as_it_was(where, value):
    source, target = scrambled(small_resnet(4), 1), scrambled(small_resnet(4), 2)
    plan = legatee.plan(source, target)
    with torch.no_grad():
        saved(source)[where].view(-1)[-1] = value
    before = snapshot(target)
    with pytest.raises(legatee.LegateeError, match=where.replace(".", r"\.")):
        legatee.inherit(plan, source, target)
    assert differing(before, snapshot(target)) == []


class Failing(Mapping[str, torch.Tensor]):
    """A state that fails when a tensor is asked for the ``at``-th time."""

    def __init__(self, network: nn.Module, at: int):
        self.held, self.at, self.asked = dict(saved(network)), at, 0

    def __getitem__(self, name: str) -> torch.Tensor:
        self.asked += 1
        if self.asked == self.at:
            raise Broken
        return self.held[name]

    def __iter__(self):
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


def test_a_source_that_fails_at_any_time_leaves_the_target_as_it_was():
    source, target = scrambled(cnn("6-8"), 1), scrambled(cnn("4-6"), 2)
    plan = legatee.plan(source, target)
    whole = Failing(source, 0)
    legatee.inherit(plan, whole, copy.deepcopy(target))
    before = snapshot(target)
    assert whole.asked > 2 * len(plan.moves)
    for at in range(1, whole.asked + 1):
        with pytest.raises(Broken):
            legatee.inherit(plan, Failing(source, at), target)
        assert differing(before, snapshot(target)) == [], at


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("kind", ["resnet, deeper", "tied, narrower"])
def test_a_failure_at_any_write_leaves_the_target_as_it_was(kind, layout):
    source, target = (make() for make in PAIRS[kind])
    scrambled(source, 1)
    scrambled(target, 2).to(memory_format=layout)
    plan = legatee.plan(source, target, alpha=0.5, rule="random", seed=3)
    with Interrupt(target, -1, Broken()) as counter:
        receipt = legatee.inherit(plan, source, target)
    receipt.undo()
    before = snapshot(target)
    assert counter.writes >= len(plan.moves)
    for at in range(1, counter.writes + 1):
        with pytest.raises(Broken), Interrupt(target, at, Broken()):
            legatee.inherit(plan, source, target)
        assert differing(before, snapshot(target)) == [], at


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
def test_loading_a_file_fails_as_a_whole(part, tmp_path):
    source, target = scrambled(cnn("4-6"), 1), scrambled(cnn("4-6"), 2)
    write_weights(tmp_path / "a.safetensors", source, {})
    before = snapshot(target)
    at = 1 + round(part * (len(saved(target)) - 1))
    with pytest.raises(Broken), Interrupt(target, at, Broken()):
        load_weights(target, tmp_path / "a.safetensors")
    assert differing(before, snapshot(target)) == []
