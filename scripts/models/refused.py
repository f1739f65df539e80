"""Files that isotorch does not load, and what it must say of each. Shares no line with the worker."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision.models
from forms import CLASSES, SMALL, lightning, made, reference, renamed, safetensors, saves, state, timm
from torch import nn

MISMATCH, CORRUPT = "CHECKPOINT_MISMATCH", "CHECKPOINT_CORRUPT"


@dataclass(frozen=True)
class Refused:
    """A file that is not loaded."""

    write: Callable[[Path], object]
    code: str
    says: str
    """A regular expression that the sentence has."""
    hint: str
    """A regular expression that the hint has."""
    suffix: str = ".pth"
    flags: tuple[str, ...] = ()


def scripted(path: Path) -> None:
    torch.jit.script(made()).save(str(path))


def writes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred() -> bytes:
    """As torch wrote it before 0.1.10."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"\x80\x02N."))
    return buffer.getvalue()


def quantised() -> OrderedDict[str, object]:
    return OrderedDict(
        (name, torch.quantize_per_tensor(value, 0.1, 0, torch.qint8) if value.dim() > 1 else value)
        for name, value in state().items()
    )


def broken(name: str, value: float) -> OrderedDict[str, object]:
    values = state()
    values[name].view(-1)[3] = value
    return OrderedDict(values)


