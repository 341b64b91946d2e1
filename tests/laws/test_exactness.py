"""The span simulator and the naive d-dimensional program, on the same draws and in law."""

import numpy as np
import pytest
import torch

import reference
from legatee.setting import Setting, Task
from legatee.simulator.batch import How, _World
from legatee.simulator.train import Descent

GENERIC = {
    "d far above the vectors": Setting(
        d=400, m=3, u_norm=1.3, alpha=0.5, eta=0.7, sigma_0=0.01, steps=200,
        upstream=Task(n=11, v_norm=1.7, sigma_p=0.9),
        downstream=Task(n=7, v_norm=0.8, sigma_p=1.4),
    ),
}  # fmt: skip
