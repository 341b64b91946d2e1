"""What the tests of the model world's commands share."""

import json

import pytest

from legatee import Setting

# Another setting than the example in every way, and small enough to be simulated at once.
TOML = """
d = 600
m = 6
u_norm = 1.5
alpha = 0.5
eta = 0.3
sigma_0 = 1e-3
steps = 20

[upstream]
n = 40
v_norm = 2
sigma_p = 0.7
steps = 30

[downstream]
n = 12
v_norm = 1.25
sigma_p = 1.2
"""
WRITTEN = Setting.of(
    {"d": 600, "m": 6, "u_norm": 1.5, "alpha": 0.5, "eta": 0.3, "sigma_0": 1e-3, "steps": 20}
    | {"upstream.n": 40, "upstream.v_norm": 2, "upstream.sigma_p": 0.7, "upstream.steps": 30}
    | {"downstream.n": 12, "downstream.v_norm": 1.25, "downstream.sigma_p": 1.2}
)


def strict(text):
    """Read JSON that other readers than Python's can read, too."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
