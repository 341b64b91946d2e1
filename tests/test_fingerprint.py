"""Two functions that may give other results must not pass for one, nor one for two."""

import os
import subprocess
import sys
import textwrap
import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial

import numpy as np
import pytest
import torch
from torch import nn

from legatee.fingerprint import FingerprintError, code_fingerprint, weights_fingerprint
from legatee.work.workers import processes


def captures(value):
    def fit(prepared, data, seed):
        return value

    return fit


class Metric:
    def __init__(self, by):
        self.by = by

    def __call__(self, network, data):
        return torch.full((len(data),), self.by)


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by):
        self.by = by


@dataclass(frozen=True)
class Settings:
    rate: object


class Colour(Enum):
    RED = 1
    BLUE = 2


def fit(network, data, seed, rate=0.1):
    return network


def linear(value):
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, value)
    nn.init.zeros_(layer.bias)
    return layer


def nested(value):
    def inner():
        return [lambda: value]

    return inner


def own_class(answer):
    class Own:
        def method(self):
            return answer

    return Own


OTHERS = {
    "code": (lambda network: network.train(), lambda network: network.eval()),
    "constant": (lambda: 1, lambda: 2),
    "argument": (lambda x, y: x, lambda y, x: x),
    "default": (partial(lambda x=1: x), partial(lambda x=2: x)),
    "captured number": (captures(0.0), captures(1.0)),
    "captured type of number": (captures(1), captures(True)),
    "captured list": (captures([1, 2]), captures([1, 3])),
    "captured list or tuple": (captures([1, 2]), captures((1, 2))),
    "captured dict": (captures({"a": [1]}), captures({"a": [2]})),
    "captured key": (captures({"a": 1}), captures({"b": 1})),
    "captured set": (captures({1, 2}), captures({1, 3})),
    "captured array": (captures(np.arange(3)), captures(np.arange(1, 4))),
    "type of array": (captures(np.zeros(3)), captures(np.zeros(3, "float32"))),
    "shape of array": (captures(np.zeros((2, 3))), captures(np.zeros((3, 2)))),
    "captured tensor": (captures(torch.zeros(3)), captures(torch.ones(3))),
    "captured network": (captures(linear(1.0)), captures(linear(2.0))),
    "mode of network": (captures(linear(1.0).train()), captures(linear(1.0).eval())),
    "captured function": (captures(captures(1)), captures(captures(2))),
    "captured deeper": (nested(1), nested(2)),
    "captured object": (captures(Metric(1)), captures(Metric(2))),
    "slot": (captures(Slotted(1)), captures(Slotted(2))),
    "member": (captures(Colour.RED), captures(Colour.BLUE)),
    "class": (captures(own_class(1)), captures(own_class(2))),
    "generator": (captures(np.random.default_rng(1)), captures(np.random.default_rng(2))),
    "library function": (captures(np.mean), captures(np.median)),
    "captured by a library function": (processes(2), processes(3)),
    "ordered": (captures(OrderedDict(a=1)), captures(OrderedDict(a=2))),
    "bound number": (partial(fit, rate=1), partial(fit, rate=2)),
    "bound argument": (partial(fit, 1), partial(fit, 2)),
    "object": (Metric(0.0), Metric(1.0)),
    "method": (Metric(0.0).__call__, Metric(1.0).__call__),
    "method's name": ("a".upper, "a".lower),
    "method's owner": ("a".upper, "b".upper),
    "cached": (lru_cache(lambda: 1), lru_cache(lambda: 2)),
    "field": (Settings(rate=[1]), Settings(rate=[2])),
}


@pytest.mark.parametrize("change", OTHERS)
def test_what_differs_has_another_fingerprint(change):
    first, second = OTHERS[change]
    assert code_fingerprint(first) != code_fingerprint(second)


