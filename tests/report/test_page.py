import re

import pytest
from browsing import CONTRASTS, walked
from report_cases import HOSTILE, some_runs

from legatee.advice import ArmStatus, Reason, Severity
from legatee.errors import LegateeError, OutputError
from legatee.report.page import Case, render, write_page

WIDTHS = (390, 1280)
PAGES = {
    "one": ("inherit",),
    "pair": ("inherit", "scratch"),
    "odd": ("undecided", "plain", "hostile", "untried"),
}


@pytest.fixture(scope="module")
def files(cases, tmp_path_factory):
    """The path of each page."""
    folder = tmp_path_factory.mktemp("pages")
    for name, kinds in PAGES.items():
        title = HOSTILE if name == "odd" else "Will inheriting help?"
        write_page(folder / f"{name}.html", [cases[kind] for kind in kinds], title=title)
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.fixture
def visit(watched, files):
    return lambda name, **how: watched(files[name], **how)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_sideways(visit, name, width):
    page = visit(name, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.locator("table").first
    assert cells.evaluate("(node) => node.scrollWidth <= node.parentElement.clientWidth")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_verdict_comes_first(visit, width):
    page = visit("one", width=width)
    words = page.locator("main").inner_text()
    assert words.index("Inherit: start from half of the upstream network") < words.index("Why")
    box = page.get_by_text("it gains 10.2 points (at least 5.1").bounding_box()
    assert box["y"] + box["height"] < 844  # without scrolling
    others = page.locator("h3, svg, table").all()
    assert all(box["y"] + box["height"] < other.bounding_box()["y"] for other in others)


def test_cases_stand_side_by_side_where_there_is_room(visit):
    for width, together in ((1280, True), (390, False)):
        first, second = visit("pair", width=width).locator("article").all()
        tops = [case.bounding_box()["y"] for case in (first, second)]
        assert (tops[0] == tops[1]) is together


def test_on_a_phone_every_verdict_is_one_tap_away(visit):
    page = visit("pair", width=390)
    page.get_by_role("link", name="Train from scratch Digits, from noise").click()
    box = page.get_by_text("and no part is shown to gain").bounding_box()
    assert 0 <= box["y"] < 844


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_from_what_is_behind_it(visit, name, scheme):
    page = visit(name, scheme=scheme)
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 50
    assert [row for row in ratios if row[0] < 4.5] == []
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark is (scheme == "dark")


def test_light_and_dark_differ(visit):
    paper = [
        visit("one", scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert paper[0] != paper[1]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_everything_in_order(visit, width):
    page = visit("pair", width=width)
    expected = walked(page)
    assert sum("<summary" in stop for stop in expected) > 5


def test_enter_opens_and_closes_a_fold(visit):
    page = visit("one")
    fold = page.locator("details:not([open])", has_text="running_mean").first
    handle = fold.element_handle()
    inside = fold.get_by_text("running_mean", exact=True)
    assert not inside.is_visible()
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert handle.get_attribute("open") == ""
    assert page.get_by_text("running_mean").first.is_visible()
    page.keyboard.press("Enter")
    assert handle.get_attribute("open") is None


def test_the_skip_link_skips(visit):
    page = visit("one", width=390)
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="Skip to the content").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_a_name_that_says_its_numbers(visit, name):
    page = visit(name)
    figures = page.locator("svg")
    assert figures.count() >= 4
    assert page.get_by_role("img", name=re.compile(r"\d")).count() == figures.count()


def test_names_and_table_say_the_same_numbers(visit):
    page = visit("one")
    gains = page.get_by_role("img", name="Gain over scratch").get_attribute("aria-label")
    row = page.get_by_role("row").filter(has_text="half").inner_text()
    assert "half +10.2 [+5.1, +15.3]" in gains
    for number in ("48%", "81.4", "± 1.0", "+10.2", "[+5.1, +15.3]", "1 min 6 s"):
        assert number in row


def test_what_a_user_wrote_is_shown_and_never_run(visit):
    page = visit("odd")
    assert page.title() == HOSTILE
    assert page.locator("script, img").count() == 0
    assert HOSTILE in page.locator("main").inner_text()
    assert "49" not in page.get_by_role("heading", level=1).inner_text()


def test_nothing_kept_is_said(visit):
    page = visit("odd")
    words = page.locator("article", has_text="No runs kept").inner_text()
    assert "None were kept." in words
    assert "None: nothing is inherited on this advice." in words
    untried = page.locator("article", has_text="Nothing fits")
    assert "Error rate" not in untried.inner_text()
    assert untried.locator("svg").count() == 1


def test_the_page_says_how_sure_and_from_where(visit):
    words = visit("one").locator("main").inner_text()
    for part in (
        "2 comparisons with scratch; the intervals are widened",
        "at most 5%",
        "A gain below 1 point counts as not worth the trouble.",
        "1,597 examples kept out of training",
        "Other learning rates than 0.05.",
        "layer3.0.conv2 is narrower in the source",
        "legatee 0.1.0",
        "legatee advise source.safetensors --data digits",
        "cpu (2 cores)",
        "3 min 18 s",
    ):
        assert part in words


def test_same_cases_same_bytes(cases):
    for kinds in PAGES.values():
        shown = [cases[kind] for kind in kinds]
        assert render(shown, title="t") == render(shown, title="t")


def test_the_file_holds_what_was_rendered(cases, files):
    text = render([cases["inherit"]], title="Will inheriting help?")
    assert files["one"].read_text(encoding="utf-8") == text
    assert not re.search(r'(src|href)="(?!#|data:)', text)


def test_a_page_needs_a_case():
    with pytest.raises(LegateeError, match="at least one case"):
        render([], title="empty")


def test_runs_must_hold_the_arms_of_the_advice(cases):
    advice = cases["inherit"].advice
    runs = some_runs(advice).sel(arm=["scratch", "half"])
    with pytest.raises(LegateeError, match="'Digits' lack the arm 'all'"):
        Case(title="Digits", advice=advice, runs=runs)


def test_a_place_that_cannot_be_written_is_refused(cases, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_page(tmp_path / "file" / "page.html", [cases["inherit"]], title="t")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("inherit", "Start every new training of the target from the inherited parameters"),
        ("scratch", "Train the target from random initial values."),
        ("undecided", "with about 14 seeds (--seeds 14): the trainings that are done are kept"),
    ],
)
def test_every_verdict_says_what_to_do_now(cases, kind, sentence):
    page = re.sub(r"<[^>]+>", "", render([cases[kind]], title="t"))
    assert sentence in " ".join(page.split())


def test_an_undecided_case_that_no_seeds_decide_says_so(cases):
    case = cases["undecided"]
    advice = case.advice.model_copy(update={"seeds_needed": None})
    page = render([Case(title="t", advice=advice)], title="t")
    assert "More seeds alone would not decide it." in page


def test_how_the_networks_were_trained_and_on_how_many_of_each_class_is_on_the_page(cases):
    page = " ".join(re.sub(r"<[^>]+>", "", render([cases["undecided"]], title="t")).split())
    assert "dog: 120, cat: 80 training examples" in page
    assert "epochs 20, learning rate 0.003" in page


def test_an_arm_that_diverged_is_called_so_and_warnings_are_marked(cases):
    advice = cases["scratch"].advice
    lost = advice.arms[1].model_copy(
        update={"status": ArmStatus.DIVERGED, "diverged_seeds": 2, "gain": None}
    )
    warned = Reason(code="at-chance", text="No better than guessing.", severity=Severity.WARNING)
    advice = advice.model_copy(
        update={"arms": (advice.arms[0], lost, advice.arms[2]), "reasons": (warned,)}
    )
    page = " ".join(render([Case(title="t", advice=advice)], title="t").split())
    assert "<td>diverged <small>2 seeds</small></td>" in page
    assert "<b>Warning:</b> No better than guessing." in page
