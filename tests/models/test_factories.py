"""Networks of the user's own: modules and files that are executed to find a factory."""

import sys
from pathlib import Path

import pytest
import torch

from legatee.cli import main
from legatee.errors import LegateeError, UnknownNameError
from legatee.models.build import blank, build

NETS = """
from torch import nn
import sibling_of_test

def small(num_classes):
    return nn.Linear(sibling_of_test.WIDTH, num_classes)
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """A working folder that is not on Python's path, and nothing remembered afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def nets(folder: str, name: str = "nets_of_test.py", width: int = 8) -> None:
    Path(folder).mkdir(exist_ok=True)
    Path(folder, name).write_text(NETS)
    Path(folder, "sibling_of_test.py").write_text(f"WIDTH = {width}\n")


@pytest.mark.parametrize(
    ("folder", "spec"),
    [
        (".", "nets_of_test:small"),
        (".", "nets_of_test.py:small"),
        (".", "./nets_of_test.py:small"),
        ("sub", "sub/nets_of_test.py:small"),
        ("sub", "sub.nets_of_test:small"),
    ],
)
def test_a_factory_is_found_from_the_working_folder(folder, spec):
    nets(folder)
    if spec.startswith("sub."):
        Path("sibling_of_test.py").write_text("WIDTH = 8\n")
    network = build(spec, num_classes=3)
    assert (network.in_features, network.out_features) == (8, 3)


def test_an_absolute_path_is_a_path_too(tmp_path):
    nets("sub")
    assert build(f"{tmp_path}/sub/nets_of_test.py:small", num_classes=3).out_features == 3


def test_a_file_is_that_file_whatever_else_has_its_name():
    """Here a module of the standard library, and another file of the same name."""
    for place, lines in (("one", 4), ("two", 5)):
        Path(place).mkdir()
        for name in ("json.py", "twin_of_test.py"):
            text = "from torch import nn\ndef make(num_classes):\n"
            Path(place, name).write_text(text + f"    return nn.Linear({lines}, num_classes)\n")
    for name in ("json.py", "twin_of_test.py"):
        widths = [
            build(f"{place}/{name}:make", num_classes=2).in_features for place in ("one", "two")
        ]
        assert widths == [4, 5]
    import json

    assert json.loads("[1]") == [1]


