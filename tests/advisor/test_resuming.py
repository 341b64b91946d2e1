"""What continues a race, and what is refused because it is another one."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from planted import ALL, CLASSES, DIRECTION, ask, classifier, examples, no_steps, random_start
from torch import nn

import legatee
from legatee.advisor import runs as runs_of_a_race
from legatee.advisor.runs import load_runs
from legatee.errors import OutputError
from legatee.methods import Inherit
from legatee.results import Layout, Store, Variable

SOURCE = classifier(DIRECTION)


class Counter:
    """A training that counts its calls; how often it was called is no part of its identity."""

    def __init__(self, stop_at=None):
        self.trained, self.stop_at = [], stop_at

    @property
    def identity(self):
        return {"name": "counter"}

    def __call__(self, prepared, data, seed):
        if len(self.trained) == self.stop_at:
            raise KeyboardInterrupt
        self.trained.append(("scratch" if prepared.receipt is None else "other", seed))
        return prepared.network


def measured(advice):
    return [(arm.name, arm.score, arm.gain, arm.inherited_fraction) for arm in advice.arms]


def test_finished_trainings_are_kept_and_never_repeated(tmp_path):
    first = Counter(stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        ask(SOURCE, random_start, fit=first, out=tmp_path)
    second = Counter()
    advice = ask(SOURCE, random_start, fit=second, out=tmp_path)
    assert len(second.trained) == 2 * 6 - 3
    assert set(first.trained).isdisjoint(second.trained)
    assert measured(advice) == measured(ask(SOURCE, random_start))


def test_more_seeds_continue_a_race(tmp_path):
    few, more, fewer = Counter(), Counter(), Counter()
    ask(SOURCE, random_start, fit=few, seeds=2, out=tmp_path)
    advice = ask(SOURCE, random_start, fit=more, seeds=5, out=tmp_path)
    assert sorted({seed for _, seed in more.trained}) == [2, 3, 4]
    assert measured(advice) == measured(ask(SOURCE, random_start, seeds=5))
    again = ask(SOURCE, random_start, fit=fewer, seeds=[4, 0, 1], out=tmp_path)
    assert fewer.trained == []
    assert measured(again) == measured(ask(SOURCE, random_start, seeds=[4, 0, 1]))


def deep():
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


def test_more_arms_continue_a_race(tmp_path):
    few, more, source = Counter(), Counter(), deep()
    ask(source, deep, fit=few, seeds=3, out=tmp_path)
    arms = [*ALL, legatee.Arm(name="half", method=Inherit(alpha=0.5))]
    advice = ask(source, deep, fit=more, seeds=3, arms=arms, out=tmp_path)
    assert sorted(more.trained) == [("other", 0), ("other", 1), ("other", 2)]
    assert measured(advice) == measured(ask(source, deep, seeds=3, arms=arms))


def test_the_trainings_of_all_parts_are_read_together(tmp_path):
    ask(SOURCE, random_start, seeds=2, out=tmp_path)
    ask(SOURCE, random_start, seeds=3, out=tmp_path)
    assert len(list((tmp_path / "runs").glob("*.zarr"))) == 2
    runs = load_runs(tmp_path)
    assert dict(runs["score"].sizes) == {"arm": 2, "seed": 3, "item": 300}
    assert runs["score"].notnull().all()


def other_fit(prepared, data, seed):
    return prepared.network.eval()


def half_right(network, data):
    return torch.full((len(data),), 0.5)


def test_the_field_that_differs_is_named(tmp_path):
    ask(SOURCE, random_start, seeds=2, out=tmp_path)

    def again(source=SOURCE, start=random_start, **changes):
        return ask(source, start, **({"seeds": 2, "out": tmp_path} | changes))

    again()
    with pytest.raises(OutputError, match=r"its training was no_steps .* and is other_fit .* now"):
        again(fit=other_fit)
    with pytest.raises(OutputError, match=r"its metric was score_examples"):
        again(metric=half_right)
    with pytest.raises(OutputError, match=r"its source weights was"):
        again(classifier(2 * DIRECTION))
    with pytest.raises(OutputError, match=r"its target network was"):
        again(start=lambda: classifier(DIRECTION, noise=2.0))
    with pytest.raises(OutputError, match=r"its held-out data was"):
        again(n=301)
    with pytest.raises(OutputError, match=r"its training data was"):
        legatee.advise(
            *(SOURCE, random_start, examples(61, 1), examples(300, 2)),
            **{"fit": no_steps, "arms": ALL, "source_class_names": CLASSES},
            **{"seeds": 2, "out": tmp_path},
        )
    other = [legatee.Arm(name="all", method=Inherit(rule="first"))]
    with pytest.raises(OutputError, match=r"its method of arm 'all' was .*uniform.* is .*first"):
        again(arms=other)


def by_place(factor):
    """A selection rule of the caller's own, which the factor does not change."""

    def scores(network, catalog, data):
        return [factor * np.arange(group.size) for group in catalog.groups]

    return scores


