"""Trace, plan and apply several hundred networks of timm, torchvision and transformers.

    python benchmarks/surgery_census.py [OUT] [--only WORD] [--limit N]

The architectures are the rows of census_models.csv; those of transformers are built from a small
config, which the column `config` changes (a setting that is null keeps its default). Each is
built in a process of its own, with a deadline, without published weights. Results are kept in
`legatee-bench/census`, and the same command goes on from there. The table goes to docs/census.md,
or OUT.
"""

import argparse
import csv
import json
import multiprocessing
import time
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import timm
import torch
import transformers
from tables import where
from torchvision import models

import legatee
from legatee.surgery.network.catalog import read
from surgery_zoo import applied, fill

ROOT = Path(__file__).parents[1]
MODELS = Path(__file__).with_name("census_models.csv")
HOME = ROOT / "legatee-bench" / "census"
DEADLINE = 300  # for one network [s]
LARGEST = 150_000_000  # parameters of a network that is applied; larger ones are traced and planned
CLASSES = {
    "Model": "AutoModel",
    "ForSeq2SeqLM": "AutoModelForSeq2SeqLM",
    "ForSpeechSeq2Seq": "AutoModelForSpeechSeq2Seq",
}
WIDTHS = "hidden_size d_model n_embd dim emb_dim embed_dim embedding_size dim_model"
DEPTHS = "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers"
HEADS = "num_attention_heads n_head n_heads num_heads encoder_attention_heads num_key_value_heads"
INNER = "intermediate_size d_ff ffn_dim encoder_ffn_dim decoder_ffn_dim n_inner hidden_dim dff"
SMALL = (
    dict.fromkeys(WIDTHS.split(), 32)
    | dict.fromkeys([*DEPTHS.split(), "num_decoder_layers", "num_encoder_layers"], 2)
    | dict.fromkeys([*HEADS.split(), "decoder_attention_heads"], 4)
    | dict.fromkeys(INNER.split(), 64)
    | {"d_kv": 8, "head_dim": 8, "rotary_dim": 4, "projection_dim": 16, "num_labels": 5}
    | {"vocab_size": 120, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    | {"sep_token_id": 3, "decoder_start_token_id": 1, "image_size": 64, "patch_size": 16}
    | {"num_mel_bins": 16, "max_source_positions": 32, "attention_window": 4}
    | {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "num_codebooks": 2}
)


def small(config: Any) -> dict[str, int]:
    """Return the settings of a config that make its network small."""
    whole = (int, type(None))
    return {k: v for k, v in SMALL.items() if type(getattr(config, k, "")) in whole}


def build(library: str, name: str, changed: dict[str, Any]) -> Any:
    """Build a network on the meta device."""
    with torch.device("meta"):
        if library == "timm":
            return timm.create_model(name)
        if library == "torchvision":
            unloaded = {"weights": None, "weights_backbone": None}
            try:
                return models.get_model(name, **unloaded)
            except TypeError:
                return models.get_model(name, weights=None)
        kind, _, task = name.partition(":")
        usual = transformers.AutoConfig.for_model(kind)
        settings: dict[str, Any] = small(usual)
        for part in getattr(usual, "sub_configs", {}):
            if getattr(usual, part, None) is not None:
                settings[part] = small(getattr(usual, part))
        settings = {
            k: v for k, v in (settings | changed).items() if k not in changed or v is not None
        }
        backbone = settings.get("backbone_config")
        if backbone:
            settings["backbone_config"] = transformers.AutoConfig.for_model(**backbone)
            config = transformers.models.auto.CONFIG_MAPPING[kind](**settings)
        else:
            config = transformers.AutoConfig.for_model(kind, **settings)
        return getattr(transformers, CLASSES.get(task, f"AutoModel{task}")).from_config(config)


def examined(library: str, name: str, changed: dict[str, Any]) -> dict[str, Any]:
    """Trace one network, plan it into itself, and hold the receipt of half of it to account."""
    network = build(library, name, changed)
    row: dict[str, Any] = {"parameters": sum(x.numel() for x in network.parameters())}
    began = time.perf_counter()
    try:
        row["groups"] = len(read(network).groups)
        row["followed"] = "yes"
    except legatee.LegateeError as error:
        row["followed"] = " ".join(str(error).split())
    row["seconds"] = round(time.perf_counter() - began, 2)
    if row["parameters"] > LARGEST:
        return row | {"identity": "too large", "receipt": "too large"}
    source, target = (network.to_empty(device="cpu"), build(library, name, changed))
    target = target.to_empty(device="cpu")
    row["identity"] = outcome(lambda: identity(source, target))
    row["receipt"] = outcome(lambda: receipt(source, target))
    return row


def outcome(check: Any) -> str:
    """Return "yes", or why a check fails."""
    try:
        check()
    except Exception as error:  # whatever is raised is a result
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return "yes"


def identity(source: Any, target: Any) -> None:
    """Check that all of a network is inherited by an equal one."""
    share = legatee.plan(source, target).inherited_fraction
    assert share == 1.0, f"{share:.1%} inherited"


def receipt(source: Any, target: Any) -> None:
    """Apply half of a network to one that is full of NaN, and count what is a number then."""
    import legatee

    fill(source, 1.0)
    fill(target, float("nan"))
    applied(legatee.plan(source, target, alpha=0.5), source, target)


def in_child(row: dict[str, str]) -> dict[str, Any]:
    """Examine one network in a process of its own, a fork that need not import anything."""
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=report, args=(row, sender))
    child.start()
    sender.close()
    try:
        in_time = receiver.poll(DEADLINE)
        return receiver.recv() if in_time else {"followed": f"not within {DEADLINE} s"}
    except EOFError:
        return {"followed": "the process died"}
    finally:
        child.kill()
        child.join()