def test_an_installed_module_is_not_hidden_by_a_file_of_the_working_folder(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    Path("colorsys.py").write_text("raise SystemExit\n")
    with pytest.raises(UnknownNameError, match="unknown factory of colorsys 'make'"):
        build("colorsys:make", num_classes=2)


def test_a_file_is_executed_once():
    Path("once_of_test.py").write_text(
        "from pathlib import Path\nfrom torch import nn\n"
        "with Path('log').open('a') as log: log.write('x')\n"
        "def make(num_classes): return nn.Linear(2, num_classes)\n"
    )
    for _ in range(2):
        build("./once_of_test.py:make", num_classes=2)
    assert Path("log").read_text() == "x"


def test_a_module_is_not_executed_on_the_device_of_shapes():
    """What it computes when it is imported are numbers."""
    Path("lazy_of_test.py").write_text(
        "import torch\nfrom torch import nn\nTABLE = torch.arange(3.0)\n"
        "def make(num_classes): return nn.Linear(int(TABLE.sum()), num_classes)\n"
    )
    outline = blank("./lazy_of_test.py:make", num_classes=2)
    assert outline.weight.is_meta
    assert outline.in_features == 0 + 1 + 2
    assert not sys.modules["lazy_of_test"].TABLE.is_meta


REFUSED = {
    "missing:make": "unknown kind of model 'missing'; known: cnn, resnet, timm, torchvision, "
    "transformers; nor is there a module of that name, installed or in the working folder",
    "./missing.py:make": "no Python file at './missing.py': no such file or folder",
    "./nets_of_test:small": "'./nets_of_test' is no name of a module; for a file write "
    "./nets_of_test.py:FACTORY",
    "./nets_of_test.py": "'./nets_of_test.py' names a file and no factory in it; write "
    "./nets_of_test.py:FACTORY",
    "./nets_of_test.py:smal": "unknown factory of ./nets_of_test.py 'smal'; did you mean small?",
    "./broken_of_test.py:make": "cannot execute './broken_of_test.py': division by zero",
    "broken_of_test:make": "cannot import 'broken_of_test': division by zero",
    "./needy_of_test.py:make": "cannot execute './needy_of_test.py': No module named 'lacking'",
    "./odd_of_test.py:plain": "cannot call './odd_of_test.py:plain' as plain(num_classes=2): "
    "got an unexpected keyword argument 'num_classes'; expected a function or class that takes "
    "num_classes and gives an nn.Module",
}


@pytest.mark.parametrize("spec", REFUSED)
def test_what_gives_no_factory_is_one_sentence(spec):
    nets(".")
    Path("broken_of_test.py").write_text("1 / 0\n")
    Path("needy_of_test.py").write_text("import lacking\n")
    Path("odd_of_test.py").write_text("def plain(): pass\n")
    with pytest.raises(LegateeError) as refusal:
        build(spec, num_classes=2)
    assert str(refusal.value) == REFUSED[spec]


EXITS = {
    "SystemExit": "its code ends the program (SystemExit None)",
    "SystemExit(3)": "its code ends the program (SystemExit 3)",
    "SystemExit('bye')": "its code ends the program (SystemExit bye)",
    "Odd('strange')": "strange",
}


@pytest.mark.parametrize("place", ["module", "factory"])
@pytest.mark.parametrize("error", EXITS)
def test_code_that_ends_the_program_is_one_sentence(error, place):
    raising = f"class Odd(BaseException): pass\n{{}}raise {error}\n"
    body = "" if place == "module" else "def make(num_classes): "
    Path("exit_of_test.py").write_text(raising.format(body))
    with pytest.raises(LegateeError) as refusal:
        build("./exit_of_test.py:make", num_classes=2, input_shape=(1, 8, 8))
    verb = (
        "execute './exit_of_test.py'"
        if place == "module"
        else ("build './exit_of_test.py:make' for 2 classes of inputs (1, 8, 8)")
    )
    assert str(refusal.value) == f"cannot {verb}: {EXITS[error]}"


@pytest.mark.parametrize("body", ["", "def make(num_classes): "])
def test_ctrl_c_passes(body):
    Path("slow_of_test.py").write_text(f"{body}raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        build("./slow_of_test.py:make", num_classes=2)


def test_the_command_says_so_with_its_own_exit_code(monkeypatch, capsys):
    Path("exit_of_test.py").write_text("raise SystemExit(0)\n")
    monkeypatch.setattr(sys, "argv", ["legatee", "catalog", "exit_of_test:make"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == (
        "legatee: cannot import 'exit_of_test': its code ends the program (SystemExit 0)"
    )
    assert capsys.readouterr().out == ""


def test_a_seed_is_for_a_factory_too():
    nets(".")
    one, two = (build("./nets_of_test.py:small", num_classes=3, seed=1) for _ in "ab")
    assert torch.equal(one.weight, two.weight)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("resnet50", "torchvision:resnet50 or timm:resnet50"),
        ("tf_efficientnet_lite0", "timm:tf_efficientnet_lite0"),
        ("deeplabv3_resnet50", "torchvision:deeplabv3_resnet50"),
        ("tf_efficientnet_lite9", "timm:tf_efficientnet_lite"),
        ("timn", "timm"),
    ],
)
def test_a_name_without_its_package_is_met_with_the_packages_that_have_it(name, suggested):
    with pytest.raises(UnknownNameError) as refusal:
        build(name)
    assert str(refusal.value).startswith(
        f"unknown kind of model {name!r}; did you mean {suggested}"
    )
