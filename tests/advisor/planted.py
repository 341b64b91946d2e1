"""Cases whose verdict is known: networks that are linear classifiers, and a fit of zero steps."""

import torch
from torch import nn

import legatee
from legatee.data.examples import Examples
from legatee.methods import Inherit

DIRECTION = torch.tensor([3.0, -1.0, 2.0, 1.0])
CLASSES = ("left", "right")


def examples(n, seed, name="planted"):
    """Two classes that a plane through the origin separates."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 4, generator=generator)
    targets = (inputs @ DIRECTION > 0).long()
    return Examples(inputs=inputs, targets=targets, class_names=CLASSES, name=name)


def classifier(direction, noise=0.0):
    """A linear classifier of that direction, with noise from torch's global generator."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    weight = torch.stack([-direction, direction])
    with torch.no_grad():
        network[1].weight.copy_(weight + noise * torch.randn(2, 4))
    return network


def no_steps(prepared, data, seed):
    """A training that leaves the network as the method prepared it."""
    return prepared.network


def random_start():
    return classifier(torch.zeros(4), noise=1.0)


def good_start():
    return classifier(DIRECTION, noise=0.5)


ALL = (legatee.Arm(name="all", method=Inherit()),)


def ask(source, make_target, n=300, **options):
    """Ask for advice on planted data; the classes are those of the source."""
    defaults = {
        "fit": no_steps,
        "arms": ALL,
        "source_class_names": CLASSES,
        "seeds": 6,
        "progress": False,
    }
    return legatee.advise(
        source, make_target, examples(60, 1), examples(n, 2), **(defaults | options)
    )
