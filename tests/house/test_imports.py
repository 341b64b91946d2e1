"""The house rules, as a test: who may import whom, who may import torch, who may touch disk."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "legatee"
GROUND = {
    "errors",
    "disk",
    "document",
    "text",
    "rounding",
    "progress",
    "compiling",
    "specs",
    "fingerprint",
    "provenance",
    "intervals",
    "plans",
    "world",
    "work",
    "results",
    "advice",
    "finding",
}
MIDDLE = {"theory", "simulator", "surgery", "models", "data", "methods", "training"}
ALLOWED = {  # wing or ground room -> what it may import, beside itself
    "errors": set(),
    "disk": {"errors"},
    "document": {"errors", "disk"},
    "text": set(),
    "rounding": set(),
    "progress": {"text"},
    "compiling": set(),
    "specs": {"errors"},
    "fingerprint": {"errors"},
    "provenance": {"document"},
    "intervals": {"document"},
    "plans": {"document", "errors", "text"},
    "world": {"errors", "document", "rounding"},
    "work": {"errors"},
    "results": {"errors", "disk"},
    "advice": {"document", "intervals", "plans", "provenance", "text"},
    "finding": {"document", "intervals", "provenance"},
    "theory": {"errors", "document", "compiling", "text", "world"},
    "simulator": {"errors", "progress", "compiling", "world"},
    "surgery": {"errors", "disk", "fingerprint", "plans", "provenance", "rounding", "text"},
    "models": {"errors", "disk", "specs", "fingerprint", "surgery"},
    "data": {"errors", "disk", "specs", "fingerprint"},
    "methods": {"errors", "document", "plans", "fingerprint", "surgery", "data"},
    "training": {"errors", "progress", "fingerprint", "data", "methods"},
    "sweep": GROUND | {"simulator"},
    "report": {"errors", "disk", "results", "text", "intervals", "plans", "advice", "finding"},
    "advisor": GROUND | {"theory", "surgery", "models", "data", "methods", "training"},
    "experiments": GROUND | MIDDLE | {"advisor", "report", "sweep"},
    "cli": GROUND | MIDDLE | {"advisor", "experiments", "report", "sweep"},
    "__main__": {"cli"},
}
SURGERY = {  # a sub-wing of surgery -> those it may import, beside itself
    "network": set(),
    "applying": {"network"},
    "checking": {"network", "applying"},
    "planning": {"network", "applying", "checking"},
    "files": {"network", "applying"},
}
MAY_IMPORT_TORCH = {
    "fingerprint",
    "simulator",
    "surgery",
    "models",
    "data",
    "methods",
    "training",
    "advisor",
    "experiments",
}
MAY_TOUCH_DISK = {
    "disk",
    "document",
    "surgery/files/checkpoint",
    "surgery/files/digest",
    "surgery/files/mapped",
    "surgery/files/pickled",
    "data/sources",
    "results",
    "report/page",
    "report/findings",
    "advisor/advise",  # the folder that advise(out=...) is asked to keep
    "advisor/training",  # a race that is sent to other processes
    "cli/config",
    "cli/plan",
    "cli/transfer",
    "cli/options",
    "cli/settings",
    "cli/sweep",
    "cli/reproduce",
    "experiments/reproduce",
}
DISK_CALLS = {
    "open",
    "read_text",
    "write_text",
    "read_bytes",
    "write_bytes",
    "savez",
    "save",
    "save_file",
    "to_zarr",
    "to_netcdf",
}

ROOMS = sorted(p.relative_to(SRC).with_suffix("").as_posix() for p in SRC.rglob("*.py"))
ROOMS = [room for room in ROOMS if room != "__init__"]


def imported(room: str, *, for_types: bool = True) -> set[str]:
    """Return every module that ``room`` names in an import, as dotted absolute paths."""
    found = set()
    tree = ast.parse((SRC / f"{room}.py").read_text())
    if not for_types:  # what stands below `if TYPE_CHECKING:` is never imported at run time
        tree.body = [node for node in tree.body if "TYPE_CHECKING" not in ast.unparse(node)[:20]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{room}.py line {node.lineno}: write imports from the root"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_downhill(room: str):
    wing = room.split("/")[0]
    others = {m.split(".")[1] for m in imported(room) if m.startswith("legatee.")}
    assert others - {wing} <= ALLOWED[wing]


@pytest.mark.parametrize("room", [room for room in ROOMS if room.count("/") == 2])
def test_imports_run_downhill_within_surgery(room: str):
    wing, part, _ = room.split("/")
    if wing == "surgery":
        others = {m.split(".")[2] for m in imported(room) if m.startswith("legatee.surgery.")}
        assert others - {part} <= SURGERY[part]


@pytest.mark.parametrize("room", ROOMS)
def test_torch_stays_in_its_rooms(room: str):
    uses_torch = any(m.split(".")[0] == "torch" for m in imported(room, for_types=False))
    assert not uses_torch or {room, room.split("/")[0]} & MAY_IMPORT_TORCH


@pytest.mark.parametrize("room", ROOMS)
def test_disk_is_touched_only_at_the_doors(room: str):
    tree = ast.parse((SRC / f"{room}.py").read_text())
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    used = {getattr(f, "attr", getattr(f, "id", None)) for f in called} & DISK_CALLS
    assert not used or {room, room.rpartition("/")[0]} & MAY_TOUCH_DISK, used


def test_no_circle_anywhere():
    names = {"legatee." + room.replace("/", ".").removesuffix(".__init__"): room for room in ROOMS}
    graph = {room: {names[m] for m in imported(room) if m in names} - {room} for room in ROOMS}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
