"""``legatee catalog``, ``plan``, ``inherit`` and ``verify`` as they are typed."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import legatee
from legatee.cli import app
from legatee.models.build import build
from legatee.surgery.files.checkpoint import read_metadata, read_weights, write_weights
from legatee.surgery.planning.rules import summaries

SIZES = ("--classes", 5, "--shape", "1,8,8")
OLD, NEW = "cnn:widths=8", "cnn:widths=6"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def upstream():
    network = build(OLD, num_classes=5, input_shape=(1, 8, 8), seed=3)
    write_weights("old.safetensors", network, {})
    return network


@pytest.fixture
def planned(legatee_does, upstream):
    legatee_does("plan", f"{OLD}@old.safetensors", NEW, *SIZES, "--out", "plan.json")


def inherit(does, *more, source=f"{OLD}@old.safetensors", out="new.safetensors"):
    return does("inherit", "plan.json", source, NEW, *SIZES, "--seed", 9, "--out", out, *more)


# --- what is done ---------------------------------------------------------------------------------


def test_a_plan_tells_the_classes_and_channels_of_its_target(legatee_does, planned):
    inherit(legatee_does)
    words = ("plan.json", f"{OLD}@old.safetensors", NEW, "--seed", 9, "--out", "again.safetensors")
    legatee_does("inherit", *words)  # neither --classes nor --shape
    typed, told = load_file("new.safetensors"), load_file("again.safetensors")
    assert typed.keys() == told.keys()
    assert all(typed[name].equal(told[name]) for name in typed)


def test_a_plan_is_checked_by_numbers_and_its_file_and_page_say_so(legatee_does):
    said = legatee_does("plan", OLD, NEW, *SIZES, "--check", "--out", "p.json", "--html", "p.html")
    assert "checked: consistent (2 of 2 channel groups agree)" in said
    assert legatee.TransferPlan.load("p.json").check.verdict == "consistent"
    assert "checked: consistent (2 of 2" in Path("p.html").read_text()


def test_a_catalogue_names_axes_and_the_channels_that_go_together(legatee_does):
    said = legatee_does("catalog", NEW, *SIZES).splitlines()
    assert said[0] == "14 tensors, 463 elements, 3 channel groups"
    words = [line.split() for line in said]
    assert ["features.conv1b.weight", "6x6x3x3", "out,", "in,", "kernel,", "kernel"] in words
    assert ["5", "class", "axis", "0", "of", "head"] in words
    found = json.loads(legatee_does("catalog", NEW, *SIZES, "--json"))
    tensors = {tensor["name"]: tensor for tensor in found["tensors"]}
    assert tensors["features.conv1a.weight"]["axis_roles"] == ["out", "in", "kernel", "kernel"]
    assert tensors["head.weight"]["shape"] == [5, 6]
    last = next(g for g in found["groups"] if g["role"] == "class")
    assert last["size"] == 5
    assert {"tensor": "head.bias", "axis": 0, "positions_per_channel": 1} in last["members"]


def test_a_plan_reads_no_weight(legatee_does, upstream):
    """Plans of random, missing and written weights are one: only shapes count."""
    said = {
        legatee_does("plan", source, NEW, *SIZES, "--json")
        for source in (OLD, f"{OLD}@old.safetensors")
    }
    plans = [legatee.TransferPlan.from_json(text) for text in said]
    made = legatee.plan(upstream, build(NEW, num_classes=5, input_shape=(1, 8, 8)))
    assert {plan.entries for plan in plans} == {made.entries}
    assert {plan.source for plan in plans} == {OLD, f"{OLD}@old.safetensors"}


def test_a_plan_is_shown_part_by_part(legatee_does, planned):
    said = legatee_does("plan", OLD, NEW, *SIZES)
    assert said.startswith("92.4% of 463 elements inherited")
    assert "head" in said


def test_a_plan_is_a_picture(legatee_does, upstream):
    said = legatee_does("plan", OLD, NEW, *SIZES, "--html", "plan.html", "--out", "plan.json")
    assert said == legatee_does("plan", OLD, NEW, *SIZES)
    page = Path("plan.html").read_text(encoding="utf-8")
    assert f"What {NEW} would inherit from {OLD}" in page
    assert "<b>92.4%</b> of its 463 elements" in page
    assert "legatee plan cnn:widths=8 cnn:widths=6 --classes 5 --shape 1,8,8 --html" in page
    assert legatee.TransferPlan.from_json(Path("plan.json").read_text()).digest in page


def test_the_command_does_what_the_library_does(legatee_does, upstream, planned):
    assert inherit(legatee_does).startswith("92.4% of 463 elements inherited: new.safetensors")
    network = build(NEW, num_classes=5, input_shape=(1, 8, 8), seed=9)
    legatee.inherit(legatee.plan(upstream, network), upstream, network)
    found = load_file("new.safetensors")
    held = network.state_dict()
    assert found.keys() == held.keys()
    assert all(torch.equal(found[name], held[name]) for name in held)


def test_the_receipt_is_printed_for_machines(legatee_does, planned):
    receipt = legatee.Receipt.from_json(inherit(legatee_does, "--json"))
    assert receipt.elements == 463
    assert receipt.inherited_fraction == pytest.approx(428 / 463)


def test_weights_under_a_key_and_over_several_files_are_sources(legatee_does, upstream, planned):
    inherit(legatee_does)
    expected = load_file("new.safetensors")
    torch.save({"ema": upstream.state_dict(), "state_dict": {}}, "old.pt")
    state = upstream.state_dict()
    for i, name in enumerate(state):
        save_file({name: state[name]}, f"part-{i}.safetensors")
    index = {"weight_map": {name: f"part-{i}.safetensors" for i, name in enumerate(state)}}
    Path("all.safetensors.index.json").write_text(json.dumps(index))
    for number, file in enumerate(("old.pt#ema", "all.safetensors.index.json")):
        inherit(legatee_does, source=f"{OLD}@{file}", out=f"{number}.safetensors")
        found = read_weights(f"{number}.safetensors")
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_file_may_be_named_with_a_hash_sign(legatee_does, upstream, planned):
    Path("old.safetensors").rename("a#b.safetensors")
    assert "inherited" in inherit(legatee_does, source=f"{OLD}@a#b.safetensors")


def test_a_folder_that_transformers_wrote_is_a_source_and_a_target(legatee_does):
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
    options = {"intermediate_size": 32, "image_size": 8, "patch_size": 4, "num_channels": 1}
    wide = transformers.ViTConfig(**sizes | {"num_hidden_layers": 3}, **options, num_labels=5)
    upstream = transformers.ViTForImageClassification(wide)
    upstream.save_pretrained("wide")
    slim = transformers.ViTConfig(**sizes, **options, architectures=[type(upstream).__name__])
    slim.save_pretrained("slim")
    args = (*SIZES, "--match", "last:2")
    for number, file in enumerate(("pretrained", "wide/model.safetensors")):
        source, plan, out = f"transformers:wide@{file}", f"{number}.json", f"{number}.safetensors"
        legatee_does("plan", source, "transformers:./slim", *args, "--out", plan)
        legatee_does("inherit", plan, source, "transformers:./slim", *SIZES, "--out", out)
        found = load_file(out)
        for name, value in upstream.vit.layers[2].state_dict().items():
            assert torch.equal(found[f"vit.layers.1.{name}"], value)
        assert "compared" in legatee_does("verify", out, "--source", source, *SIZES, "--json")
        again = legatee_does("plan", f"transformers:./slim@{out}", "transformers:slim", *SIZES)
        assert again.startswith("100.0%")


def test_the_file_says_how_it_was_made(legatee_does, planned):
    inherit(legatee_does)
    facts = read_metadata("new.safetensors")
    assert facts["plan"] == Path("plan.json").read_text()
    assert facts["command"].startswith("legatee inherit plan.json cnn:widths=8@old.safetensors")
    assert (facts["model"], facts["version"]) == (NEW, legatee.__version__)


def test_the_same_command_makes_the_same_weights(legatee_does, planned):
    inherit(legatee_does)
    inherit(legatee_does, out="again.safetensors")
    first, again = (
        read_metadata(f"{name}.safetensors")["weights_digest"] for name in ("new", "again")
    )
    assert first == again


def test_what_was_written_is_verified(legatee_does, planned):
    inherit(legatee_does)
    said = legatee_does("verify", "new.safetensors")
    assert "92.4% of 463 elements of cnn:widths=6 inherited, not compared" in said
    source = ("--source", f"{OLD}@old.safetensors", *SIZES)
    assert "and equal to the source's" in legatee_does("verify", "new.safetensors", *source)
    facts = json.loads(legatee_does("verify", "new.safetensors", *source, "--json"))
    assert facts["compared_with_source"] is True
    assert facts["inherited"] == pytest.approx(428 / 463)


def test_a_plan_remembers_its_networks(legatee_does, planned):
    plan = legatee.TransferPlan.load("plan.json")
    assert (plan.source, plan.target) == (f"{OLD}@old.safetensors", NEW)
    assert plan.headline.endswith(f"{NEW} from {OLD}@old.safetensors")
    inherit(legatee_does)
    legatee_does("inherit", "plan.json", "--seed", 9, "--out", "again.safetensors")
    typed, remembered = load_file("new.safetensors"), load_file("again.safetensors")
    assert all(typed[name].equal(remembered[name]) for name in typed)
    assert read_metadata("again.safetensors")["model"] == NEW


def test_a_plan_made_in_python_has_to_be_told_its_networks(legatee_does, upstream):
    legatee.plan(upstream, build(NEW, num_classes=5, input_shape=(1, 8, 8))).save("plan.json")
    refused = legatee_does("inherit", "plan.json", "--out", "new.safetensors")
    assert "the plan does not say how to build its source" in refused
    assert "inherit PLAN SOURCE TARGET" in refused
    assert "elements inherited" in inherit(legatee_does)


def test_files_are_replaced_where_it_is_forced(legatee_does, planned):
    words = ("plan", f"{OLD}@old.safetensors", NEW, *SIZES, "--out", "plan.json")
    assert "'plan.json' exists; choose another name, or pass --force" in legatee_does(*words)
    legatee_does(*words, "--alpha", 0.5, "--force")
    assert legatee.TransferPlan.load("plan.json").options.alpha == 0.5
    inherit(legatee_does)
    before = load_file("new.safetensors")
    words = ("inherit", "plan.json", "--seed", 3, "--out", "new.safetensors")
    assert "'new.safetensors' exists; choose another name, or pass --force" in legatee_does(*words)
    assert all(value.equal(before[name]) for name, value in load_file("new.safetensors").items())
    legatee_does(*words, "--force")
    assert not load_file("new.safetensors")["head.weight"].equal(before["head.weight"])


def test_swapped_networks_are_recognised(legatee_does, planned):
    write_weights("new.safetensors", build(NEW, num_classes=5, input_shape=(1, 8, 8), seed=1), {})
    sizes = ("--classes", 5, "--shape", "1,8,8", "--out", "x.safetensors")
    refused = legatee_does("inherit", "plan.json", f"{NEW}@new.safetensors", OLD, *sizes)
    assert "swapped" in refused


@pytest.mark.parametrize(
    ("pair", "asked"),
    [
        ((OLD, f"{OLD}@old.safetensors"), True),
        ((f"{OLD}@old.safetensors", OLD), False),
        ((OLD, OLD), False),
    ],
)
def test_a_target_with_weights_and_a_source_without_are_asked_about(upstream, pair, asked):
    done = CliRunner().invoke(app, ["plan", *pair, *map(str, SIZES)])
    assert done.exit_code == 0
    assert ("are they swapped?" in done.stderr) == asked
    assert "swapped" not in done.stdout


def test_the_help_lists_every_rule_with_what_it_picks():
    page = CliRunner().invoke(app, ["plan", "--help"], terminal_width=300).stdout
    words = " ".join(page.replace("│", " ").split())
    for name, picks in summaries().items():
        assert f"{name}: {picks[0].lower()}{picks[1:].rstrip('.')}" in words
    assert "needs data: from Python" in words
    assert "needs labels: from Python" in words


def test_a_match_is_pairs_or_a_word(legatee_does, upstream):
    pairs = (
        "--match",
        "features.conv1a=features.conv1a",
        "--match",
        "features.norm1a=features.norm1a",
    )
    plan = legatee.TransferPlan.from_json(legatee_does("plan", OLD, NEW, *SIZES, *pairs, "--json"))
    assert {move.target.rpartition(".")[0] for move in plan.moves} == {
        "features.conv1a",
        "features.norm1a",
    }
    same = legatee_does("plan", OLD, NEW, *SIZES, "--match", "roles", "--json")
    made = legatee.plan(upstream, build(NEW, num_classes=5, input_shape=(1, 8, 8)), match="roles")
    assert legatee.TransferPlan.from_json(same).entries == made.entries


def test_parts_may_be_left_out(legatee_does, upstream):
    words = ("plan", OLD, NEW, *SIZES, "--exclude", "features.conv1b", "--json")
    plan = legatee.TransferPlan.from_json(legatee_does(*words))
    assert "features.conv1b.weight" in {rest.target for rest in plan.untouched}


def test_kernels_grow_where_it_is_asked(legatee_does, tmp_path, monkeypatch):
    (tmp_path / "own_kernels.py").write_text(
        "from torch import nn\n"
        "def net(side):\n"
        "    conv = nn.Conv2d(3, 6, side, padding=side // 2)\n"
        "    return nn.Sequential(conv, nn.ReLU(), nn.Conv2d(6, 4, 1))\n"
        "def small(num_classes): return net(1)\n"
        "def large(num_classes): return net(3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pair = ("plan", "own_kernels:small", "own_kernels:large")
    said = "'0.weight': 1x1 kernels are placed in the middle of 3x3"
    assert said in legatee_does(*pair, "--pad-kernels")
    assert said not in legatee_does(*pair)


def test_classes_that_mean_the_same_are_inherited(legatee_does, upstream):
    words = ("plan", OLD, NEW, *SIZES, "--class", "0=3", "--json")
    plan = legatee.TransferPlan.from_json(legatee_does(*words))
    biases = [move for move in plan.moves if move.target == "head.bias"]
    assert [(move.take, move.put) for move in biases] == [(("3:4",), ("0:1",))]


def test_classes_have_names_where_their_order_is_told(legatee_does, upstream):
    """Target classes are sub-folders in the order of their names, source classes lines."""
    for name in ("cat", "ant", "dog", "eel", "bee"):
        (Path("photos") / name).mkdir(parents=True)
    Path("old.txt").write_text("fox\ncat\n\nowl\nhen\nemu\n")
    names = ("--class-names", "photos", "--source-class-names", "old.txt")
    chosen = ("--class", "cat=cat", "--class", "eel=4")
    words = ("plan", OLD, NEW, *SIZES, *chosen, *names, "--json")
    plan = legatee.TransferPlan.from_json(legatee_does(*words))
    biases = [move for move in plan.moves if move.target == "head.bias"]
    assert [(move.take, move.put) for move in biases] == [(("1:5:3",), ("2:5:2",))]


def test_names_of_classes_alone_decide(legatee_does, upstream):
    """Class cat is the target's second and the source's first."""
    Path("new.txt").write_text("ant\ncat\ndog\neel\nfox\n")
    Path("old.txt").write_text("cat\nowl\nhen\nemu\nkoi\n")
    names = ("--class-names", "new.txt", "--source-class-names", "old.txt")
    plan = legatee.TransferPlan.from_json(legatee_does("plan", OLD, NEW, *SIZES, *names, "--json"))
    biases = [move for move in plan.moves if move.target == "head.bias"]
    assert [(move.take, move.put) for move in biases] == [(("0:1",), ("1:2",))]


def test_classes_may_be_called_in_digits(legatee_does, upstream):
    """Names of digits, in another order than the digits themselves."""
    Path("new.txt").write_text("4\n3\n2\n1\n0\n")
    Path("old.txt").write_text("1\n2\n4\n8\n16\n")
    here, there = ("--class-names", "new.txt"), ("--source-class-names", "old.txt")
    taken = []
    for words in (("--class", "4=16", *here, *there), ("--class", "4=3", *here)):
        said = legatee_does("plan", OLD, NEW, *SIZES, *words, "--json")
        moves = legatee.TransferPlan.from_json(said).moves
        taken += [(move.take, move.put) for move in moves if move.target == "head.bias"]
    assert taken == [(("4:5",), ("0:1",)), (("3:4",), ("0:1",))]


# --- what is refused ------------------------------------------------------------------------------


def spoil(name: str, value: float) -> None:
    tensors = load_file("old.safetensors")
    tensors[name].view(-1)[0] = value
    save_file(tensors, "old.safetensors")


def refused(said: object) -> str:
    assert isinstance(said, str), "it was not refused"
    assert said.startswith("legatee: ")
    assert "\n" not in said
    assert not Path("new.safetensors").exists()
    assert not [path for path in Path().iterdir() if path.name.startswith(".")]
    return said


def test_weights_that_are_not_finite(legatee_does, planned):
    spoil("features.conv1b.weight", float("nan"))
    said = refused(inherit(legatee_does))
    assert "'features.conv1b.weight' into 'features.conv1b.weight'" in said
    assert "inherited" in inherit(legatee_does, "--allow-nonfinite")


def test_a_source_of_another_architecture(legatee_does, planned):
    network = build("cnn:widths=9", num_classes=5, input_shape=(1, 8, 8))
    write_weights("nine.safetensors", network, {})
    said = refused(inherit(legatee_does, source="cnn:widths=9@nine.safetensors"))
    assert "the plan was made for another source" in said
    assert "(9, 1, 3, 3), and the plan expects (8, 1, 3, 3)" in said


def test_a_file_of_another_architecture(legatee_does, planned):
    assert "holds 'features.conv1a.weight' with shape (8, 1, 3, 3)" in refused(
        inherit(legatee_does, source="cnn:widths=7@old.safetensors")
    )


def test_a_source_without_weights(legatee_does, planned):
    assert "no weights to inherit" in refused(inherit(legatee_does, source=OLD))


def test_published_weights_that_nobody_publishes(legatee_does, planned):
    assert "has no published weights" in refused(inherit(legatee_does, source=f"{OLD}@pretrained"))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.6, 0.99])
def test_a_source_cut_off(legatee_does, planned, part):
    content = Path("old.safetensors").read_bytes()
    Path("old.safetensors").write_bytes(content[: int(part * len(content))])
    assert "old.safetensors" in refused(inherit(legatee_does))


class Payload:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("mark"),)


def test_a_source_that_would_execute_code(legatee_does, upstream, planned):
    torch.save({"model": upstream.state_dict(), "args": Payload()}, "old.pt")
    assert "nothing is executed" in refused(inherit(legatee_does, source=f"{OLD}@old.pt"))
    assert not Path("mark").exists()
    torch.load("old.pt", weights_only=False)
    assert Path("mark").exists()  # or the test would prove nothing


def test_a_plan_cut_off(legatee_does, planned):
    text = Path("plan.json").read_text()
    for part in (0, 0.5, 0.99):
        Path("plan.json").write_text(text[: int(part * len(text))])
        assert "not a transfer plan" in refused(inherit(legatee_does))


def test_a_full_disk(legatee_does, planned, monkeypatch):
    real = Path.open

    def full(path: Path, mode: str = "r", *args: object, **options: object):
        return real(Path("/dev/full") if "w" in mode else path, mode, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    assert "No space left" in refused(inherit(legatee_does))


def test_an_output_that_exists(legatee_does, planned):
    Path("taken.safetensors").write_text("mine")
    assert "exists" in refused(inherit(legatee_does, out="taken.safetensors"))
    assert Path("taken.safetensors").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("--class", "a=0"),
            "target's classes are not known, so 'a' is no class; pass class_names",
        ),
        (("--class", "0"), "expected TARGET=SOURCE"),
        (("--class", "0=1", "--class", "0=2"), "each target class once"),
        (("--class", "0=1", "--class-names", "missing.txt"), "cannot read the names of classes"),
    ],
)
def test_classes_that_cannot_be_told(legatee_does, upstream, words, expected):
    assert expected in refused(legatee_does("plan", OLD, NEW, *SIZES, *words))


def test_words_and_pairs_of_a_match_are_not_mixed(legatee_does, upstream):
    for more in ("last:1", "head=head"):
        words = ("--match", "first:1", "--match", more)
        said = refused(legatee_does("plan", OLD, NEW, *SIZES, *words))
        assert said == (
            "legatee: --match is given 2 times, once as 'first:1'; expected that word alone, or "
            "only pairs TARGET=SOURCE"
        )


@pytest.mark.parametrize("spec", ["hf:owner/name", "hf:owner/name@old.safetensors"])
def test_a_network_of_the_hub_has_its_own_weights(legatee_does, planned, spec):
    expected = "; write hf:owner/name@pretrained"
    assert expected in refused(legatee_does("catalog", spec))
    assert expected in refused(legatee_does("plan", spec, NEW))
    assert expected in refused(inherit(legatee_does, source=spec))


def test_a_plan_where_one_exists_is_refused_before_any_work(legatee_does, planned):
    before = Path("plan.json").read_text()
    assert "exists" in refused(legatee_does("plan", OLD, NEW, *SIZES, "--out", "plan.json"))
    assert Path("plan.json").read_text() == before


def test_a_picture_where_a_file_exists_is_refused_before_any_work(legatee_does, planned):
    words = ("plan", "no:such", "network", "--html")
    assert "exists" in refused(legatee_does(*words, "plan.json"))
    assert "--out and --html are both" in refused(
        legatee_does(*words, "a.html", "--out", "./a.html")
    )


def test_verifying_what_was_not_inherited(legatee_does, upstream):
    assert "does not say how it was made" in refused(legatee_does("verify", "old.safetensors"))


def test_verifying_with_another_source(legatee_does, upstream, planned):
    inherit(legatee_does)
    spoil("features.conv1b.weight", 3.0)
    said = legatee_does("verify", "new.safetensors", "--source", f"{OLD}@old.safetensors", *SIZES)
    assert said.startswith("legatee: 'new.safetensors' inherited from other weights than those")
