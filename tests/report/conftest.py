import pytest
from report_cases import every_case

from legatee.report.page import Case


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return every_case()
