"""The trainings of a race on disk: what is there is never trained again, and more can be added.

A part is a store of its own that holds some arms under some seeds. The first part holds the first
call's; later calls with more arms or more seeds add parts.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xarray as xr

from legatee.advisor.fits import INCOMPARABLE, epochs_of
from legatee.advisor.race import Race
from legatee.advisor.training import Training, sent, train_one
from legatee.disk import paths_in
from legatee.errors import LegateeError, OutputError
from legatee.progress import track
from legatee.results import DONE, Layout, Store, Variable, identity_of, load
from legatee.work.workers import each, processes

FOLDER = "runs"  # of a race's parts, in the folder of its advice
BY_TRAINING = ("arm", "seed")


def run(
    race: Race,
    out: Path | None,
    provenance: Mapping[str, Any],
    *,
    workers: int = 1,
    progress: bool = True,
) -> xr.Dataset:
    """Train every arm under every seed, and score it on every held-out example.

    Args:
        race: Which arms and seeds.
        out: Folder in which trainings are kept, and looked for; nowhere if ``None``.
        provenance: What to record with trainings.
        workers: Processes to train in, one thread each; 1 trains in this one [count].
        progress: Whether to report progress on standard error.

    Returns:
        ``score[arm, seed, item]``, ``train_loss[arm, seed, epoch]``,
        ``held_out_score[arm, seed, epoch]`` (NaN where not measured), and ``diverged``,
        ``inherited`` and ``seconds[arm, seed]``.

    Raises:
        OutputError: If ``out`` holds another race, or cannot be written.
        LegateeError: If the race cannot be sent to other processes, or a training failed.
    """
    with TemporaryDirectory() as nowhere:
        folder = out if out is not None else Path(nowhere)
        stores = _stores(race, folder, provenance)
        pending = [
            (arm.name, seed)
            for seed in race.seeds
            for arm in race.arms
            if not _is_done(stores[arm.name, seed], (arm.name, seed))
        ]
        total = len(race.arms) * len(race.seeds)
        with track(total, "paired trainings", shown=progress) as advance:
            if done := total - len(pending):
                advance("already done", done)

            def keep(training: Training, result: dict[str, Any]) -> None:
                _write(stores[training], training, result)
                advance(f"{training[0]}, seed {training[1]}")

            if workers == 1:
                for training in pending:
                    keep(training, train_one(race, training))
            else:
                with sent(race, workers) as trainer:
                    _report(each(trainer, pending, processes(workers), keep), len(pending))
        return load_runs(folder).sel(arm=[arm.name for arm in race.arms], seed=list(race.seeds))


def load_runs(folder: str | os.PathLike[str]) -> xr.Dataset:
    """Read all trainings of a race.

    Args:
        folder: That of its advice.

    Returns:
        What :func:`run` returns; NaN where a training is not finished.

    Raises:
        OutputError: If there are none, or they are damaged.
    """
    parts = [load(path).drop_vars(DONE) for path in _paths(Path(folder))]
    if not parts:
        raise OutputError(f"{os.fspath(folder)!r} holds no trainings of a race")
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.combine_first(part)
    return merged


def has_runs(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder holds trainings of a race."""
    return bool(_paths(Path(folder)))


def _paths(folder: Path) -> list[Path]:
    """Return where the parts of a race are, in order."""
    return paths_in(folder / FOLDER, "part-*.zarr")


def _stores(race: Race, folder: Path, provenance: Mapping[str, Any]) -> dict[Training, Store]:
    """Return the store of every training; what is missing is laid out as further parts."""
    stores: dict[Training, Store] = {}
    paths = _paths(folder)
    for path in paths:
        arms, seeds = _check_part(race, path)
        store = Store(path, _layout(race, arms, seeds, provenance))
        stores |= {(name, seed): store for name in arms for seed in seeds}
    missing: dict[tuple[int, ...], list[str]] = {}
    for arm in race.arms:
        if lacking := tuple(s for s in race.seeds if (arm.name, s) not in stores):
            missing.setdefault(lacking, []).append(arm.name)
    for number, (new_seeds, names) in enumerate(missing.items(), start=len(paths)):
        path = folder / FOLDER / f"part-{number:03d}.zarr"
        arms = {arm.name: _plain(race.arm_identity(arm)) for arm in race.arms if arm.name in names}
        store = Store(path, _layout(race, arms, list(new_seeds), provenance))
        stores |= {(name, seed): store for name in names for seed in new_seeds}
    return stores