def test_another_rule_of_the_same_name_is_another_race(tmp_path):
    def again(factor):
        arms = [legatee.Arm(name="own", method=Inherit(rule=by_place(factor), alpha=0.5))]
        return ask(source, deep, seeds=2, arms=arms, out=tmp_path)

    source = deep()
    again(1)
    again(1)
    with pytest.raises(OutputError, match=r"its rule of arm 'own' was"):
        again(2)


class Other(Counter):
    """Another training of the same settings."""


def test_another_kind_of_training_with_the_same_settings_is_another_race(tmp_path):
    ask(SOURCE, random_start, fit=Counter(), seeds=2, out=tmp_path)
    with pytest.raises(OutputError, match=r"its training was Counter and is Other now"):
        ask(SOURCE, random_start, fit=Other(), seeds=2, out=tmp_path)


def test_a_folder_says_how_it_can_be_replaced(tmp_path):
    ask(SOURCE, random_start, seeds=2, out=tmp_path)
    with pytest.raises(OutputError, match=r"choose another folder \(out=, --out\), or delete"):
        ask(SOURCE, random_start, fit=other_fit, seeds=2, out=tmp_path)


def test_progress_counts_what_was_done_before(tmp_path, monkeypatch):
    counted = []

    @contextmanager
    def track(total, label, *, shown):
        counted.append((total, label, shown))
        yield lambda text="", steps=1: counted.append((text, steps))

    monkeypatch.setattr(runs_of_a_race, "track", track)
    ask(SOURCE, random_start, seeds=2, out=tmp_path, progress=True)
    assert counted[0] == (4, "paired trainings", True)
    assert counted[1:] == [
        (f"{name}, seed {seed}", 1) for seed in (0, 1) for name in ("scratch", "all")
    ]
    counted.clear()
    ask(SOURCE, random_start, seeds=3, out=tmp_path)
    assert counted[:2] == [(6, "paired trainings", False), ("already done", 4)]
    assert [text for text, _ in counted[2:]] == ["scratch, seed 2", "all, seed 2"]


def test_the_plan_that_is_recommended_is_that_of_the_first_seed():
    """A rule that draws has another plan under each seed."""
    source = nn.Sequential(nn.Linear(4, 40), nn.Linear(40, 2))

    def start():
        return nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))

    def metric(network, data):
        return torch.full((len(data),), float(network.training))

    def fit(prepared, data, seed):
        return prepared.network.train(prepared.receipt is not None)

    method = Inherit(rule="random", head=False)
    arms = [legatee.Arm(name="drawn", method=method)]
    advice = ask(source, start, fit=fit, metric=metric, arms=arms, seeds=[5, 3])
    assert advice.best == "drawn"
    assert advice.plan.entries == method.plan(start(), source, 5).entries
    assert advice.plan.entries != method.plan(start(), source, 3).entries


def test_settings_of_the_training_loop_are_named_one_by_one_and_its_device_is_none(tmp_path):
    def loop(**changes):
        return legatee.TrainingLoop(**({"epochs": 1, "device": "cpu"} | changes))

    ask(SOURCE, random_start, fit=loop(), seeds=2, out=tmp_path)
    ask(SOURCE, random_start, fit=loop(device=None), seeds=2, out=tmp_path)
    with pytest.raises(OutputError, match=r"its training: epochs was 1 and is 2 now"):
        ask(SOURCE, random_start, fit=loop(epochs=2), seeds=2, out=tmp_path)
    with pytest.raises(OutputError, match=r"learning_rate was 0.003 and is 0.01 now"):
        ask(SOURCE, random_start, fit=loop(learning_rate=0.01), seeds=2, out=tmp_path)


def test_a_training_that_nobody_can_compare_is_not_resumed(tmp_path):
    with (tmp_path / "log").open("w") as log:

        def fit(prepared, data, seed):
            log.write("trained\n")
            return prepared.network

        ask(SOURCE, random_start, fit=fit, seeds=2, out=tmp_path / "advice")
        with pytest.raises(OutputError, match=r"cannot be resumed.*'log'.*TextIOWrapper"):
            ask(SOURCE, random_start, fit=fit, seeds=3, out=tmp_path / "advice")


def test_a_folder_of_something_else_is_refused(tmp_path):
    layout = Layout(
        coords={"x": [1]},
        variables={"y": Variable(dims=("x",), dtype="float32", units="1", about="")},
        block={"x": 1},
        identity={"what": "else"},
    )
    Store(tmp_path / "runs" / "part-000.zarr", layout)
    with pytest.raises(OutputError, match="something else than trainings of a race"):
        ask(SOURCE, random_start, seeds=2, out=tmp_path)


def test_the_plan_of_an_earlier_verdict_does_not_stay_behind(tmp_path):
    ask(SOURCE, random_start, seeds=4, out=tmp_path)
    assert (tmp_path / "plan.json").exists()
    ask(SOURCE, random_start, seeds=4, error_rate=1e-12, out=tmp_path)
    assert not (tmp_path / "plan.json").exists()
