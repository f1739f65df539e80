"""Checkpoints as people save them, and how plain PyTorch reads them. Shares no line with the worker."""

from __future__ import annotations

import argparse
import json
import pathlib
import struct
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.models
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

CLASSES = 10
SMALL = "shufflenet_v2_x0_5"
RAN = "it-ran"
"""The file that is there where something ran a checkpoint."""


@dataclass(frozen=True)
class Form:
    """A file that is loaded."""

    write: Callable[[Path], object]
    network: Callable[[Path], nn.Module]
    """What plain PyTorch makes of the file."""
    suffix: str = ".pth"
    flags: tuple[str, ...] = ()
    """What the command is told besides the file."""


def made(model: str = SMALL, seed: int = 0, classes: int = CLASSES, **options: Any) -> nn.Module:
    """A network in evaluation mode, with BatchNorm's statistics of noise; the file of SMALL has 2 MB."""
    torch.manual_seed(seed)
    network: nn.Module = getattr(torchvision.models, model)(weights=None, num_classes=classes, **options)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 64, 64))
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


def state(prefix: str = "", seed: int = 0, classes: int = CLASSES) -> OrderedDict[str, Tensor]:
    """A state dict with something before each name."""
    values = made(seed=seed, classes=classes).state_dict()
    return OrderedDict((prefix + name, value) for name, value in values.items())


def of_type(dtype: torch.dtype) -> OrderedDict[str, Tensor]:
    """With other numbers, and its counters as they are."""
    return OrderedDict(
        (name, value.to(dtype) if value.is_floating_point() else value) for name, value in state().items()
    )


def renamed(head: str) -> OrderedDict[str, Tensor]:
    """With another name for the head."""
    return OrderedDict((name.replace("fc.", head), value) for name, value in state().items())


def optimiser(kind: type[torch.optim.Optimizer] = torch.optim.AdamW) -> Any:
    """After a step."""
    network = made().train()
    steps: Any = kind(network.parameters(), lr=0.1)
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    steps.step()
    return steps.state_dict()


def wrapped(network: nn.Module, *names: str) -> nn.Module:
    """In modules that have nothing else, the first name outermost."""
    for name in reversed(names):
        outer = nn.Module()
        outer.add_module(name, network)
        network = outer
    return network


def lightning(values: Mapping[str, Tensor], **more: object) -> dict[str, object]:
    """As Lightning's trainer saves it."""
    return {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": values,
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [optimiser()],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "root": pathlib.PurePosixPath("/data")},
        **more,
    }


def reference() -> dict[str, object]:
    """As torchvision's references/classification save it."""
    return {
        "model": state(),
        "optimizer": optimiser(),
        "lr_scheduler": {"last_epoch": 3},
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, model=SMALL),
        "model_ema": OrderedDict([("n_averaged", torch.tensor(5)), *state("module.", seed=7).items()]),
        "scaler": {"scale": 65536.0},
    }


def timm() -> dict[str, object]:
    """As timm's train.py saves it, of a network whose names are torchvision's."""
    return {
        "epoch": 12,
        "arch": "resnet18",
        "state_dict": made("resnet18").state_dict(),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "version": 2,
        "args": argparse.Namespace(model="resnet18", mean=None, opt="lamb"),
        "amp_scaler": {"scale": 1024.0},
        "state_dict_ema": made("resnet18", seed=9).state_dict(),
        "metric": 71.25,
    }


