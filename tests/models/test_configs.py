"""Networks of transformers, from folders that it writes itself; the hub is never asked."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from legatee.data.load import load_data
from legatee.errors import CheckpointError, LegateeError
from legatee.models.build import blank, build
from legatee.models.configs import dressed
from legatee.models.published import published
from legatee.training.loop import TrainingLoop
from legatee.training.tasks import score_examples

SHAPE = (3, 16, 16)
SMALL = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 32,
}
VIT = {**SMALL, "image_size": 16, "patch_size": 8, "num_labels": 5}
BERT = {**SMALL, "vocab_size": 30, "max_position_embeddings": 16}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def vit() -> nn.Module:
    network = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT))
    network.save_pretrained("vit")
    return network.eval()


def edited(folder: str, **changes: object) -> None:
    """Change what a config says; ``None`` takes it out."""
    file = Path(folder, "config.json")
    said = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))


def with_tensors(change: Callable[[dict[str, Tensor]], object]) -> None:
    """Write the weights of ``vit`` anew, changed."""
    tensors = load_file("vit/model.safetensors")
    change(tensors)
    save_file(tensors, "vit/model.safetensors", {"format": "pt"})


def said_by(call: Callable[[], object]) -> str:
    """Return the one sentence that a call is refused with."""
    with pytest.raises(LegateeError) as refusal:
        call()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# --- without weights ------------------------------------------------------------------------------


def test_a_config_is_told_the_classes_and_the_size_of_the_images(vit):
    network = build("transformers:vit", num_classes=3, input_shape=(1, 16, 24), seed=1)
    images = torch.zeros(2, 1, 16, 24)
    with torch.no_grad():
        assert network.eval()(images).logits.shape == (2, 3)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator(vit):
    before = torch.get_rng_state()
    one, same, other = (
        build("transformers:vit", num_classes=5, input_shape=SHAPE, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


def test_a_blank_network_takes_no_memory_and_keeps_ties():
    transformers.BertForMaskedLM(transformers.BertConfig(**BERT)).save_pretrained("bert")
    network = blank("transformers:./bert", num_classes=5, input_shape=SHAPE)
    assert {p.device.type for p in network.parameters()} == {"meta"}
    assert network.cls.predictions.decoder.weight is network.bert.embeddings.word_embeddings.weight


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (transformers.ViTConfig(**VIT), transformers.ViTForImageClassification),
        (transformers.BertConfig(**BERT), transformers.BertForSequenceClassification),
    ],
)
def test_a_config_without_an_architecture_is_a_classifier(config, kind):
    config.save_pretrained("plain")
    network = build("transformers:plain", num_classes=7, input_shape=SHAPE)
    assert type(network) is kind
    assert network.classifier.out_features == 7


def test_an_image_classifier_is_trained_like_any_other(vit):
    digits = load_data("digits:classes=0-1,n=20")
    network = build("transformers:vit", num_classes=2, input_shape=(1, 8, 8), seed=0)
    TrainingLoop(epochs=15)(network, digits, seed=0)
    assert score_examples(network, digits).mean() > 0.9


# --- with weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["transformers:vit", "transformers:./vit"])
def test_a_folder_gives_the_network_that_was_saved(vit, spec):
    images = torch.randn(2, *SHAPE)
    before = torch.get_rng_state()
    found = published(spec)
    assert torch.equal(torch.get_rng_state(), before)
    assert not found.training
    with torch.no_grad():
        assert torch.equal(found(images).logits, vit(images).logits)


def test_weights_in_several_files_and_ties_are_read():
    network = transformers.BertForMaskedLM(transformers.BertConfig(**BERT)).eval()
    network.save_pretrained("bert", max_shard_size="8KB")
    assert len([*Path("bert").glob("*.safetensors")]) > 2
    found = published("transformers:bert")
    assert found.cls.predictions.decoder.weight is found.bert.embeddings.word_embeddings.weight
    words = torch.arange(8)[None]
    with torch.no_grad():
        assert torch.equal(found(words).logits, network(words).logits)


def test_a_file_is_read_under_the_names_that_files_have(vit):
    """They are those of older versions of transformers, not of its modules."""
    tensors = load_file("vit/model.safetensors")
    assert tensors.keys() != vit.state_dict().keys()
    network = blank("transformers:vit", num_classes=5, input_shape=SHAPE)
    found = dressed(network, tensors, "model.safetensors").state_dict()
    assert all(torch.equal(value, found[name]) for name, value in vit.state_dict().items())


def test_half_precision_is_widened(vit):
    with_tensors(lambda t: t.update({name: value.half() for name, value in t.items()}))
    edited("vit", dtype="float16")
    found = published("transformers:vit")
    assert found.classifier.weight.dtype == torch.float32
    assert torch.equal(found.classifier.weight, vit.classifier.weight.half().float())


def test_double_precision_is_kept(vit):
    vit.double().save_pretrained("vit")
    weight = vit.classifier.weight + 1e-12  # which single precision does not hold
    with_tensors(lambda t: t.update({"classifier.weight": weight.detach()}))
    assert torch.equal(published("transformers:vit").classifier.weight, weight)
    network = blank("transformers:vit", num_classes=5, input_shape=SHAPE)
    found = dressed(network, load_file("vit/model.safetensors"), "model.safetensors")
    assert torch.equal(found.classifier.weight, weight)


def test_double_precision_is_kept_where_the_config_does_not_say_so(vit):
    vit.double()
    tensors = {name: value.double() for name, value in load_file("vit/model.safetensors").items()}
    edited("vit", dtype="float32")
    network = blank("transformers:vit", num_classes=5, input_shape=SHAPE)
    found = dressed(network, tensors, "model.safetensors")
    assert found.classifier.weight.dtype == torch.float64


def test_heads_of_other_tasks_are_left_and_named(vit, caplog):
    with_tensors(lambda t: t.update({"other.weight": torch.ones(3)}))
    assert torch.equal(published("transformers:vit").classifier.weight, vit.classifier.weight)
    assert caplog.messages == [
        "'transformers:vit' also has other heads, which are not used: other.weight"
    ]


def berts(kind: type[nn.Module], **more: Tensor) -> None:
    """Write what BERT is published as, with more tensors, for a network of another kind."""
    transformers.BertForPreTraining(transformers.BertConfig(**BERT)).save_pretrained("bert")
    file = "bert/model.safetensors"
    save_file(load_file(file) | more, file, {"format": "pt"})
    edited("bert", architectures=[kind.__name__])


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (transformers.BertForMaskedLM, "bert.pooler, cls.seq_relationship"),
        (transformers.BertModel, "cls.predictions, cls.seq_relationship"),
    ],
)
def test_bert_as_it_is_published_is_read(kind, left, caplog):
    """With a head that tells whether sentences follow one another, and a pooler before it."""
    berts(kind)
    assert type(published("transformers:bert")) is kind
    assert [message.partition(": ")[2] for message in caplog.messages] == [left]


@pytest.mark.parametrize("kind", [transformers.BertForMaskedLM, transformers.BertModel])
@pytest.mark.parametrize(
    "name",
    [
        "bert.encoder.layer.0.adapter.weight",
        "bert.encoder.layer.0.attention.self.query.lora_A.weight",
        "bert.encoder.adapter.weight",
        "bert.embeddings.more.weight",
    ],
)
def test_what_would_be_part_of_a_layer_is_refused(kind, name):
    berts(kind, **{name: torch.ones(3)})
    assert f"the network has no '{name}'" in said_by(lambda: published("transformers:bert"))


def test_an_adapter_of_a_head_is_refused(vit):
    with_tensors(lambda t: t.update({"classifier.lora_A.weight": torch.ones(3)}))
    said = said_by(lambda: published("transformers:vit"))
    assert "the network has no 'classifier.lora_A.weight'" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("classifier.bias"), "they lack 1 tensors [classifier.bias]"),
        (
            lambda t: t.update({"classifier.bias": torch.ones(4)}),
            "'classifier.bias' has shape (4,) in the file; the network expects (5,)",
        ),
    ],
)
def test_weights_of_another_architecture_are_refused(vit, change, words):
    with_tensors(change)
    said = said_by(lambda: published("transformers:vit"))
    assert said == f"the weights of 'transformers:vit' do not fit the network: {words}"


def test_weights_of_more_classes_than_the_config_names_are_refused(vit):
    edited("vit", id2label={"0": "cat", "1": "dog"}, label2id={"cat": 0, "dog": 1})
    assert "'classifier.bias' has shape (5,) in the file; the network expects (2,)" in said_by(
        lambda: published("transformers:vit")
    )


def test_weights_of_more_blocks_than_the_config_has_are_refused(vit):
    """The package itself would leave them out."""
    edited("vit", num_hidden_layers=1)
    assert "the network has no 'vit.layers.1." in said_by(lambda: published("transformers:vit"))


UNREAD = (
    "cannot fetch the published weights of 'transformers:vit'; give a file instead, "
    "transformers:vit@FILE: "
)


@pytest.mark.parametrize("pickled", [False, True])
def test_a_folder_without_safetensors_is_refused(vit, pickled):
    Path("vit/model.safetensors").unlink()
    if pickled:
        torch.save(vit.state_dict(), "vit/pytorch_model.bin")
    said = said_by(lambda: published("transformers:vit"))
    assert said.startswith(UNREAD)
    assert "model.safetensors" in said


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_cut_file_is_refused(vit, part):
    file = Path("vit/model.safetensors")
    content = file.read_bytes()
    file.write_bytes(content[: int(part * len(content))])
    said = said_by(lambda: published("transformers:vit"))
    assert said.startswith(UNREAD)


# --- what is not there ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [build, blank])
@pytest.mark.parametrize("name", ["./nowhere", "no/such/folder", "empty"])
def test_what_is_neither_a_folder_nor_an_id_is_refused(name, make):
    Path("empty").mkdir()
    said = said_by(lambda: make(f"transformers:{name}", num_classes=2, input_shape=SHAPE))
    assert said == (
        f"'transformers:{name}' is neither a folder with a config.json nor an id on the hub"
    )


@pytest.mark.parametrize("offline", [True, False])
def test_an_id_that_cannot_be_fetched_is_one_sentence(offline, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers proxies
    spec = "transformers:nobody/nothing"
    for ask in (published, lambda spec: build(spec, num_classes=2, input_shape=SHAPE)):
        said = said_by(lambda ask=ask: ask(spec))
        assert said.startswith(f"cannot find a folder or fetch the config of {spec!r}: ")


def test_without_the_package_it_is_one_sentence(vit, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = said_by(lambda: build("transformers:vit", num_classes=2, input_shape=SHAPE))
    assert "pip install legatee[transformers]" in said


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model_type": "no such"}'])
def test_a_config_that_cannot_be_understood_is_refused(vit, content):
    Path("vit/config.json").write_text(content)
    said = said_by(lambda: build("transformers:vit", num_classes=2, input_shape=SHAPE))
    assert said.startswith("cannot read the config of 'transformers:vit': ")


# --- nothing is executed --------------------------------------------------------------------------


class Payload:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("mark"),)


def test_pickled_weights_are_not_read(vit):
    Path("vit/model.safetensors").unlink()
    torch.save({"classifier.bias": Payload()}, "vit/pytorch_model.bin")
    with pytest.raises(CheckpointError, match="transformers:vit"):
        published("transformers:vit")
    assert not Path("mark").exists()
    torch.load("vit/pytorch_model.bin", weights_only=False)
    assert Path("mark").exists()


def test_an_index_does_not_lead_to_pickled_weights(vit):
    names = load_file("vit/model.safetensors").keys()
    Path("vit/model.safetensors").unlink()
    torch.save({"classifier.bias": Payload()}, "vit/evil.bin")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "evil.bin")}
    Path("vit/model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="transformers:vit"):
        published("transformers:vit")
    assert not Path("mark").exists()


CODE = """
from pathlib import Path
Path("mark").touch()
from transformers import ViTConfig as Evil, ViTForImageClassification as EvilModel
"""
OWN_CODE = {"AutoConfig": "evil.Evil", "AutoModelForImageClassification": "evil.EvilModel"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "evil"}, "contains custom code"),
        (
            {"architectures": ["EvilModel"]},
            "is for 'EvilModel', which is not in the transformers package",
        ),
        (
            {"architectures": ["pipeline"]},
            "is for 'pipeline', which is not in the transformers package",
        ),
    ],
)
def test_code_that_comes_with_a_config_is_refused(vit, changes, words):
    Path("vit/evil.py").write_text(CODE)
    edited("vit", auto_map=OWN_CODE, **changes)
    for ask in (published, lambda spec: build(spec, num_classes=2, input_shape=SHAPE)):
        assert words in said_by(lambda ask=ask: ask("transformers:vit"))
    assert not Path("mark").exists()


def test_code_that_is_not_needed_is_left_alone(vit):
    Path("vit/evil.py").write_text(CODE)
    edited("vit", auto_map=OWN_CODE)
    assert torch.equal(published("transformers:vit").classifier.weight, vit.classifier.weight)
    assert not Path("mark").exists()


def test_a_kernel_that_a_config_names_is_not_fetched(vit):
    edited("vit", attn_implementation="nobody/kernel")
    network = build("transformers:vit", num_classes=2, input_shape=SHAPE)
    assert network.config._attn_implementation in ("sdpa", "eager")
