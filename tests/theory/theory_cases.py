"""Settings that the theory's tests share."""

from hypothesis import strategies as st

from legatee import Setting, Task
from legatee.world.setting import EXAMPLE, fields

# u^2 = 2.25, s_1^2 = 6.25, s_2^2 = 3.25; sigma_1^2 d / N_1 = 3.75, sigma_2^2 d / N_2 = 90
GENERIC = Setting(
    d=1200,
    m=10,
    u_norm=1.5,
    upstream=Task(n=80, v_norm=2.0, sigma_p=0.5, eta=0.6),
    downstream=Task(n=30, v_norm=1.0, sigma_p=1.5, m=5, steps=70),
    alpha=0.3,
    eta=0.2,
    sigma_0=1e-3,
    steps=300,
)
UPSTREAM, DOWNSTREAM = GENERIC.resolved


def changed(setting=EXAMPLE, **changes):
    """The setting with other values: ``upstream_n`` is ``upstream.n``."""
    known = {k: v for k, v in fields(setting).items() if v is not None}
    for name, value in changes.items():
        task, _, own = name.partition("_")
        known[f"{task}.{own}" if task in ("upstream", "downstream") else name] = value
    return Setting.of(known)


def in_unit(setting, c):
    """The same setting with its signal and noise in another unit."""
    up, down = setting.resolved
    scaled = {"u_norm": setting.u_norm * c, "sigma_0": setting.sigma_0 / c}
    for name, task in (("upstream", up), ("downstream", down)):
        scaled |= {f"{name}_v_norm": task.v_norm * c, f"{name}_sigma_p": task.sigma_p * c}
        scaled |= {f"{name}_eta": task.eta / c**2}
    pulls = {name: getattr(setting, name) * c**2 for name in ("weight_decay", "l2_sp")}
    return changed(setting, **scaled, **pulls)


def valid_settings(decades):
    """Settings of any counts, whose positive numbers are up to so many decades from 1."""
    positive = st.floats(-decades, decades).map(lambda x: 10**x)
    count = st.floats(0, 15).map(lambda x: int(10**x))
    norm = st.just(0.0) | positive
    task = st.builds(
        Task,
        n=count,
        v_norm=norm,
        sigma_p=positive,
        eta=st.none() | positive,
        steps=st.none() | count,
    )
    return st.builds(
        Setting,
        d=count.map(lambda d: max(d, 3)),
        m=count,
        u_norm=norm,
        upstream=task,
        downstream=task,
        alpha=st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
        eta=positive,
        sigma_0=positive,
        steps=count,
    )
