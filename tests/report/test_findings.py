import re
import time
from itertools import pairwise
from urllib.parse import unquote

import pytest
from browsing import CONTRASTS, STOPS
from finding_cases import every_finding, heavy, hostile, phase_diagram, universal_signal
from markupsafe import Markup
from report_cases import HOSTILE

from legatee.errors import LegateeError, UnusableOutput
from legatee.finding import Outcome
from legatee.report.findings import render_findings, write_findings

WIDTHS = (360, 1400)
EXPLORER = Markup(
    "<label>|u| <input type='range'></label><output id='answer'></output>"
    "<script>document.getElementById('answer').textContent = 6 * 7</script>"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    good = every_finding()[:-1]
    write_findings(folder / "good.html", good, title="What we found")
    write_findings(folder / "odd.html", every_finding(), title=HOSTILE)
    write_findings(folder / "explorer.html", good[:1], title="t", explorer=EXPLORER)
    write_findings(folder / "heavy.html", heavy(), title="Everything")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def visit(watched, files):
    return lambda name, **how: watched(files[name], **how)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["good", "odd", "heavy", "explorer"])
def test_nothing_sticks_out_sideways(visit, name, width):
    page = visit(name, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_totals_count_every_claim(visit):
    words = visit("good").get_by_role("list", name="Verdicts").inner_text().split()
    assert words == ["3", "Confirmed", "1", "Refuted", "2", "Undecided"]


def test_the_head_says_what_this_is_and_how_to_read_it(visit):
    words = visit("good").get_by_role("banner").inner_text()
    for part in (
        "arXiv 2509.22056",
        "our own questions",
        "9 min 21 s",  # 34.2 + 212.0 + 280.4 + 34.2 s
        "legatee 0.1.0",
        "cpu (2 cores)",
        "All intervals of a finding hold at once (with a chance of at least 95%)",
        "what is refuted is shown as prominently as what is confirmed",
    ):
        assert part in words


def test_every_claim_stands_in_the_table_with_verdict_source_and_numbers(visit):
    page = visit("good")
    rows = page.get_by_role("table").first.get_by_role("row")
    claims = [claim for finding in every_finding()[:-1] for claim in finding.claims]
    assert rows.count() == 1 + len(claims)
    for claim, row in zip(claims, rows.all()[1:], strict=True):
        words = row.inner_text()
        for part in (claim.text, claim.source, claim.outcome.capitalize(), claim.because):
            assert part in words


def test_undecided_claims_say_what_would_decide_them(visit):
    table = visit("good").get_by_role("table").first
    weak = table.get_by_role("row").filter(has_text="A weak universal signal").inner_text()
    assert "About 160 seeds would decide it; 40 were run." in weak
    high = table.get_by_role("row").filter(has_text="In high dimension").inner_text()
    assert "cannot be told" in high
    for row in table.get_by_role("row").filter(has_text="onfirmed").all():
        assert "decide it" not in row.inner_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_verdict_is_as_prominent_as_another(visit, width):
    page = visit("good", width=width)
    looks = page.locator(".all-claims .badge").evaluate_all(
        """(badges) => badges.map((badge) => {
          const style = getComputedStyle(badge);
          return [style.fontSize, style.fontWeight, style.backgroundColor !== 'rgba(0, 0, 0, 0)',
                  badge.getBoundingClientRect().height];
        })"""
    )
    assert len(looks) == 6
    assert all(look == looks[0] for look in looks)
    icons = page.locator(".all-claims .badge span").evaluate_all(
        "(spans) => spans.map((span) => getComputedStyle(span, '::before').content)"
    )
    assert len(set(icons)) == 3  # not by colour alone


def test_a_claim_leads_to_its_figure(visit):
    page = visit("good")
    row = page.get_by_role("row").filter(has_text="In high dimension")
    row.get_by_role("link").click()
    heading = page.get_by_role("heading", name=re.compile("^Where inheriting helps"))
    assert 0 <= heading.bounding_box()["y"] < 844


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["good", "odd"])
def test_text_stands_out_from_what_is_behind_it(visit, name, scheme):
    page = visit(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 100
    assert [row for row in ratios if row[0] < 4.5] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neighbouring_colours_of_a_map_differ_and_zero_parts_gain_from_loss(visit, scheme):
    page = visit("good", scheme=scheme)
    read = """(areas) => {
      const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
      return areas.map((area) => {
        canvas.fillStyle = getComputedStyle(area).fill; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      });
    }"""
    for scale in ("diverging", "sequential"):
        colours = page.locator(f".panel.{scale} .ramp").first.locator("path").evaluate_all(read)
        assert len({tuple(colour) for colour in colours}) == len(colours) > 5
    reds, blues = zip(*[(r, b) for r, _, b in _diverging(page, read)], strict=True)
    half = len(reds) // 2
    assert all(r > b for r, b in zip(reds[:half], blues[:half], strict=True))  # loss: orange
    assert all(r < b for r, b in zip(reds[half:], blues[half:], strict=True))  # gain: blue


def _diverging(page, read):
    return page.locator(".panel.diverging .ramp").first.locator("path").evaluate_all(read)


def test_a_cell_says_its_own_value(visit):
    page = visit("good")
    coarse = phase_diagram().panels[-1]
    figure = page.locator(".panel", has=page.get_by_text(coarse.title, exact=True)).locator("svg")
    cells = figure.first.locator("[pointer-events] > path")
    assert cells.count() == 25
    box = figure.first.locator("[pointer-events]").evaluate_all(
        """(groups) => {
          const boxes = groups.map((group) => group.getBoundingClientRect());
          const [left, top] = ['left', 'top'].map((s) => Math.min(...boxes.map((b) => b[s])));
          const [right, low] = ['right', 'bottom'].map((s) => Math.max(...boxes.map((b) => b[s])));
          return [left + scrollX, top + scrollY, right - left, low - top];
        }"""
    )
    for row, column in ((0, 0), (1, 3), (4, 4), (4, 0)):  # the lowest row is drawn lowest
        x = box[0] + box[2] * (column + 0.5) / 5
        y = box[1] + box[3] * (1 - (row + 0.5) / 5)
        said = page.evaluate(
            """([x, y]) => { window.scrollTo(0, y - 400);
              return document.elementFromPoint(x - scrollX, y - scrollY).textContent; }""",
            [x, y],
        )
        value = coarse.values[row][column]
        assert said.startswith(f"{coarse.columns[column]:g}, ")
        shown = said.split(": ")[1].replace("\N{MINUS SIGN}", "-")
        assert (
            shown == "\N{EN DASH}"
            if value != value
            else float(shown) == pytest.approx(value, rel=1e-3)
        )


def test_points_stand_where_their_numbers_say(visit):
    """Half-way between two ticks, in the browser: the axis is read as a reader would."""
    page = visit("good")
    figure = (
        page.locator(".panel", has_text="Gain as the universal signal grows").locator("svg").first
    )
    ticks = {
        float(text.text_content().replace("\N{MINUS SIGN}", "-")): text.bounding_box()
        for text in figure.locator("text").all()
        if re.fullmatch("[-\N{MINUS SIGN}.0-9]+", text.text_content())
    }
    across = [box["x"] + box["width"] / 2 for tick, box in ticks.items() if tick in (0.5, 1.5)]
    dots = [dot.bounding_box() for dot in figure.locator("circle").all()]
    assert len(dots) == 5
    middles = [dot["x"] + dot["width"] / 2 for dot in dots]
    assert middles[1::2] == pytest.approx(across, abs=1)
    up = {t: box["y"] + box["height"] / 2 for t, box in ticks.items() if t in (2.5, 7.5)}
    per_point = (up[7.5] - up[2.5]) / 5
    heights = [(dot["y"] + dot["height"] / 2 - up[2.5]) / per_point + 2.5 for dot in dots]
    assert heights == pytest.approx(universal_signal().panels[0].series[0].y, abs=0.15)


def test_every_figure_says_what_is_seen(visit):
    page = visit("good")
    figures = page.locator("svg.figure")
    assert page.get_by_role("img", name=re.compile(r"\d")).count() == figures.count() > 10
    assert page.locator("svg:not(.figure):not([aria-hidden])").count() == 0
    name = page.get_by_role("img", name="Gain as the universal signal grows")
    said = name.get_attribute("aria-label")
    assert "gain, measured from 0.4 at 0 to 7.4 at 2, between 0.4 and 7.4" in said
    gains = page.get_by_role("img", name="Gain over scratch.").get_attribute("aria-label")
    values = [v for row in phase_diagram().panels[2].values for v in row if v == v]
    above = sum(value > 0 for value in values)
    assert f"above zero in {above} of {len(values)} cells" in gains
    assert "a line for predicted boundary" in gains


def test_numbers_of_curves_are_in_a_table(visit):
    page = visit("good")
    panel = page.locator(".panel", has_text="Gain as the universal signal grows")
    panel.locator("summary").click()
    rows = [row.inner_text().split("\t") for row in panel.get_by_role("row").all()]
    assert rows[0] == ["strength of the universal signal, |u|", "gain, measured", "gain, theory"]
    assert rows[3] == ["1", "2.2 ± 0.9", "2.6"]


def test_a_table_too_long_for_a_reader_is_left_to_the_data(visit):
    page = visit("good")
    for title, tables in (("Gain over scratch, coarse", 1), ("The same, cut in two", 0)):
        panel = page.locator(".panel", has=page.get_by_text(title, exact=True))
        assert panel.locator("table").count() == tables


def test_tests_show_the_digits_that_their_interval_warrants(visit):
    page = visit("good")
    claim = page.locator(".claims > li", has_text="A weak universal signal")
    claim.locator("summary").click()
    words = claim.locator(".tests").inner_text()
    assert "gain at |u| = 0.5: 0.90 [0.10, 1.70] points; claimed: more than 0.5; 40 seeds" in words
    assert "about 160 needed" in words


def test_each_finding_says_how_to_make_it_again_and_where_its_data_lies(visit):
    page = visit("good")
    for finding in every_finding()[:-1]:
        section = page.get_by_role("region", name=finding.title)
        assert finding.command in section.inner_text()
        links = [link.get_attribute("href") for link in section.get_by_role("link").all()]
        assert links == [f"{finding.name}.json"] + [finding.data] * bool(finding.data)
    command = page.locator(".command").first
    command.click()
    assert page.evaluate("getSelection().toString()") == every_finding()[0].command


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_everything_in_order(visit, width):
    page = visit("good", width=width)
    expected = page.evaluate(STOPS)
    assert sum("<summary" in stop for stop in expected) > 10
    reached = []
    for _ in expected:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == expected


def test_headings_never_skip_a_level(visit):
    levels = (
        visit("good")
        .locator("h1, h2, h3, h4")
        .evaluate_all("(heads) => heads.map((head) => Number(head.tagName[1]))")
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_a_file_holds_is_shown_and_never_run(visit):
    page = visit("odd")
    assert page.title() == HOSTILE
    assert page.locator("script, img").count() == 0
    assert HOSTILE in page.locator("main").inner_text()
    assert "$x^2$ _" in page.locator("main").inner_text()
    for link in page.locator("main a:not([href^='#'])").all():
        assert link.evaluate("(a) => a.protocol") == "file:"
    names = [unquote(link.get_attribute("href")) for link in page.locator(".again a").all()]
    assert f"{HOSTILE}.json" in names


def test_the_explorer_runs_where_there_is_one_and_is_linked_at_the_top(visit):
    page = visit("explorer")
    assert page.locator("#answer").inner_text() == "42"
    page.get_by_role("banner").get_by_role("link", name="Explorer").click()
    assert page.get_by_role("heading", name="Explorer").bounding_box()["y"] < 844
    plain = visit("good")
    assert plain.get_by_text("Explorer").count() == 0
    assert "script-src" not in plain.content()


def test_what_is_no_markup_is_no_explorer():
    assert "&lt;b&gt;" in render_findings([universal_signal()], title="t", explorer="<b>")


def test_a_page_of_everything_is_light_and_made_quickly(files):
    assert files["heavy"].stat().st_size < 3_000_000
    begun = time.process_time()
    render_findings(heavy(), title="Everything")
    assert time.process_time() - begun < 10


def test_where_chances_differ_each_finding_tells_its_own():
    other = universal_signal().model_copy(update={"name": "b", "level": 0.01})
    page = render_findings([universal_signal(), other], title="t")
    assert re.findall(r"with a chance of at least (\d+)%", page) == ["95", "99"]


def test_a_finding_without_claims_or_panels_has_a_page():
    bare = universal_signal().model_copy(update={"panels": (), "claims": ()})
    assert bare.caption in render_findings([bare], title="t")


def test_same_findings_same_bytes_in_a_file_that_refers_to_no_other(files):
    text = files["good"].read_text(encoding="utf-8")
    assert render_findings(every_finding()[:-1], title="What we found") == text
    assert not re.search(r'src="(?!data:)|url\((?!#)|@import', text)
    names = re.findall(r' id="([^"]*)"', text)
    assert len(names) == len(set(names))
    used = set(re.findall(r'(?:url\(|href=")#([^")]*)', text))
    assert used <= set(names)


def test_on_paper_nothing_is_lost_but_the_folds(visit):
    page = visit("good")
    page.emulate_media(media="print")
    assert page.get_by_text("Refuted").first.is_visible()
    assert not page.get_by_role("navigation").is_visible()
    adjust = "getComputedStyle(document.querySelector('.badge')).printColorAdjust"
    assert page.evaluate(adjust) == "exact"
    assert len(page.pdf()) > 50_000


def test_refused():
    with pytest.raises(LegateeError, match="at least one finding"):
        render_findings([], title="empty")
    with pytest.raises(LegateeError, match="2 findings are named 'universal_signal'"):
        render_findings([universal_signal(), universal_signal()], title="t")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableOutput):
        write_findings(tmp_path / "file" / "page.html", [hostile()], title="t")


def test_every_outcome_is_shown():
    page = render_findings(every_finding(), title="t")
    for outcome in Outcome:
        assert f'class="badge {outcome}"' in page
