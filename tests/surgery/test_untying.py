"""A source whose words are tied to its output, a target that keeps the two apart."""

import pytest
import torch
from torch import Tensor, nn

import legatee
from surgery_references import scrambled, spread


class Words(nn.Module):
    """Words in, words out, by one table or by two."""

    def __init__(self, width: int, *, tied: bool, words: int = 20):
        super().__init__()
        self.table = nn.Embedding(words, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, words)
        if tied:
            self.out.weight = self.table.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.mid(self.table(x)).relu())


@pytest.mark.parametrize("match", [None, {"": ""}, {"table": "table", "mid": "mid", "out": "out"}])
def test_an_untied_network_computes_what_the_tied_one_does(match):
    source, target = scrambled(Words(8, tied=True), 1), scrambled(Words(8, tied=False), 2)
    receipt = legatee.inherit(legatee.plan(source, target, match=match), source, target)
    assert receipt.inherited_fraction == 1.0
    numbers = torch.arange(20)[None]
    assert torch.equal(source(numbers), target(numbers))
    assert target.out.weight is not target.table.weight


def test_both_tables_of_a_narrower_network_take_the_same_channels():
    source = nn.DataParallel(scrambled(Words(12, tied=True), 1))
    target = scrambled(Words(8, tied=False), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert torch.equal(target.out.weight, source.module.table.weight[:, spread(12, 8)])
    assert torch.equal(target.table.weight, target.out.weight)


def test_words_are_not_taken_where_there_are_others():
    plan = legatee.plan(Words(8, tied=True), Words(8, tied=False, words=16))
    assert {move.target for move in plan.moves} == {"mid.weight", "mid.bias"}
    reasons = {entry.target: entry.reason for entry in plan.untouched}
    assert reasons["out.weight"] == "the target has 16 input channels or tokens, the source 20"


def test_apart_in_both_networks_what_shows_the_words_is_a_head():
    plan = legatee.plan(Words(12, tied=False), Words(8, tied=False))
    assert "out.weight" in {entry.target for entry in plan.untouched}