def report(row: dict[str, str], sender: Connection) -> None:
    """Send what one network gives."""
    warnings.filterwarnings("ignore")
    try:
        sender.send(examined(row["library"], row["name"], json.loads(row["config"] or "{}")))
    except Exception as error:  # whatever is raised is a result
        text = f"{type(error).__name__}: {error}"
        sender.send({"followed": f"not built: {' '.join(text.split())[:300]}"})


def main(out: Path, only: str, limit: int) -> None:
    """Examine what has not been examined yet, and write the page."""
    HOME.mkdir(parents=True, exist_ok=True)
    kept = HOME / "results.jsonl"
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    done = {json.dumps(x["model"]): x for x in map(json.loads, lines)}
    with MODELS.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if only in f"{row['library']} {row['name']}"]
    waiting = [row for row in rows if json.dumps(row) not in done][: limit or None]
    for row in waiting:
        done[json.dumps(row)] = result = {"model": row, **in_child(row)}
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(row["library"], row["name"], result["followed"], flush=True)
    out.write_text(page([done[json.dumps(row)] for row in rows if json.dumps(row) in done]))


def page(results: list[dict[str, Any]]) -> str:
    """Write the table with what stands in it."""
    lines = [
        "# The census",
        "",
        f"`make bench-census` makes this page ({where()}). Networks of timm and torchvision as "
        "they are, and of transformers from small configs, without published weights and without "
        "example inputs. *Followed*: all channels are traced, or why not. *Identity*: an equal "
        "network inherits all. *Receipt*: half of the network (`alpha=0.5`) goes into one full of "
        "NaN, and what is a number afterwards agrees with the receipt, tensor by tensor.",
        "",
        "| library | networks | followed | identity | receipt |",
        "|---|---|---|---|---|",
    ]
    for library in sorted({x["model"]["library"] for x in results}):
        rows = [x for x in results if x["model"]["library"] == library]
        counts = [
            sum(x.get(key) == "yes" for x in rows) for key in ("followed", "identity", "receipt")
        ]
        lines.append(f"| {library} | {len(rows)} | " + " | ".join(map(str, counts)) + " |")
    lines += ["", "| network | followed | seconds | identity | receipt |", "|---|---|---|---|---|"]
    for x in results:
        cells = [x.get(key, "") for key in ("followed", "seconds", "identity", "receipt")]
        texts = [str(cell).replace("|", "/")[:160] for cell in cells]
        lines.append(
            f"| {x['model']['library']} {x['model']['name']} | " + " | ".join(texts) + " |"
        )
    reasons = Counter(x["followed"][:100] for x in results if x["followed"] != "yes")
    lines += ["", "Why networks were not followed:", ""] if reasons else []
    lines += [f"* {count} x {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("out", nargs="?", type=Path, default=ROOT / "docs" / "census.md")
    words.add_argument("--only", default="", help="a part of library and name")
    words.add_argument("--limit", type=int, default=0, help="networks in this run")
    asked = words.parse_args()
    main(asked.out, asked.only, asked.limit)