def half_of_it(path: Path) -> None:
    torch.save(state(), path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path: Path) -> None:
    """One bit of a weight is another."""
    torch.save(state(), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def without(*prefixes: str) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((name, value) for name, value in state().items() if not name.startswith(prefixes))


def layers() -> OrderedDict[str, torch.Tensor]:
    """A head of two layers."""
    head = nn.Sequential(nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    return OrderedDict(
        [*without("fc.").items(), *((f"fc.{name}", value) for name, value in head.state_dict().items())]
    )


def vision_transformer(names: str) -> OrderedDict[str, torch.Tensor]:
    """A few of the names of another library."""
    kinds = {"timm": "blocks.{}.attn.qkv.weight", "transformers": "vit.encoder.layer.{}.attention.x.weight"}
    return OrderedDict((kinds[names].format(at), torch.ones(4, 4)) for at in range(12))


def fastai() -> dict[str, object]:
    """As its learner saves it: the layers by their number."""
    body = nn.Sequential(*list(made("resnet18").children())[:-2])
    head = nn.Sequential(nn.BatchNorm1d(1024), nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, CLASSES))
    return {"model": nn.Sequential(body, head).state_dict(), "opt": {"hypers": [{"lr": 0.1}]}}


REFUSED: dict[str, Refused] = {
    # Those of shared/cases.
    "torchscript": Refused(scripted, MISMATCH, "TorchScript", r"torch\.save\(model\.state_dict", ".pt"),
    "another_network": Refused(
        saves(lambda: torchvision.models.resnet18(weights=None).state_dict()),
        MISMATCH,
        f"is resnet18's with 1000 classes, and {SMALL} was asked for",
        "leave `model` out|say resnet18",
        flags=("--model", SMALL),
    ),
    "aux_unexpected": Refused(
        saves(lambda: OrderedDict([*state().items(), ("step.weight", torch.ones(3))])),
        MISMATCH,
        r"another network: unexpected: step\.weight\.$",
        "state_dict|models",
        flags=("--model", SMALL),
    ),
    "missing_fc": Refused(
        saves(lambda: without("fc.")), MISMATCH, r"missing: fc\.weight", ".", flags=("--model", SMALL)
    ),
    "tv_reference_without_key": Refused(
        saves(reference), MISMATCH, '2 state dicts: "model"', "--checkpoint-key model_ema"
    ),
    # Others.
    "timm_train_without_key": Refused(
        saves(timm), MISMATCH, '2 state dicts: "state_dict"', "--checkpoint-key state_dict_ema", ".pth.tar"
    ),
    "wrong_key": Refused(
        saves(reference), "INVALID_OPTION", "checkpointKey", ".", flags=("--checkpoint-key", "ema")
    ),
    "head_of_layers": Refused(
        saves(layers), MISMATCH, f"{SMALL}'s with a head of several layers", "head of one layer"
    ),
    "lightning_with_a_loss": Refused(
        saves(lambda: lightning(OrderedDict([*state("model.").items(), ("loss.weight", torch.ones(5))]))),
        MISMATCH,
        r"network under model\. and beside it loss\.weight",
        r"state_dict",
        ".ckpt",
    ),
    "timm_names": Refused(saves(lambda: vision_transformer("timm")), MISMATCH, "names of timm", "resnet"),
    "transformers_names": Refused(
        saves(lambda: vision_transformer("transformers")),
        MISMATCH,
        "names of Hugging Face",
        "torchvision",
        ".bin",
    ),
    "fastai": Refused(saves(fastai), MISMATCH, "none of torchvision's", "ame the network"),
    "quantised": Refused(saves(quantised), MISMATCH, "quanti[sz]ed tensor", "."),
    "onnx": Refused(
        writes(b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\x10" + bytes(64)), MISMATCH, "ONNX", "torch.save"
    ),
    "zip_without_pickle": Refused(
        writes(zipped(**{"notes/readme.txt": b"hello"})),
        MISMATCH,
        "ZIP archive without the data.pkl",
        "npack",
    ),
    "tar_of_old_torch": Refused(writes(tarred()), MISMATCH, r"torch before 0\.1\.10", "torch.save"),
    "pickled": Refused(
        lambda path: path.write_bytes(pickle.dumps(dict(state()))),
        MISMATCH,
        "torch.save did not write",
        "torch.save",
    ),
    "gzipped": Refused(
        lambda path: path.write_bytes(gzip.compress(safetensors(state()))), MISMATCH, "gzip", "npack"
    ),
    "index_of_shards": Refused(
        writes(json.dumps({"metadata": {}, "weight_map": {"fc.weight": "model-1.safetensors"}}).encode()),
        MISMATCH,
        "index of a checkpoint in several files",
        "one file",
        ".safetensors",
    ),
    "a_shard": Refused(
        lambda path: path.write_bytes(safetensors(without("stage3", "stage4"))),
        MISMATCH,
        "none of torchvision's",
        "model",
        ".safetensors",
    ),
    "cut_short": Refused(half_of_it, CORRUPT, "cut short|damaged", "."),
    "a_bit": Refused(flipped, CORRUPT, "damaged|checksum", "."),
    "nothing": Refused(writes(b""), MISMATCH, "empty", "again"),
    "web_page": Refused(writes(b"<!DOCTYPE html><html>404</html>"), MISMATCH, "web page", "ownload"),
    "git_lfs": Refused(
        writes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
        MISMATCH,
        "Git LFS",
        "git lfs pull",
    ),
    "not_a_number": Refused(
        saves(lambda: broken("conv1.0.weight", float("nan"))),
        CORRUPT,
        r"NaN or infinite values in conv1",
        ".",
    ),
    "negative_variance": Refused(
        saves(lambda: broken("conv1.1.running_var", -1.0)), CORRUPT, r"negative variances in conv1", "."
    ),
    "a_list": Refused(saves(lambda: [torch.ones(3), 5]), MISMATCH, "not a state dict", "torch.save"),
    "an_optimiser": Refused(
        saves(lambda: {"state": {}, "param_groups": [{"lr": 0.1}]}),
        MISMATCH,
        "not a state dict",
        "torch.save",
    ),
    "head_twice": Refused(
        saves(lambda: OrderedDict([*renamed("fc.1.").items(), *state().items()])),
        MISMATCH,
        "head of several",
        "one layer",
    ),
    "overlapping_safetensors": Refused(
        lambda path: path.write_bytes(
            safetensors(state()).replace(b'"data_offsets": [', b'"data_offsets":[ ', 1)[:-8]
        ),
        CORRUPT,
        ".",
        ".",
        ".safetensors",
    ),
}
