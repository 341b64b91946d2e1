"""What an advice says it says nothing about."""

import pytest
from planted import CLASSES, DIRECTION, classifier, examples, no_steps, random_start
from torch import nn

import legatee
from legatee.advisor.questions import open_questions
from legatee.advisor.race import Race
from legatee.methods import Inherit, LinearProbe, Scratch
from legatee.training.tasks import score_examples

ALWAYS = [
    "other-fractions",
    "other-methods",
    "other-procedures",
    "other-amounts-of-data",
    "other-populations",
]


def asked(*methods, seeds=(0, 1, 2), twins=None, classes_known=True):
    named = [legatee.Arm(name=f"arm {i}", method=method) for i, method in enumerate(methods)]
    race = Race(
        source=classifier(DIRECTION),
        make_target=random_start,
        train=examples(1234, 1),
        held_out=examples(9, 2),
        arms=(legatee.Arm(name="scratch", method=Scratch()), *named),
        seeds=seeds,
        fit=no_steps,
        metric=score_examples,
    )
    questions = open_questions(race, twins or {}, classes_known=classes_known)
    return [question.code for question in questions], {q.code: q.text for q in questions}


def test_five_questions_are_always_open():
    codes, texts = asked(Inherit())
    assert codes == ALWAYS
    assert "same one" in texts["other-procedures"]
    assert "1,234 examples" in texts["other-amounts-of-data"]
    assert "held-out" in texts["other-populations"]


def test_every_fraction_rule_and_method_that_was_compared_is_named_once():
    _, texts = asked(
        Inherit(alpha=0.25), Inherit(alpha=0.5), Inherit(alpha=0.5, rule="first"), LinearProbe()
    )
    fractions = texts["other-fractions"]
    assert "than 1, 0.5, 0.25, and other selection rules than uniform, first." in fractions
    assert texts["other-methods"].endswith("the methods compared are inherit, linear_probe.")
    assert "scratch" not in texts["other-methods"]


def test_a_method_without_options_has_no_fraction_to_name():
    class Own(Scratch.__base__):
        kind: str = "own"

        def apply(self, plan, network, source):
            return Scratch().apply(plan, network, source)

    _, texts = asked(Own(), Inherit(alpha=0.5))
    assert "than 0.5, and other selection rules than uniform." in texts["other-fractions"]
    assert texts["other-methods"].endswith("are own, inherit.")


@pytest.mark.parametrize(("known", "codes"), [(True, ALWAYS), (False, [*ALWAYS, "head"])])
def test_the_head_is_a_question_where_the_classes_of_the_source_are_not_known(known, codes):
    found, texts = asked(Inherit(), classes_known=known)
    assert found == codes
    if not known:
        assert "source_class_names=" in texts["head"]
        assert "--source-class-names" in texts["head"]


def test_fewer_than_three_seeds_are_few():
    codes, texts = asked(Inherit(), seeds=(0, 1))
    assert codes == [*ALWAYS, "few-seeds"]
    assert "all 2 seeds" in texts["few-seeds"]
    assert "few-seeds" not in asked(Inherit(), seeds=(0, 1, 2))[0]


def test_each_arm_that_was_left_out_is_named_with_the_arm_that_it_equals():
    codes, texts = asked(Inherit(), twins={"half": "all"})
    assert codes == [*ALWAYS, "same-arm"]
    assert "'half'" in texts["same-arm"]
    assert "'all'" in texts["same-arm"]


def test_an_advice_carries_the_questions_of_its_race():
    def advised(**options):
        return legatee.advise(
            nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)),
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)),
            examples(30, 1),
            examples(30, 2),
            fit=no_steps,
            progress=False,
            **options,
        )

    codes = [question.code for question in advised(seeds=2).not_checked]
    assert codes == [*ALWAYS, "head", "few-seeds"]
    known = advised(seeds=3, source_class_names=CLASSES)
    assert [question.code for question in known.not_checked] == ALWAYS
