import re

import pytest
from browsing import CONTRASTS, walked
from report_cases import HOSTILE, move, resnet_plan

from legatee.plans.options import PlanOptions
from legatee.plans.plan import Blend, Move, Untouched
from legatee.report.plan import render_plan
from legatee.text import TIMES

WIDTHS = (375, 1400)
PAGES = ("good", "roles", "odd", "none")
NAMES = {"source": "torchvision:resnet101", "target": "torchvision:resnet34"}


def mixed_plan():
    """Position embeddings resized, a row of blocks crossed over, every fourth channel taken."""
    embedding = Move(
        source="pos_embed",
        target="pos_embed",
        source_shape=(1, 5, 8),
        target_shape=(1, 10, 2),
        take=("0:1", "0:5", "0:5:4"),
        put=("0:1", "0:10", "0:2"),
        blend=Blend(axis=1, how="bicubic", lead=1),
    )
    rows = [
        Move(
            source=f"blocks.{5 - n}.mlp.weight",
            target=f"blocks.{n}.mlp.weight",
            source_shape=(256, 256),
            target_shape=(64, 80),
            take=("0:253:4", ",".join(f"{3 * i}:{3 * i + 1}" for i in range(64))),
            put=("0:64", "16:80"),
        )
        for n in range(3)
    ]
    rest = Untouched(target="head.weight", shape=(10, 2), reason="the head: other classes")
    entries = (embedding, *rows, rest)
    return resnet_plan().model_copy(update={"entries": entries, "warnings": ("one", "two")})


def hostile_plan():
    """Names and texts that a model's author, or whoever sent the plan, made to do harm."""
    long = "x" * 300
    return resnet_plan().model_copy(
        update={
            "source_digest": HOSTILE,
            "target_digest": long,
            "options": PlanOptions(rule=HOSTILE),
            "warnings": (HOSTILE, long),
            "entries": (
                move(f"{HOSTILE}.weight", f"{HOSTILE}.weight", (4, 4), ("0:2", "0:4")),
                move(f"{long}.weight", f"{HOSTILE}{long}.weight", (4,), ("0:1",)),
                Untouched(target=f"a.{HOSTILE}", shape=(4,), reason=HOSTILE),
                Untouched(target=f"a.{long}", shape=(4,), reason=long),
            ),
        }
    )


def named(plan, **names):
    return plan.model_copy(update=NAMES | names)


def pages():
    nothing = resnet_plan().model_copy(
        update={"entries": resnet_plan().untouched, "warnings": (), "options": PlanOptions(alpha=0)}
    )
    harm = {"source": HOSTILE, "target": "y" * 200}
    return {
        "good": render_plan(named(resnet_plan()), command="legatee plan a b --html c.html"),
        "roles": render_plan(named(mixed_plan())),
        "odd": render_plan(named(hostile_plan(), **harm), command=f"legatee plan {HOSTILE}"),
        "none": render_plan(named(nothing)),
    }


@pytest.fixture(scope="module")
def plan_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    for name, text in pages().items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(watched, plan_files):
    return lambda name, **how: watched(plan_files / f"{name}.html", **how)


def open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")


def said(node):
    """What a node says on one line, in plain letters."""
    return " ".join(node.inner_text().replace(TIMES, "x").split())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_sideways(visit, name, width):
    page = visit(name, width=width)
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_share_and_warnings_come_first(visit, width):
    page = visit("roles", width=width)
    words = said(page.locator("body"))
    assert "What torchvision:resnet34 would inherit from torchvision:resnet101" in words
    # 20 of 20, 3 x 64 x 64 of 3 x 64 x 80, 0 of 20
    assert f"{100 * 12308 / 15400:.1f}% of its 15,400 elements" in words
    assert "= 0.5, chosen by the rule magnitude" in words
    warnings = page.get_by_role("region", name="2 warnings")
    assert warnings.get_by_role("listitem").all_inner_texts() == ["one", "two"]
    box = warnings.bounding_box()
    assert box["y"] + box["height"] < 844  # without scrolling
    assert box["y"] + box["height"] < page.locator(".parts").first.bounding_box()["y"]


