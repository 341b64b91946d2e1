from contextlib import ExitStack
from pathlib import Path

import pytest
from finding_cases import every_finding, heavy
from markupsafe import Markup
from report_cases import HOSTILE, every_case

from browser import opened, visited
from legatee.report.findings import write_findings
from legatee.report.page import Case

EXPLORER = Markup(
    "<label>|u| <input type='range'></label><output id='answer'></output>"
    "<script>document.getElementById('answer').textContent = 6 * 7</script>"
)


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return every_case()


@pytest.fixture(scope="module")
def browser():
    with opened() as one:
        yield one


@pytest.fixture
def watched(browser):
    """Open a file and, at the end, find that it said nothing and asked for nothing else."""
    with ExitStack() as pages:

        def show(path: Path, *, width: int = 1280, scheme: str = "light"):
            window = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
            return pages.enter_context(visited(browser, path.as_uri(), **window))

        yield show


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