MADE = {
    "closure": lambda: captures({"a": [1, np.arange(3), torch.ones(2)]}),
    "object": lambda: Metric(1.0),
    "function": lambda: fit,
    "network": lambda: captures(linear(1.0)),
    "class": lambda: own_class(1),
    "set": lambda: captures({"b", "a", "c"}),
    "partial": lambda: partial(fit, rate=[1]),
    "library": lambda: captures(torch.nn.functional.cross_entropy),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_is_made_again_has_the_same_fingerprint(kind):
    assert code_fingerprint(MADE[kind]()) == code_fingerprint(MADE[kind]())


def test_a_shared_value_and_equal_copies_are_the_same():
    shared = (1, 2)
    assert code_fingerprint(captures([shared, shared])) == code_fingerprint(
        captures([(1, 2), tuple([1, 2])])
    )


def test_what_refers_to_itself_is_fingerprinted():
    def again(n):
        return again(n - 1)

    loop: list = [1]
    loop.append(loop)
    other: list = [2]
    other.append(other)
    assert code_fingerprint(again)
    assert code_fingerprint(captures(loop)) != code_fingerprint(captures(other))


def test_the_name_stands_before_the_digest():
    assert code_fingerprint(fit).startswith("fit ")
    assert f"(Python {sys.version_info[0]}.{sys.version_info[1]})" in code_fingerprint(fit)
    assert "Python" not in code_fingerprint(torch.nn.functional.relu)
    assert code_fingerprint(Metric(1)).startswith("Metric ")


def generator():
    yield 1


INCOMPARABLE = [generator(), threading.Lock(), sys.stdout.buffer]


@pytest.mark.parametrize("value", INCOMPARABLE, ids=lambda value: type(value).__name__)
def test_what_has_no_content_is_refused_by_name(value):
    with pytest.raises(
        FingerprintError, match=f"captured variable 'value'.*{type(value).__name__}"
    ):
        code_fingerprint(captures(value))


SCRIPT = '''
import helper

FACTOR = 2
UNUSED = 3


def scaled(x):
    """Says something."""
    return FACTOR * x + helper.shift(x)


class Fit:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, prepared, data, seed):
        return scaled(self.rate) if seed else {name for name in ("a", "b", "c")}


from legatee.fingerprint import code_fingerprint
print(code_fingerprint(Fit([0.1])))
'''
HELPER = """
AMOUNT = 5


def shift(x):
    return deeper(x) + AMOUNT


def deeper(x):
    return x
"""


def fingerprint_in(folder, script=SCRIPT, helper=HELPER, name="train.py", inline=False, seed="1"):
    """Return what a script of this text prints in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "helper.py").write_text(helper)
    (folder / name).write_text(script)
    command = ["-c", script] if inline else [name]
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def test_another_place_other_lines_and_other_comments_are_the_same_code(tmp_path):
    here = fingerprint_in(tmp_path / "a")
    assert here.startswith("Fit ")
    moved = SCRIPT.replace("FACTOR = 2", "\n\n# A comment.\nFACTOR = 2").replace(
        "Says something.", "Says something else."
    )
    lines = HELPER.replace("def deeper", "# Another comment.\n\n\ndef deeper")
    assert fingerprint_in(tmp_path / "b" / "c", moved, lines, name="other.py", seed="2") == here
    assert fingerprint_in(tmp_path / "d", inline=True, seed="3") == here
    unused = SCRIPT.replace("UNUSED = 3", "UNUSED = 4")
    assert fingerprint_in(tmp_path / "e", unused) == here


CHANGES = {
    "global": (SCRIPT.replace("FACTOR = 2", "FACTOR = 4"), HELPER),
    "callee": (SCRIPT.replace("FACTOR * x", "FACTOR / x"), HELPER),
    "callee in another module": (SCRIPT, HELPER.replace("+ AMOUNT", "- AMOUNT")),
    "global in another module": (SCRIPT, HELPER.replace("AMOUNT = 5", "AMOUNT = 6")),
    "callee of a callee": (SCRIPT, textwrap.dedent(HELPER).replace("return x", "return -x")),
}


def test_what_it_calls_and_refers_to_counts(tmp_path):
    here = fingerprint_in(tmp_path / "here")
    others = {
        name: fingerprint_in(tmp_path / name.replace(" ", "-"), *texts)
        for name, texts in CHANGES.items()
    }
    assert len({here, *others.values()}) == 1 + len(CHANGES), others


def state(**tensors):
    return tensors


STATES = {
    "value": (state(w=torch.zeros(2)), state(w=torch.tensor([0.0, 1.0]))),
    "sign of zero": (state(w=torch.zeros(1)), state(w=-torch.zeros(1))),
    "type": (state(w=torch.zeros(2)), state(w=torch.zeros(2, dtype=torch.int32))),
    "shape": (state(w=torch.zeros(2, 3)), state(w=torch.zeros(3, 2))),
    "name": (state(w=torch.zeros(2)), state(v=torch.zeros(2))),
    "one more": (state(w=torch.zeros(2)), state(w=torch.zeros(2), v=torch.zeros(0))),
}


@pytest.mark.parametrize("change", STATES)
def test_other_weights_have_another_fingerprint(change):
    first, second = STATES[change]
    assert weights_fingerprint(first) != weights_fingerprint(second)


def test_the_same_weights_in_another_order_and_layout_are_the_same():
    values = torch.arange(6.0).reshape(2, 3)
    spread = torch.zeros(3, 2).t().copy_(values)
    assert not spread.is_contiguous()
    assert weights_fingerprint({"a": values, "b": torch.ones(1)}) == weights_fingerprint(
        {"b": torch.ones(1, requires_grad=True), "a": spread}
    )