def test_a_plan_without_warnings_has_no_place_for_them(visit):
    page = visit("none")
    assert page.locator(".warnings").count() == 0
    assert "0.0% of its 651 elements" in page.locator("main").inner_text()
    assert page.locator("svg").count() == 0  # nothing feeds anything


def test_every_row_says_from_where_and_how_or_why_not(visit):
    page = visit("roles")
    open_all(page)
    rows = [said(row) for row in page.locator(".part").all()]
    assert rows == [
        "pos_embed 1 x 10 x 2 · same name · resized (bicubic) 100%",
        "blocks 15,360 elements · same name · copied 80%",
        *(
            f"{n}.mlp.weight 64 x 80 · from blocks.{5 - n}.mlp.weight · copied 80%"
            for n in range(3)
        ),
        "head.weight 10 x 2 · the head: other classes 0%",
    ]


def test_a_tensor_opens_to_the_positions_it_takes_and_fills(visit):
    page = visit("roles")
    open_all(page)
    tables = page.get_by_role("table").all()
    cells = [[row.split("\t") for row in table.inner_text().splitlines()] for table in tables]
    resized, *copied = ([row for row in table if len(row) == 3] for table in cells)
    assert resized == [
        ["Axis", "Taken", "Filled"],
        ["0", "all 1", "all 1"],
        ["1", "all 5", "all 10, computed"],
        ["2", "2 of 8 (0:5:4)", "all 2"],
    ]
    channels, inputs = copied[0][1:]
    assert channels == ["0", "64 of 256 (0:253:4)", "all 64"]
    assert re.fullmatch(r"64 of 256 \(0:1,3:4,6:7,[\d:,]+…\)", inputs[1])
    assert inputs[2] == "64 of 80 (16:80)"
    assert "From blocks.5.mlp.weight, 256 x 256" in said(page.get_by_role("table").nth(1))


def test_the_drawing_says_its_numbers(visit):
    drawing = visit("roles").get_by_role("img")
    assert drawing.get_attribute("aria-label") == (
        "pos_embed inherits 100% from pos_embed; blocks.0.mlp inherits 80% from blocks.5.mlp; "
        "blocks.1.mlp inherits 80% from blocks.4.mlp; blocks.2.mlp inherits 80% from blocks.3.mlp"
    )
    names = drawing.locator("text").all_text_contents()
    sources, targets = names[:4], names[4:]
    assert sources == ["pos_embed", "blocks.3.mlp", "blocks.4.mlp", "blocks.5.mlp"]
    assert targets == ["pos_embed", "blocks.0.mlp", "blocks.1.mlp", "blocks.2.mlp", "head"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_from_what_is_behind_it(visit, name, scheme):
    page = visit(name, scheme=scheme)
    open_all(page)
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 20
    assert [row for row in ratios if row[0] < 4.5] == []
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_and_opens_every_part(visit, width):
    page = visit("roles", width=width)
    walked(page)
    page.locator("summary").first.focus()
    assert not page.get_by_text("2 of 8 (0:5:4)").is_visible()
    page.keyboard.press("Enter")
    assert page.get_by_text("2 of 8 (0:5:4)").is_visible()


def test_what_a_name_holds_is_shown_and_never_run(visit):
    page = visit("odd")
    open_all(page)
    assert page.title() == f"What {'y' * 200} would inherit from {HOSTILE}"
    assert page.locator("script, img").count() == 0
    words = page.locator("main").inner_text()
    assert words.count(HOSTILE) >= 7  # rule, warning, table, reason, source, digest, command
    assert HOSTILE in page.get_by_role("img").get_attribute("aria-label")


def test_the_page_says_where_it_comes_from(visit):
    words = visit("good").get_by_role("region", name="Where this comes from").inner_text()
    for part in ("torchvision:resnet101 s", "torchvision:resnet34 t", named(resnet_plan()).digest):
        assert part in words
    assert "legatee plan a b --html c.html" in words
    assert re.search(r"legatee \d+\.\d+", words)
    other = visit("roles").get_by_role("region", name="Where this comes from").inner_text()
    assert "Command" not in other


def test_same_plan_same_bytes_and_no_request(plan_files):
    for name, text in pages().items():
        assert (plan_files / f"{name}.html").read_text(encoding="utf-8") == text
        assert not re.search(r'<[^>]+(src|href)="(?!#|data:)', text)
