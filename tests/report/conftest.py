import shutil
from pathlib import Path

import pytest
from finding_cases import every_finding, heavy
from markupsafe import Markup
from playwright.sync_api import sync_playwright
from report_cases import HOSTILE, every_case

from legatee.report.findings import write_findings
from legatee.report.page import Case

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EXPLORER = Markup(
    "<label>|u| <input type='range'></label><output id='answer'></output>"
    "<script>document.getElementById('answer').textContent = 6 * 7</script>"
)


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return every_case()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine to open the page with")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def watched(browser):
    """Open a file and, at the end, find that it said nothing and asked for nothing else."""
    contexts, noise = [], []

    def opened(path: Path, *, width: int = 1280, scheme: str = "light"):
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        )
        page = contexts[-1].new_page()
        address = path.as_uri()
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: (noise.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: r.url.split("#")[0] == address or noise.append(r.url))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []


@pytest.fixture(scope="session")
def finding_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    good = every_finding()[:-1]
    write_findings(folder / "good.html", good, title="What we found")
    write_findings(folder / "odd.html", every_finding(), title=HOSTILE)
    write_findings(folder / "explorer.html", good[:1], title="t", explorer=EXPLORER)
    write_findings(folder / "heavy.html", heavy(), title="Everything")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def show(watched, finding_files):
    return lambda name, **how: watched(finding_files[name], **how)
