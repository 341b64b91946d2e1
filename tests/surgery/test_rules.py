"""Selection rules: what each chooses, what they need, and what a rule of one's own may return."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import legatee
from legatee.errors import TransferError, UnknownNameError
from legatee.surgery.planning import rules
from surgery_references import positions, spread

SIZES = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
FOLDER = Path(rules.__file__).parent


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def chosen(rule: str, *sizes: int, seed: int = 0) -> list[int]:
    return list(rules.find(rule).choose(*sizes, rng(seed)))


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


def taken(plan: legatee.TransferPlan, name: str = "0.weight") -> list[int]:
    (move,) = [move for move in plan.moves if move.target == name]
    return positions(move.take[0])


# --- the folder is the list of rules --------------------------------------------------------------


def test_every_file_of_the_folder_is_a_rule():
    files = {file.stem for file in FOLDER.glob("*.py")} - {"__init__"}
    assert set(rules.names()) == files
    assert {"uniform", "first", "random", "largest", "active", "signal"} <= files


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_says_in_its_first_line_what_it_picks(name):
    first = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text())).splitlines()[0]
    assert rules.summaries()[name] == first
    assert first.endswith(".")


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_either_chooses_or_scores(name):
    rule = rules.find(name)
    assert (rule.choose is None) != (rule.scores is None)
    assert (rule.scores is None) == (rule.needs == "")


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_draws_exactly_where_another_seed_gives_other_channels(name):
    rule = rules.find(name)
    drawn = {tuple(rule.choose(40, 20, rng(seed))) for seed in range(9)} if rule.choose else {()}
    assert rule.draws == (len(drawn) > 1)


def test_a_file_is_all_that_a_new_rule_takes(tmp_path, monkeypatch):
    text = '''"""The last channels of each group."""

from legatee.surgery.planning.rules import Rule

RULE = Rule(choose=lambda available, wanted, rng: range(available - wanted, available))
'''
    (tmp_path / "last.py").write_text(text)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    plan = legatee.plan(mlp(9), mlp(4), rule="last")
    assert taken(plan) == [5, 6, 7, 8]
    assert rules.summaries()["last"] == "The last channels of each group."
    with pytest.raises(UnknownNameError, match="last"):
        legatee.plan(mlp(9), mlp(4), rule="lasts")
    sys.modules.pop(f"{rules.__name__}.last")


def test_listing_the_rules_does_not_import_torch():
    program = (
        "import sys; from legatee.surgery.planning import rules; rules.summaries();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="uniform"):
        rules.find("unifrom")


# --- what the rules choose ------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=50)
@given(SIZES)
def test_the_first_rule_takes_the_first(sizes):
    assert chosen("first", *sizes) == list(range(sizes[1]))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(SIZES)
def test_the_uniform_rule_is_the_published_formula(sizes):
    assert chosen("uniform", *sizes) == spread(*sizes)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(SIZES, st.integers(0, 5), st.sampled_from(["uniform", "first", "random"]))
def test_rules_choose_so_many_different_channels_in_order(sizes, seed, rule):
    available, wanted = sizes
    picked = chosen(rule, *sizes, seed=seed)
    assert picked == sorted(set(picked))
    assert len(picked) == wanted
    assert set(picked) <= set(range(available))


def test_the_random_rule_reaches_every_channel_equally_often():
    """20,000 draws of 3 among 8: each share 3/8 within five standard errors."""
    source, draws = rng(1), 20_000
    counts = np.zeros(8)
    for _ in range(draws):
        counts[rules.find("random").choose(8, 3, source)] += 1
    error = np.sqrt(3 / 8 * 5 / 8 / draws)
    assert np.abs(counts / draws - 3 / 8).max() < 5 * error


def test_groups_draw_different_channels_and_a_seed_draws_them_again():
    def deep(width: int) -> nn.Module:
        layers = [nn.Linear(5, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, 3))

    plans = [legatee.plan(deep(40), deep(20), rule="random", seed=seed) for seed in (0, 0, 1)]
    draws = [(taken(plan, "0.weight"), taken(plan, "2.weight")) for plan in plans]
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[0][1]
    assert draws[0] != draws[2]


# --- how many -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "size", "expected"),
    [(0.29, 50, 15), (0.57, 50, 29), (0.5, 7, 4), (0.25, 10, 3), (0.3, 10, 3), (0.1, 14, 1)],
)
def test_half_a_channel_is_rounded_up(alpha, size, expected):
    plan = legatee.plan(mlp(60), mlp(size), alpha=alpha, rule="first")
    assert taken(plan) == list(range(expected))


def test_no_more_channels_are_inherited_than_the_source_has():
    plan = legatee.plan(mlp(4), mlp(10), alpha=0.9)
    assert taken(plan) == [0, 1, 2, 3]
    (move,) = [move for move in plan.moves if move.target == "0.weight"]
    assert positions(move.put[0]) == [0, 1, 2, 3]


# --- a rule of one's own --------------------------------------------------------------------------


def test_a_function_that_scores_channels_is_a_rule():
    source = mlp(6)

    def by_bias(network: nn.Module, catalog: object, data: object) -> list:
        assert network is source
        assert data == "anything"
        return [
            network[0].bias if ("0.bias", 0) in group.members else None for group in catalog.groups
        ]

    with torch.no_grad():
        source[0].bias.copy_(torch.tensor([3.0, -1.0, 9.0, 0.0, 4.0, -7.0]))
    plan = legatee.plan(source, mlp(3), rule=by_bias, data="anything")
    assert taken(plan) == [0, 2, 4]
    assert plan.options.rule_name.startswith("custom:")
    assert plan.options.rule_name.endswith("by_bias")
    assert legatee.TransferPlan.from_json(plan.to_json()).entries == plan.entries


def test_groups_that_a_rule_cannot_score_are_spaced_evenly_and_counted():
    plan = legatee.plan(mlp(6), mlp(3), rule=lambda network, catalog, data: [None] * 3)
    assert taken(plan) == spread(6, 3)
    assert "could not score the channels of 1 source group;" in plan.warnings[0]
    ranked = legatee.plan(mlp(6), mlp(3), rule="largest")
    assert not any("could not score" in warning for warning in ranked.warnings)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([None], "returned 1 of them; expected one array of scores, or None, for each of the 3"),
        (7, "returned int"),
        ([np.zeros(2)] * 3, r"scores of shape \(2,\) for the group of '0\.weight', which has 6"),
    ],
    ids=["too few", "no list", "wrong shape"],
)
def test_scores_that_do_not_fit_the_groups_are_refused(result, message):
    with pytest.raises(TransferError, match=message):
        legatee.plan(mlp(6), mlp(3), rule=lambda network, catalog, data: result)


def test_a_function_needs_the_network_itself():
    with pytest.raises(TransferError, match="its catalogue was given; pass the network itself"):
        legatee.plan(legatee.catalog(mlp(6)), mlp(3), rule=lambda n, c, d: [None] * 3)
