"""Plans that no planner would make: each is refused in a sentence, before anything is expanded."""

import json
import tracemalloc

import pytest
from torch import nn

import legatee
from edited_plans import editable
from legatee.errors import TransferError

MANY = "0:4000000,4000000:8000000"


def damaged(**fields) -> str:
    """Return the text of a plan for two convolutions, with fields of its first move replaced."""
    pair = (nn.Sequential(nn.Conv2d(3, n, 3), nn.ReLU(), nn.Conv2d(n, 2, 1)) for n in (8, 4))
    plan = editable(legatee.plan(*pair))
    plan["entries"][0] |= fields
    return json.dumps(plan)


@pytest.fixture(scope="module")
def untouched() -> None:
    """The undamaged one is read."""
    assert legatee.TransferPlan.from_json(damaged()).moves


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"take": ["0:" + "9" * 30, "0:3", "0:3", "0:3"]}, id="endless"),
        pytest.param({"take": [MANY, "0:3", "0:3", "0:3"]}, id="more than any axis has"),
        pytest.param({"put": ["0:2,1:3", "0:3", "0:3", "0:3"]}, id="twice"),
        pytest.param({"blend": {"axis": 9, "how": "pad"}}, id="axis that is not there"),
        pytest.param({"blend": {"axis": 2, "how": "bicubic"}}, id="no square"),
        pytest.param({"blend": {"axis": 2, "how": "bicubic", "lead": 99}}, id="lead too long"),
        pytest.param({"blend": {"axis": 1, "how": "sum"}}, id="a sum into three"),
        pytest.param(
            {"blend": {"axis": 1, "how": "cycle"}, "take": ["0:4", "", "0:3", "0:3"]}, id="of none"
        ),
        pytest.param({"target_shape": [4, 3, 3, -3]}, id="negative shape"),
        pytest.param({"target": ".".join("a" * 3000)}, id="deeper than any network"),
    ],
)
def test_a_damaged_plan_is_refused(fields):
    with pytest.raises(TransferError, match="plan"):
        legatee.TransferPlan.from_json(damaged(**fields))


def test_positions_are_counted_without_being_written_out():
    text = damaged(
        source_shape=[4_000_000, 3, 3, 3],
        target_shape=[4_000_000, 3, 3, 3],
        take=["0:1000000,1000001:4000000", "0:3", "0:3", "0:3"],
        put=["0:1000000,1000001:4000000", "0:3", "0:3", "0:3"],
    )
    tracemalloc.start()
    try:
        assert legatee.TransferPlan.from_json(text).moves[0].inherited_elements == 27 * 3_999_999
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
