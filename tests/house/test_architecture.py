"""The page about the architecture is true: it names every file, and imports follow its order."""

import re
from pathlib import Path

from test_imports import ROOMS, imported

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
WHOLE = {"experiments/figures", "surgery/planning/rules", "data/sources"}  # files found by name


def rooms_on_the_page() -> set[str]:
    """Return every file and folder that the tree of the page lists, as paths below ``legatee``."""
    tree = re.search(r"```\nsrc/legatee/\n(.*?)```", PAGE, re.DOTALL)[1]
    found, above = set(), []
    for line in tree.splitlines():
        indent, name = re.match(r"( +)(\S+)", line).groups()
        above = above[: len(indent) // 2 - 1]
        found.add("/".join([*above, name.rstrip("/").removesuffix(".py")]))
        above.append(name.rstrip("/"))
    return found


def test_the_page_names_every_file_and_no_other():
    files = {room for room in ROOMS if not room.endswith("__init__") and room != "__main__"}
    folders = {room.rpartition("/")[0] for room in ROOMS if "/" in room}
    folders |= {folder.rpartition("/")[0] for folder in folders if "/" in folder}
    whole = {room for room in files if room.rpartition("/")[0] in WHOLE}
    assert rooms_on_the_page() == (files - whole) | folders


def test_imports_follow_the_order_on_the_page():
    order = re.search(r"^`(errors[^`]*)`$", PAGE, re.MULTILINE | re.DOTALL)[1]
    floors = [re.findall(r"\w+", floor) for floor in order.split("<")]
    floor_of = {wing: n for n, floor in enumerate(floors) for wing in floor}
    assert sum(map(len, floors)) == len(floor_of)
    wings = {room.split("/")[0] for room in ROOMS} - {"__main__"}
    assert set(floor_of) == wings
    for room in ROOMS:
        wing = room.split("/")[0]
        others = {m.split(".")[1] for m in imported(room) if m.startswith("legatee.")} - {wing}
        for other in others if wing in floor_of else ():
            assert floor_of[other] < floor_of[wing], f"{room} imports {other}"
