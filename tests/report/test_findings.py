import re
import time
from itertools import pairwise
from urllib.parse import unquote

import pytest
from browsing import CONTRASTS, walked
from finding_cases import every_finding, heavy, hostile, universal_signal
from report_cases import HOSTILE

from legatee.errors import LegateeError, OutputError
from legatee.finding import Outcome
from legatee.report.findings import render_findings, write_findings

WIDTHS = (360, 1400)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["good", "odd", "heavy", "explorer"])
def test_nothing_sticks_out_sideways(show, name, width):
    page = show(name, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_totals_count_every_claim(show):
    words = show("good").get_by_role("list", name="Verdicts").inner_text().split()
    assert words == ["3", "Confirmed", "1", "Refuted", "2", "Undecided"]


def test_the_head_says_what_this_is_and_how_to_read_it(show):
    words = show("good").get_by_role("banner").inner_text()
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


def test_every_claim_stands_in_the_table_with_verdict_source_and_numbers(show):
    page = show("good")
    rows = page.get_by_role("table").first.get_by_role("row")
    claims = [claim for finding in every_finding()[:-1] for claim in finding.claims]
    assert rows.count() == 1 + len(claims)
    for claim, row in zip(claims, rows.all()[1:], strict=True):
        words = row.inner_text()
        for part in (claim.text, claim.source, claim.outcome.capitalize(), claim.because):
            assert part in words


def test_undecided_claims_say_what_would_decide_them(show):
    table = show("good").get_by_role("table").first
    weak = table.get_by_role("row").filter(has_text="A weak universal signal").inner_text()
    assert "About 160 seeds would decide it; 40 were run." in weak
    high = table.get_by_role("row").filter(has_text="In high dimension").inner_text()
    assert "cannot be told" in high
    for row in table.get_by_role("row").filter(has_text="onfirmed").all():
        assert "decide it" not in row.inner_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_verdict_is_as_prominent_as_another(show, width):
    page = show("good", width=width)
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


def test_a_claim_leads_to_its_figure(show):
    page = show("good")
    row = page.get_by_role("row").filter(has_text="In high dimension")
    row.get_by_role("link").click()
    heading = page.get_by_role("heading", name=re.compile("^Where inheriting helps"))
    assert 0 <= heading.bounding_box()["y"] < 844


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["good", "odd"])
def test_text_stands_out_from_what_is_behind_it(show, name, scheme):
    page = show(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 100
    assert [row for row in ratios if row[0] < 4.5] == []


def test_tests_show_the_digits_that_their_interval_warrants(show):
    page = show("good")
    claim = page.locator(".claims > li", has_text="A weak universal signal")
    claim.locator("summary").click()
    words = claim.locator(".tests").inner_text()
    assert "gain at |u| = 0.5: 0.90 [0.10, 1.70] points; claimed: more than 0.5; 40 seeds" in words
    assert "about 160 needed" in words


def test_each_finding_says_how_to_make_it_again_and_where_its_data_lies(show):
    page = show("good")
    for finding in every_finding()[:-1]:
        section = page.get_by_role("region", name=finding.title)
        assert finding.command in section.inner_text()
        links = [link.get_attribute("href") for link in section.get_by_role("link").all()]
        assert links == [f"{finding.name}.json"] + [finding.data] * bool(finding.data)
    command = page.locator(".command").first
    command.click()
    assert page.evaluate("getSelection().toString()") == every_finding()[0].command


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_everything_in_order(show, width):
    page = show("good", width=width)
    expected = walked(page)
    assert sum("<summary" in stop for stop in expected) > 10


def test_headings_never_skip_a_level(show):
    levels = (
        show("good")
        .locator("h1, h2, h3, h4")
        .evaluate_all("(heads) => heads.map((head) => Number(head.tagName[1]))")
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_a_file_holds_is_shown_and_never_run(show):
    page = show("odd")
    assert page.title() == HOSTILE
    assert page.locator("script, img").count() == 0
    assert HOSTILE in page.locator("main").inner_text()
    assert "$x^2$ _" in page.locator("main").inner_text()
    for link in page.locator("main a:not([href^='#'])").all():
        assert link.evaluate("(a) => a.protocol") == "file:"
    names = [unquote(link.get_attribute("href")) for link in page.locator(".again a").all()]
    assert "hostile.json" in names


def test_the_explorer_runs_where_there_is_one_and_is_linked_at_the_top(show):
    page = show("explorer")
    assert page.locator("#answer").inner_text() == "42"
    page.get_by_role("banner").get_by_role("link", name="Explorer").click()
    assert page.locator("#answer").bounding_box()["y"] < 844
    plain = show("good")
    assert plain.get_by_text("Explorer").count() == 0
    assert "script-src" not in plain.content()


def test_what_is_no_markup_is_no_explorer():
    assert "&lt;b&gt;" in render_findings([universal_signal()], title="t", explorer="<b>")


def test_a_page_of_everything_is_light_and_made_quickly(finding_files):
    assert finding_files["heavy"].stat().st_size < 3_000_000
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


def test_same_findings_same_bytes_in_a_file_that_refers_to_no_other(finding_files):
    text = finding_files["good"].read_text(encoding="utf-8")
    assert render_findings(every_finding()[:-1], title="What we found") == text
    assert not re.search(r'src="(?!data:)|url\((?!#)|@import', text)
    names = re.findall(r' id="([^"]*)"', text)
    assert len(names) == len(set(names))
    used = set(re.findall(r'(?:url\(|href=")#([^")]*)', text))
    assert used <= set(names)


def test_on_paper_nothing_is_lost_but_the_folds(show):
    page = show("good")
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
    with pytest.raises(OutputError):
        write_findings(tmp_path / "file" / "page.html", [hostile()], title="t")


def test_every_outcome_is_shown():
    page = render_findings(every_finding(), title="t")
    for outcome in Outcome:
        assert f'class="badge {outcome}"' in page
