"""How fast is the simulator, and how far from what the machine can do? Ratios within one run.

Run it with `make bench-speed`; about five minutes on one core.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tables import show, where
from threadpoolctl import threadpool_limits
from torch import Tensor

from legatee import Setting, Task, simulate
from legatee.simulator.kernel import block_width, descend

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import reference

M, FIRST, SECOND, STEPS, TESTS = 20, 100, 40, 200, 2000
SETTING = Setting(
    d=2000,
    m=M,
    u_norm=2.0,
    upstream=Task(n=FIRST, v_norm=3.0, sigma_p=1.0),
    downstream=Task(n=SECOND, v_norm=2.0, sigma_p=1.0),
    alpha=0.5,
    eta=1.0,
    sigma_0=1e-4,
    steps=STEPS,
)


def competent(setting: Setting, seeds: int) -> Tensor:
    """Run the experiment in d coordinates as well as PyTorch can.

    All seeds in one batched product, the rank-one signal kept apart, in place, float32.

    Args:
        setting: The setting.
        seeds: Runs in the batch [count].

    Returns:
        Accuracies of upstream, scratch and inherited ``[3, seeds]``.
    """
    d, generator = setting.d, torch.Generator().manual_seed(0)
    first, second = setting.resolved
    sides = torch.cat([torch.ones(M), -torch.ones(M)])

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def patches(batch: tuple[int, ...], task: int) -> tuple[Tensor, Tensor]:
        noise = draw(*batch, d)
        noise[..., [0, 1 + task]] = 0
        return noise, torch.randint(0, 2, batch, generator=generator) * 2.0 - 1

    def train(W: Tensor, noise: Tensor, labels: Tensor, signal: Tensor, eta: float) -> Tensor:
        rate = eta / (noise.shape[1] * M)
        for _ in range(STEPS):
            B, a = torch.bmm(W, noise.mT), W[..., :3] @ signal
            shown = (a[..., None] * labels[:, None]).relu_()
            f = torch.einsum("r,srn->sn", sides, B.relu() + shown) / M
            q = rate * labels * torch.sigmoid(-labels * f)
            change = sides[:, None] * q[:, None] * (B > 0)
            up, down = q.clamp(min=0).sum(1, True), -q.clamp(max=0).sum(1, True)
            W.baddbmm_(change, noise)
            W[..., :3] += (sides * (up * (a > 0) + down * (a < 0)))[..., None] * signal
        return W

    def test(W: Tensor, signal: Tensor, task: int) -> Tensor:
        found = []
        for filters in W:
            noise, labels = patches((TESTS,), task)
            says = ((filters[:, :3] @ signal)[:, None] * labels).relu_()
            f = sides @ (says + (filters @ noise.T).relu_())
            found.append((f * labels > 0).float().mean())
        return torch.stack(found)

    signals = [torch.zeros(3), torch.zeros(3)]
    for k, task in enumerate((first, second)):
        signals[k][0], signals[k][1 + k] = setting.u_norm, task.v_norm
    up = train(
        setting.sigma_0 * draw(seeds, 2 * M, d), *patches((seeds, FIRST), 0), signals[0], first.eta
    )
    data, fresh = patches((seeds, SECOND), 1), setting.sigma_0 * draw(seeds, 2 * M, d)
    start = fresh.clone()
    count = setting.inherited_filters
    start.view(seeds, 2, M, d)[:, :, :count] = up.view(seeds, 2, M, d)[:, :, :count]
    scratch = train(fresh, *data, signals[1], second.eta)
    inherited = train(start, *data, signals[1], second.eta)
    return torch.stack(
        [test(up, signals[0], 0), test(scratch, signals[1], 1), test(inherited, signals[1], 1)]
    )


def operations(setting: Setting) -> tuple[float, float]:
    """Return floating-point operations of one seed, in d coordinates and ours, products only."""
    trained = (FIRST, SECOND, SECOND)
    theirs = sum(2 * 2 * (2 * M) * n * setting.d * STEPS for n in trained)
    theirs += 3 * 2 * (2 * M) * TESTS * setting.d
    kept = FIRST + SECOND + 4 * M + 3
    ours = sum(2 * (2 * M) * n**2 * STEPS for n in trained)
    ours += 2 * kept * (FIRST**2 + SECOND**2)  # inner products of the patches
    ours += 3 * 2 * kept * (2 * M) * (2 * max(trained) + 2 * M)  # starts, weights, covariances
    ours += 3 * 2 * (2 * M) ** 2 * TESTS / 4  # a draw stands for four samples
    return float(theirs), float(ours)


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """Return the median time of a call, after one to warm up."""
    run()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def ours(setting: Setting, seeds: int) -> None:
    """Simulate with 2,000 test samples at the end; step 0 is left out of the accuracy's cost."""
    simulate(setting, seeds, test_draws=TESTS // 4)


def pipeline() -> None:
    """Compare the whole pipeline with programs in d coordinates."""
    rows = []
    for d, batch in ((2000, 16), (20_000, 4)):
        setting = replace(SETTING, d=d)
        mine = seconds(lambda s=setting: ours(s, 64)) / 64
        good = seconds(lambda s=setting, b=batch: competent(s, b), 1) / batch
        naive = seconds(lambda s=setting: reference.run(s, 0, TESTS), 1)
        theirs, own = operations(setting)
        rows.append(
            (
                f"{d:,}",
                f"{1e3 * mine:.1f} ms",
                f"{1e3 * good:.0f} ms",
                f"{naive:.1f} s",
                f"{theirs / own:.0f}x",
                f"**{good / mine:.0f}x**",
                f"{good / mine / (theirs / own):.0%}",
                f"{naive / mine:,.0f}x",
            )
        )
    show(
        "Whole pipeline, a seed, float32 (the program one writes first: float64, autograd)",
        (
            "d",
            "simulate",
            "competent",
            "first program",
            "ratio of operations",
            "competent / simulate",
            "share of the ratio",
            "first / simulate",
        ),
        rows,
    )


def dimension() -> None:
    """Compare a moderate and a huge dimension, in turn."""
    near, far = replace(SETTING, d=10**5), replace(SETTING, d=10**8)
    ratios = []
    ours(near, 64)
    for _ in range(11):
        times = []
        for setting in (near, far):
            began = time.perf_counter()
            ours(setting, 64)
            times.append(time.perf_counter() - began)
        ratios.append(times[1] / times[0])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    show(
        "d = 10^8 against d = 10^5, 64 seeds, in turn",
        ("median ratio of times", "quartiles"),
        [(f"**{middle:.3f}**", f"{low:.3f} to {high:.3f}")],
    )


def peak(dtype: str, size: int = 1500) -> float:
    """Return this core's floating-point operations per second in a large product."""
    a, b = (np.random.default_rng(i).random((size, size)).astype(dtype) for i in (0, 1))
    out = np.empty_like(a)
    return 2 * size**3 / seconds(lambda: np.dot(a, b, out=out), 3)


def loop(n: int, dtype: str, steps: int) -> Callable[[], None]:
    """Return a call that takes so many steps of one network, and nothing else."""
    source, filters = np.random.default_rng(0), 2 * M
    width = block_width(n, filters)
    blocks = -(-n // width)
    total = blocks * width
    patches = source.standard_normal((total, total + 100))
    patches[n:] = 0
    gram = (patches @ patches.T + 2000 * np.eye(total)).astype(dtype)
    gram = np.ascontiguousarray(gram.reshape(blocks, width, blocks, width).transpose(2, 0, 1, 3))
    B = source.standard_normal((1, blocks, filters, width)).astype(dtype) * 0.01
    a = source.standard_normal((1, filters)).astype(dtype) * 0.01
    labels = np.sign(source.standard_normal((1, blocks, width))).astype(dtype)
    labels.reshape(-1)[n:] = 0
    one = np.ones(1, dtype)

    def run() -> None:
        descend(
            B.copy(),
            np.zeros_like(B),
            a.copy(),
            np.zeros_like(a),
            gram[None],
            np.zeros((1, 0, 0), dtype),
            np.zeros_like(labels),
            labels,
            labels,
            9 * one,
            one * np.dtype(dtype).type(0.05 / n / M),
            one,
            np.zeros((1, 0, 0, 0), dtype),
            np.zeros((1, 0), dtype),
            steps,
        )

    return run


def training_loop() -> None:
    """Compare the training loop with a large product in the same dtype, measured beside it."""
    rows = []
    for dtype in ("float32", "float64"):
        for n in (40, 100, 200, 400, 1000):
            steps = max(20, int(4e9 / (2 * 2 * M * n**2)))
            run, flops = loop(n, dtype, steps), 2 * 2 * M * n**2 * steps
            run()
            shares = [flops / seconds(run, 1) / peak(dtype) for _ in range(7)]
            low, middle, high = np.quantile(shares, [0, 0.5, 1])
            rows.append((dtype, n, f"**{middle:.0%}**", f"{low:.0%} to {high:.0%}"))
    show(
        "Training loop: share of a core's matrix-product peak (m = 20)",
        ("dtype", "N", "median", "range"),
        rows,
    )


def _loops(count: int) -> float:
    """Take the training loop several times in this process; return the seconds."""
    with threadpool_limits(1):
        run = loop(100, "float32", 2000)
        run()
        began = time.perf_counter()
        for _ in range(count):
            run()
        return time.perf_counter() - began


def processes() -> None:
    """Compare one process with two."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(_loops, [5, 5]))
        alone = [next(pool.map(_loops, [60])) for _ in range(3)]
        both = [max(pool.map(_loops, [60, 60])) for _ in range(3)]
    ratio = np.median(both) / np.median(alone)
    show(
        "Two processes on two cores against one on one",
        ("time of both / time of one", "speed-up"),
        [(f"{ratio:.2f}", f"**{2 / ratio:.2f}x**")],
    )


MEMORY = """
from pathlib import Path
from world_speed import SETTING
from legatee import simulate
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM"))
before = peak()
simulate(SETTING, 1000)
print(before, peak())
"""


def memory() -> None:
    """Measure the peak memory of 1,000 seeds in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    before, after = (int(part) / 2**20 for part in done.stdout.split())
    show(
        "Memory: 1,000 seeds of the setting above",
        ("whole process, peak", "before simulating"),
        [(f"**{after:.2f} GiB**", f"{before:.2f} GiB")],
    )


def main() -> None:
    """Print every table."""
    torch.set_num_threads(1)
    print(where())
    with threadpool_limits(1):
        pipeline()
        dimension()
        training_loop()
    processes()
    memory()


if __name__ == "__main__":
    main()