def safetensors(values: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> bytes:
    """By the format's description: the length of a header in JSON, the header, the values."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    header: dict[str, object] = {} if about is None else {"__metadata__": about}
    parts: list[bytes] = []
    end = 0
    for name, value in values.items():
        parts.append(value.contiguous().numpy().tobytes())
        start, end = end, end + len(parts[-1])
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape), "data_offsets": [start, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(parts)


def shared_storage() -> OrderedDict[str, Tensor]:
    """A head that is a part of something larger."""
    values = state()
    values["fc.weight"] = torch.cat([values["fc.weight"], values["fc.weight"]])[:CLASSES]
    return values


def deep_speed() -> dict[str, object]:
    """As DeepSpeed saves mp_rank_00_model_states.pt."""
    return {
        "module": state(),
        "buffer_names": [],
        "optimizer": None,
        "param_shapes": [OrderedDict((name, value.shape) for name, value in state().items())],
        "ds_config": {"train_batch_size": 8},
        "ds_version": "0.14.0",
    }


class Runs:
    """Makes a file where a reader runs what a pickle says."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def saves(make: Callable[[], object], **options: Any) -> Callable[[Path], object]:
    """By torch.save."""
    return lambda path: torch.save(make(), path, **options)


def read(path: Path) -> Any:
    """By torch.load, which runs what the file says."""
    return torch.load(path, map_location="cpu", weights_only=False)


def plainly(
    *keys: str, prefix: str = "", into: Callable[[], nn.Module] = lambda: made(seed=1)
) -> Callable[[Path], nn.Module]:
    """By torch.load, the values at `keys`, and a strict load_state_dict into a network of other numbers."""

    def network(path: Path) -> nn.Module:
        values = read(path)
        for key in keys:
            values = values[key]
        if prefix:
            values = {name[len(prefix) :]: value for name, value in values.items()}
        return filled(values, into())

    return network


def filled(values: Any, network: nn.Module) -> nn.Module:
    """By load_state_dict."""
    network.load_state_dict(values)
    return network.eval()


def with_head(head: nn.Module) -> Callable[[], nn.Module]:
    """SMALL with another head."""

    def network() -> nn.Module:
        small: Any = made(seed=1)
        small.fc = head
        return small

    return network


def averaged(path: Path) -> nn.Module:
    """By the class that made the average."""
    average = AveragedModel(made(seed=1))
    average.load_state_dict(read(path))
    return average.module.eval()


def googlenet(seed: int = 0) -> nn.Module:
    """As torchvision makes it for its weights, with the auxiliary heads of training."""
    return made("googlenet", seed, transform_input=True, init_weights=False, aux_logits=True)


def linear(inputs: int = 1024) -> nn.Module:
    return nn.Linear(inputs, CLASSES)


MODULE, KEY = "module.", "--checkpoint-key"
LOADED: dict[str, Form] = {
    # Those of shared/cases.
    "fc10": Form(saves(state), plainly()),
    "fc1": Form(saves(lambda: state(classes=1)), plainly(into=lambda: made(classes=1))),
    "fc1000": Form(saves(lambda: state(classes=1000)), plainly(into=lambda: made(classes=1000))),
    "fc_sequential": Form(
        saves(lambda: renamed("fc.1.")),
        plainly(into=with_head(nn.Sequential(nn.Dropout(), linear()))),
    ),
    "module": Form(saves(lambda: state(MODULE)), plainly(prefix=MODULE)),
    "orig_mod": Form(saves(lambda: state("_orig_mod.")), plainly(prefix="_orig_mod.")),
    "nested_state_dict": Form(
        saves(
            lambda: {
                "epoch": 89,
                "arch": SMALL,
                "state_dict": state(MODULE),
                "best_acc1": torch.tensor(77.3),
                "optimizer": optimiser(torch.optim.SGD),
            }
        ),
        plainly("state_dict", prefix=MODULE),
        ".pth.tar",
    ),
    "nested_numpy": Form(
        saves(lambda: {"epoch": 3, "state_dict": state(), "best_acc1": np.float64(0.773)}),
        plainly("state_dict"),
    ),
    "tv_reference": Form(saves(reference), plainly("model"), flags=(KEY, "model")),
    "tv_reference_ema": Form(
        saves(reference),
        lambda path: filled(
            {name[7:]: one for name, one in read(path)["model_ema"].items() if name != "n_averaged"},
            made(seed=1),
        ),
        flags=(KEY, "model_ema"),
    ),
    "lightning": Form(
        saves(lambda: lightning(state("model."))), plainly("state_dict", prefix="model."), ".ckpt"
    ),
    "whole_model": Form(saves(made), read),
    "half": Form(saves(lambda: of_type(torch.float16)), plainly()),
    "bf16": Form(saves(lambda: of_type(torch.bfloat16)), plainly()),
    "double": Form(saves(lambda: of_type(torch.float64)), plainly()),
    "parameters": Form(
        saves(
            lambda: {
                name: nn.Parameter(value) if value.is_floating_point() else value
                for name, value in state().items()
            }
        ),
        plainly(),
    ),
    "legacy": Form(saves(state, _use_new_zipfile_serialization=False), plainly()),
    "channels_last": Form(
        saves(lambda: made().to(memory_format=torch.channels_last).state_dict()), plainly()
    ),
    "shared_storage": Form(saves(shared_storage), plainly()),
    "safetensors": Form(
        lambda path: path.write_bytes(safetensors(state())),
        lambda _: filled(state(), made(seed=1)),
        ".safetensors",
    ),
    # Others.
    "labels_and_settings_beside": Form(
        saves(
            lambda: {
                "model_state_dict": state(),
                "optimizer_state_dict": optimiser(),
                "loss": 0.25,
                "classes": [f"dish {at}" for at in range(CLASSES)],
                "class_to_idx": {f"dish {at}": at for at in range(CLASSES)},
                "config": types.SimpleNamespace(lr=0.1, device=torch.device("cuda:0")),
            }
        ),
        plainly("model_state_dict"),
        ".pt",
    ),
    "average": Form(saves(lambda: AveragedModel(made()).state_dict()), averaged),
    "compiled_and_parallel": Form(
        saves(lambda: state("module._orig_mod.")), plainly(prefix="module._orig_mod.")
    ),
    "lightning_parallel_half": Form(
        saves(lambda: lightning({f"model.module.{key}": one for key, one in of_type(torch.float16).items()})),
        plainly("state_dict", prefix="model.module."),
        ".ckpt",
    ),
    "whole_parallel": Form(saves(lambda: nn.DataParallel(made())), lambda path: read(path).module),
    "whole_in_dict_protocol_5": Form(
        saves(lambda: {"epoch": 4, "model": made()}, pickle_protocol=5), lambda path: read(path)["model"]
    ),
    "legacy_protocol_4": Form(
        saves(lambda: {"net": state(), "lr": 0.1}, pickle_protocol=4, _use_new_zipfile_serialization=False),
        plainly("net"),
        ".bin",
    ),
    "timm_train": Form(
        saves(timm),
        plainly("state_dict", into=lambda: made("resnet18", 1)),
        ".pth.tar",
        (KEY, "state_dict"),
    ),
    "timm_train_ema": Form(
        saves(timm),
        plainly("state_dict_ema", into=lambda: made("resnet18", 1)),
        ".pth.tar",
        (KEY, "state_dict_ema"),
    ),
    "deepspeed": Form(saves(deep_speed), plainly("module"), ".pt"),
    "safetensors_half_with_metadata": Form(
        lambda path: path.write_bytes(safetensors(of_type(torch.float16), {"format": "pt", "labels": "a,b"})),
        lambda _: filled(of_type(torch.float16), made(seed=1)),
        ".safetensors",
    ),
    "safetensors_as_bin": Form(
        lambda path: path.write_bytes(safetensors(state())), lambda _: filled(state(), made(seed=1)), ".bin"
    ),
    "named_head_without_bias": Form(
        saves(
            lambda: OrderedDict(
                (name, value) for name, value in renamed("fc.out.").items() if not name.endswith("out.bias")
            )
        ),
        plainly(
            into=with_head(
                nn.Sequential(OrderedDict(drop=nn.Dropout(), out=nn.Linear(1024, CLASSES, bias=False)))
            )
        ),
    ),
    "googlenet_with_auxiliary_heads": Form(
        saves(lambda: googlenet().state_dict()), plainly(into=lambda: googlenet(1))
    ),
    "squeezenet": Form(
        saves(lambda: wrapped(made("squeezenet1_1"), "backbone").state_dict()),
        plainly(prefix="backbone.", into=lambda: made("squeezenet1_1", 1)),
    ),
    "mnasnet": Form(
        saves(lambda: made("mnasnet0_5").state_dict()), plainly(into=lambda: made("mnasnet0_5", 1))
    ),
    "densenet": Form(
        saves(lambda: made("densenet121").state_dict()), plainly(into=lambda: made("densenet121", 1))
    ),
    "protocol_1": Form(saves(state, pickle_protocol=1), plainly()),
    "with_a_trap": Form(
        lambda path: torch.save({"state_dict": state(), "callback": Runs(path.with_name(RAN))}, path),
        lambda _: filled(state(), made(seed=1)),
    ),
}
