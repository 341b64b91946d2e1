"""Published weights: from the cache where they are, one sentence where they are not."""

import socket
import time
from pathlib import Path

import pytest
import torch
from torchvision import models

from legatee.errors import CheckpointError, LegateeError, UnknownNameError
from legatee.models import fetch
from legatee.models.published import published

FILE = "resnet18-f37072fd.pth"  # as torchvision's own table of addresses calls it


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of torch.hub, on a machine whose requests are all refused."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers proxies
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_weights_in_the_cache_need_no_network(cache):
    network = models.resnet18()
    torch.save(network.state_dict(), cache / FILE)
    found = published("torchvision:resnet18")
    assert not found.training
    assert torch.equal(found.fc.weight, network.fc.weight)


def test_a_network_that_segments_may_lie_in_the_cache(cache):
    network = models.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)
    file = "lraspp_mobilenet_v3_large-d234d4ea.pth"
    torch.save(network.state_dict(), cache / file)
    found = published("torchvision:lraspp_mobilenet_v3_large")
    assert torch.equal(found.classifier.cbr[0].weight, network.classifier.cbr[0].weight)


def test_the_global_generator_is_left_as_it_was(cache):
    torch.save(models.resnet18().state_dict(), cache / FILE)
    before = torch.get_rng_state()
    published("torchvision:resnet18")
    assert torch.equal(before, torch.get_rng_state())


class Payload:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("mark"),)


def test_code_in_the_cache_is_not_executed(cache, tmp_path, monkeypatch):
    """torchvision by itself would: torch.hub unpickles anything."""
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.bias": Payload()}, cache / FILE)
    with pytest.raises(CheckpointError, match="torchvision:resnet18"):
        published("torchvision:resnet18")
    assert not Path("mark").exists()
    with pytest.raises(RuntimeError, match="Missing key"):
        models.resnet18(weights="DEFAULT")
    assert Path("mark").exists()


@pytest.mark.parametrize(
    "spec", ["torchvision:resnet18", "timm:resnet18.a1_in1k", "hf:nobody/nothing"]
)
def test_without_a_network_it_is_one_sentence_and_soon(spec):
    start = time.monotonic()
    with pytest.raises(CheckpointError) as refusal:
        published(spec)
    assert time.monotonic() - start < 30  # the hub's own client goes on for a minute
    said = str(refusal.value)
    assert said.startswith(f"cannot fetch the published weights of {spec!r}")
    assert "\n" not in said
    assert f"{spec}@FILE" in said


def test_what_a_download_prints_is_not_on_stdout(capsys):
    """There a command may be printing JSON."""
    with pytest.raises(CheckpointError):
        published("torchvision:resnet18")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Downloading: " in printed.err  # or this test would show nothing


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(fetch, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(CheckpointError, match="timed out"):
            published("torchvision:resnet18")
        assert time.monotonic() - start < 20
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("spec", ["torchvision:resnet81", "timm:resnet18x"])
def test_an_unknown_name_is_refused_with_the_nearest(spec):
    with pytest.raises(UnknownNameError, match="resnet18"):
        published(spec)


@pytest.mark.parametrize("spec", ["cnn:widths=4", "package.module:factory", "timm:resnet18.nope"])
def test_what_nobody_publishes_is_refused(spec):
    with pytest.raises(LegateeError) as refusal:
        published(spec)
    assert "\n" not in str(refusal.value)
    assert f"{spec}@FILE" in str(refusal.value)
