"""Plan and apply a transfer between every two of some forty real architectures.

    python benchmarks/surgery_zoo.py [OUT]

Networks are built without published weights. Within a family tensors match by name, stage and block
with consistent channels, or by role where nothing has the same name; between families by role. Each
plan is applied to a target full of NaN, and what is a number afterwards is held against the
receipt. Plans by name are checked: both networks run, and inherited layers are compared.
The table goes to docs/zoo.md, or OUT.
"""

import sys
import warnings
from collections import Counter
from pathlib import Path

import timm
import torch
import transformers
from tables import where
from torch import nn
from torchvision import models

import legatee
from legatee.surgery.checking.check import self_check
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.network import Network
from legatee.surgery.network.state import state

FAMILIES = {
    "ResNet": "resnet18 resnet34 resnet50 resnet101 wide_resnet50_2 resnext50_32x4d "
    "deeplabv3_resnet50 transformers:ResNetForImageClassification",
    "VGG": "vgg11 vgg11_bn vgg16",
    "MobileNet": "mobilenet_v2 mobilenet_v3_small mobilenet_v3_large mnasnet1_0",
    "EfficientNet": "efficientnet_b0 efficientnet_b1 efficientnet_v2_s",
    "DenseNet": "densenet121 densenet169",
    "ConvNeXt": "convnext_tiny convnext_small timm:convnext_atto",
    "SqueezeNet": "squeezenet1_0 squeezenet1_1",
    "ShuffleNet": "shufflenet_v2_x0_5 shufflenet_v2_x1_0",
    "ViT": "timm:vit_tiny_patch16_224 timm:vit_small_patch16_224 timm:deit_tiny_patch16_224 "
    "timm:deit3_small_patch16_224 vit_b_16 transformers:ViTForImageClassification",
    "Swin": "swin_t swin_s timm:swin_tiny_patch4_window7_224",
    "BERT": "transformers:BertForMaskedLM transformers:BertForSequenceClassification "
    "transformers:DistilBertForSequenceClassification",
}
TEXT = "BERT"
SORTS = ("Within families", "Between families of images", "Between text and images")
CONSISTENT, ROLES, REFUSED = "", "r", "-"
CHECKED = {
    "consistent": CONSISTENT,
    "except_normalisation": "n",
    "inconsistent": "x",
    "unchecked": "?",
}


def build(name: str) -> nn.Module:
    """Build a network without weights: every element is one."""
    with torch.device("meta"):
        if name.startswith("timm:"):
            network = timm.create_model(name.removeprefix("timm:"))
        elif name.startswith("transformers:"):
            kind = getattr(transformers, name.removeprefix("transformers:"))
            network = kind(kind.config_class())
        elif name.startswith("deeplab"):
            network = models.get_model(name, weights=None, weights_backbone=None)
        else:
            network = models.get_model(name, weights=None)
    network = network.to_empty(device="cpu")
    fill(network, 1.0)
    return network


@torch.no_grad()
def fill(network: nn.Module, value: float) -> None:
    """Give every element one value; whole numbers get 1 or -7."""
    for tensor in state(network).values():
        if tensor.is_floating_point():
            tensor.fill_(value)
        else:
            tensor.fill_(1 if value == 1.0 else -7)


def planned(
    source: Catalog, target: Catalog, *, kin: bool
) -> tuple[legatee.TransferPlan | None, str]:
    """Plan by name within a family and else by role; return the plan and how, or why not."""
    why = ""
    for match, mark in ((None, CONSISTENT), ("roles", ROLES)) if kin else (("roles", ROLES),):
        try:
            return legatee.plan(source, target, match=match), mark
        except legatee.LegateeError as error:
            why = str(error)
    return None, why


def applied(plan: legatee.TransferPlan, source: nn.Module, target: nn.Module) -> None:
    """Apply a plan to a poisoned target, hold the receipt against what was written, and undo."""
    receipt = legatee.inherit(plan, source, target)
    held = state(target)
    for account in receipt.tensors:
        value = held[account.target]
        poison = value.isnan() if value.is_floating_point() else value == -7
        if account.inherited_elements == 0:
            assert poison.all(), account.target
        else:
            written = value.numel() - int(poison.count_nonzero())
            assert written == account.inherited_elements, (
                account.target,
                written,
                account.inherited_elements,
            )
    receipt.undo()


def main(out: Path) -> None:
    """Fill the matrix and write it."""
    warnings.filterwarnings("ignore")
    family = {name: kin for kin, names in FAMILIES.items() for name in names.split()}
    networks = {name: build(name) for name in family}
    described = {name: Network.of(network) for name, network in networks.items()}
    cells: dict[tuple[str, str], str] = {}
    reasons: Counter[str] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for target in family:
        receiver = build(target)
        fill(receiver, float("nan"))
        for source in family:
            pair = {family[source], family[target]}
            sort = SORTS[0 if len(pair) == 1 else 1 if TEXT not in pair else 2]
            plan, mark = planned(
                described[source].catalog, described[target].catalog, kin=sort == SORTS[0]
            )
            if plan is None:
                cells[source, target], mark, why = REFUSED, REFUSED, mark
                reasons[why.split("(", 1)[-1].split(";")[0].split(": ", 1)[-1].rstrip(")")] += 1
            else:
                applied(plan, networks[source], receiver)
                if mark == CONSISTENT:
                    check = self_check(plan, described[source], described[target]).check
                    mark = CHECKED[check.verdict]
                cells[source, target] = f"{100 * plan.inherited_fraction:.0f}{mark}"
            kinds[sort, mark] += 1
        print(target, flush=True)
    out.write_text(page(list(family), cells, kinds, reasons), encoding="utf-8")


def page(
    names: list[str],
    cells: dict[tuple[str, str], str],
    kinds: Counter[tuple[str, str]],
    reasons: Counter[str],
) -> str:
    """Write the table with what stands in it."""
    counts = " ".join(
        f"{sort}: {kinds[sort, CONSISTENT]} pairs consistent, {kinds[sort, 'n']} apart from "
        f"normalisation across channels, {kinds[sort, 'x']} not consistent, {kinds[sort, '?']} "
        f"unchecked, {kinds[sort, ROLES]} by role, {kinds[sort, REFUSED]} refused."
        for sort in SORTS
    )
    lines = [
        "# The zoo",
        "",
        f"`make bench-zoo` makes this page ({where()}). {len(names)} architectures of "
        "torchvision, timm and transformers, built without published weights; each is planned "
        "into each and applied: a row is a source, a column is a target. A cell is the share of "
        "the target's elements that inherits, in percent: plain where the self-check found "
        "channels consistent, `n` where so apart from normalisation across channels, `x` where "
        "not, `?` where the networks do not run on the same inputs, "
        '`r` where layers were matched by role (`match="roles"`), `-` where the pair was refused. '
        "Heads are copied only between equal architectures. Every plan was applied to a target "
        "full of NaN, and what was a number afterwards agreed with the receipt, tensor by tensor.",
        "",
        counts,
        "",
        "| | " + " | ".join(str(i + 1) for i in range(len(names))) + " |",
        "|---|" + "---|" * len(names),
    ]
    for i, source in enumerate(names):
        row = " | ".join(cells[source, target] for target in names)
        lines.append(f"| {i + 1} {source.rpartition(':')[2]} | {row} |")
    if reasons:
        lines += ["", "Why pairs were refused (the first reason of each):", ""]
        lines += [f"* {count} x {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    root = Path(__file__).parents[1]
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else root / "docs" / "zoo.md")
