"""What a receipt says, in a line, as a tree, in a notebook and in a file."""

import pytest

from legatee.errors import TransferError
from legatee.plans.moves import Blend, Move, Untouched
from legatee.plans.options import PlanOptions
from legatee.plans.plan import TransferPlan
from legatee.plans.receipt import Receipt


def a_plan(**names: str) -> TransferPlan:
    """Two layers: one with half of its elements, one whose kernel is padded; and a head."""
    rows = Move(
        source="body.0.w",
        target="body.0.w",
        source_shape=(8, 3),
        target_shape=(4, 3),
        take=("0:4:2", "0:3"),
        put=("0:2", "0:3"),
    )
    kernel = Move(
        source="body.1.k<",
        target="body.1.k<",
        source_shape=(1, 1),
        target_shape=(3, 3),
        take=("0:1", "0:1"),
        put=("0:3", "0:3"),
        blend=Blend(axis=0, how="pad"),
    )
    head = Untouched(target="head.w", shape=(9,), reason="a <b>reason</b>")
    return TransferPlan(
        source_digest="s",
        target_digest="t",
        options=PlanOptions(alpha=0.5, rule="first"),
        entries=(rows, kernel, head),
        warnings=("mind & beware",),
        **names,
    )


def test_a_receipt_counts_what_the_moves_fill():
    receipt = Receipt.of(a_plan())
    assert receipt.plan_digest == a_plan().digest
    accounts = {a.target: (a.inherited_elements, a.zeroed, a.untouched) for a in receipt.tensors}
    assert accounts == {"body.0.w": (6, 0, 6), "body.1.k<": (1, 8, 0), "head.w": (0, 0, 9)}
    assert receipt.missing == ("head.w",)


def test_the_first_line_says_how_much():
    receipt = Receipt.of(a_plan())
    first = "23.3% of 30 elements inherited, 26.7% set to zero, in 2 of 3 tensors"
    assert str(receipt).splitlines()[0] == first
    assert repr(receipt) == f"<Receipt of plan {a_plan().digest}: {first}>"
    line = "23.3% of 30 elements inherited, 26.7% set to zero (alpha 0.5, rule first)"
    assert str(a_plan()).splitlines()[0] == line
    assert repr(a_plan()) == f"<TransferPlan {a_plan().digest}: {line}>"


def test_the_first_line_names_both_networks():
    plan = a_plan(source="cnn:widths=8@w.pt", target="cnn:widths=4")
    assert plan.headline.endswith("(alpha 0.5, rule first), cnn:widths=4 from cnn:widths=8@w.pt")


def test_a_printed_receipt_is_a_tree():
    assert [line.split() for line in str(Receipt.of(a_plan())).splitlines()[1:]] == [
        ["body", "33%", "<-", "same", "name,", "2", "tensors"],
        ["head", "0%"],
    ]


@pytest.mark.parametrize("document", [a_plan(), Receipt.of(a_plan())], ids=["plan", "receipt"])
def test_a_notebook_shows_the_line_and_opens_to_the_rest_escaped(document):
    html = document._repr_html_()
    assert html.startswith(f"<details><summary>{document.headline}</summary><pre>")
    assert html.count("<") == 6
    if isinstance(document, TransferPlan):
        assert "a &lt;b&gt;reason&lt;/b&gt;" in html
        assert "warning: mind &amp; beware" in html


def test_a_receipt_undoes_once_and_not_from_a_file():
    calls = []
    receipt = Receipt.of(a_plan(), undo=lambda: calls.append("undone"))
    read = Receipt.from_json(receipt.to_json())
    assert read.tensors == receipt.tensors
    with pytest.raises(TransferError, match="nothing to undo"):
        read.undo()
    receipt.undo()
    assert calls == ["undone"]
    with pytest.raises(TransferError, match="already undone"):
        receipt.undo()