def _check_part(race: Race, path: Path) -> tuple[dict[str, Any], list[int]]:
    """Return the arms and seeds of a part, or refuse it, naming what differs."""
    kept = identity_of(path)
    place = str(path.parent.parent)
    try:
        arms, seeds = dict(kept.pop("arms")), list(kept.pop("seeds"))
    except (KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{place!r} holds something else than trainings of a race") from error
    _compare(kept, _plain(race.identity), place)
    for arm in race.arms:
        if arm.name in arms:
            now = _plain(race.arm_identity(arm))
            _compare(_named(arms[arm.name], arm.name), _named(now, arm.name), place)
    return arms, seeds


def _plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity as it is read back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def _named(identity: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """Return what distinguishes an arm under names that errors can use."""
    return {f"{field} of arm {arm!r}": value for field, value in identity.items()}


def _compare(kept: Mapping[str, Any], now: Mapping[str, Any], place: str) -> None:
    """Refuse a race that is not the one of a folder, naming the first field that differs."""
    for field in [*now, *(field for field in kept if field not in now)]:
        before, after = kept.get(field), now.get(field)
        if str(after).startswith(INCOMPARABLE):
            raise OutputError(
                f"{place!r} holds trainings that cannot be resumed, because nobody can tell "
                f"whether the {field} is the same: {str(after).removeprefix(INCOMPARABLE)}; choose "
                "another folder (out=, --out), or delete this one"
            )
        if before != after:
            raise OutputError(
                f"{place!r} holds the trainings of another race: its {field} was {before} and is "
                f"{after} now; choose another folder (out=, --out), or delete this one"
            )


def _is_done(store: Store, training: Training) -> bool:
    """Tell whether a training is finished."""
    return store.is_done(_unit(store, training))


def _write(store: Store, training: Training, result: Mapping[str, Any]) -> None:
    """Keep a finished training."""
    store.write(_unit(store, training), result)


def _unit(store: Store, training: Training) -> dict[str, int]:
    """Return where a training is in its store."""
    coords = store.layout.coords
    return {dim: coords[dim].index(label) for dim, label in zip(BY_TRAINING, training, strict=True)}


def _report(failed: list[tuple[Training, str]], total: int) -> None:
    """Report trainings that failed."""
    if failed:
        (name, seed), reason = failed[0]
        raise LegateeError(
            f"{len(failed)} of {total} trainings failed, such as arm {name!r} with seed {seed}: "
            f"{reason}; finished trainings are kept where out= (--out) says, and the same call "
            "resumes, with fewer workers if memory is short"
        )


def _layout(
    race: Race, arms: Mapping[str, Any], seeds: list[int], provenance: Mapping[str, Any]
) -> Layout:
    """Lay out what a part holds, and what must be equal for it to be continued."""
    per_epoch = (*BY_TRAINING, "epoch")
    return Layout(
        coords={
            "arm": list(arms),
            "seed": list(seeds),
            "item": list(range(len(race.held_out))),  # type: ignore[arg-type]
            "epoch": list(range(1, epochs_of(race.fit) + 1)),
        },
        block={"arm": 1, "seed": 1},
        variables={
            "score": Variable(
                dims=(*BY_TRAINING, "item"),
                dtype="float32",
                units="score",
                about="held-out score of each example after training",
            ),
            "train_loss": Variable(
                dims=per_epoch, dtype="float32", units="nats", about="mean training loss"
            ),
            "held_out_score": Variable(
                dims=per_epoch, dtype="float32", units="score", about="mean held-out score"
            ),
            "diverged": Variable(
                dims=BY_TRAINING, dtype="float32", units="1", about="1 if not finite"
            ),
            "inherited": Variable(
                dims=BY_TRAINING, dtype="float64", units="1", about="share of inherited elements"
            ),
            "seconds": Variable(
                dims=BY_TRAINING, dtype="float32", units="s", about="training time"
            ),
        },
        identity={**race.identity, "arms": list(arms.items()), "seeds": list(seeds)},
        provenance=provenance,
    )
