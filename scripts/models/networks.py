"""Compare every network as the worker builds and fills it with what torchvision makes of `weights=`.

    python3 scripts/models/networks.py [--only NAME ...] [--most PARAMETERS]

No trained file is needed. Where torchvision looks for one, there lies a state dict with the real one's
names, those of older versions included, and with one value for each tensor, stored once: it takes kilobytes.
Networks with more than PARAMETERS (150 million) are not filled: their names and shapes are compared alone.

Prints one line of JSON for each network and size of pictures: model, weights, tensors, filled, differences
(sentences). The last line has the specs: how many there are, and in what models/torchvision.json, the worker
and torchvision differ.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Run by its path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

# Threads that wait in a busy loop take what the others need; the bits are the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

import torch
import torchvision.models
from read_table import classifiers, is_classifier
from torch import Tensor, nn

from isotorch_worker.checkpoints.networks import AUXILIARY, identify
from isotorch_worker.runtime.build import build, without_initialisation
from isotorch_worker.runtime.fill import load_state
from isotorch_worker.runtime.model import transforms_spec

ROOT = Path(__file__).resolve().parents[2]
TABLE: dict[str, Any] = json.loads((ROOT / "models" / "torchvision.json").read_text("utf-8"))["models"]
MOST = 150_000_000
# More of a network's own numbers than those that decide what it computes are not compared.
_PLAIN = (bool, float, int, str, tuple, type(None))


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(description="Compare the worker's networks with torchvision's.")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--most", type=int, default=MOST, metavar="PARAMETERS")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    known = classifiers()
    with tempfile.TemporaryDirectory() as folder:
        torch.hub.set_dir(folder)
        Path(folder, "checkpoints").mkdir()
        for name in args.only or known:
            for weights in one_of_each_size(name, known[name]):
                print(json.dumps(compared(name, weights, args.most)), flush=True)
    if not args.only:
        print(json.dumps(specs(known)), flush=True)


def one_of_each_size(name: str, weights: Any) -> list[Any]:
    """Of vision transformers the weights of each size of pictures, of others the first."""
    classifying = [one for one in weights if is_classifier(one)]
    if not name.startswith("vit_"):
        return classifying[:1]
    return list({crop_of(one): one for one in classifying}.values())


def crop_of(weights: Any) -> int:
    """The side of the pictures that its network takes, pixels."""
    return int(weights.transforms().crop_size[0])


def compared(name: str, weights: Any, most: int) -> dict[str, Any]:
    """One network by both ways: that it is known by its names and shapes, and every tensor and setting."""
    builder = getattr(torchvision.models, name)
    size = {"image_size": crop_of(weights)} if name.startswith("vit_") else {}
    with without_initialisation():
        plain: nn.Module = builder(weights=None, **size)
    state = published(plain)
    is_filled = weights.meta["num_params"] <= most
    fit = identify({key: tuple(value.shape) for key, value in state.items()})
    about = {"model": name, "weights": weights.name, "tensors": len(state), "filled": is_filled}
    if fit is None or (fit.model, fit.classes, fit.image_size) != (name, 1000, size.get("image_size")):
        return {**about, "differences": [f"its names and shapes are taken for {fit and fit.model}'s"]}
    ours = build(fit.model, fit.classes, fit.image_size, fit.has_bias)
    if not is_filled:
        return {**about, "differences": list(other_shapes(ours, plain))}
    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
    torch.save(state, file)
    with without_initialisation():
        theirs: nn.Module = builder(weights=weights).eval()
    file.unlink()
    load_state(ours, {fit.names[key]: value for key, value in state.items() if key in fit.names})
    return {**about, "differences": [*other_modules(ours, theirs), *other_values(ours, theirs)]}


def published(network: nn.Module) -> OrderedDict[str, Tensor]:
    """A state dict with the names of torchvision's files, and with another value in each tensor."""
    state: OrderedDict[str, Tensor] = OrderedDict()
    is_old = isinstance(network, torchvision.models.DenseNet)
    for number, (name, value) in enumerate(network.state_dict().items(), 1):
        # Those of densenets are from before PyTorch 0.4.1.
        if is_old and name.endswith("_tracked"):
            continue
        filled = torch.full((), number if name.endswith("_tracked") else number / 4096, dtype=value.dtype)
        state[older(name)] = filled.expand(value.shape)
    if is_old:
        return state
    metadata = OrderedDict(network.state_dict()._metadata)
    for module in metadata:
        # From before torchvision renamed its layers: by this version it knows the older names.
        if module.endswith(".mlp"):
            metadata[module] = {"version": 1}
    state._metadata = metadata  # type: ignore[attr-defined]
    return state


def older(name: str) -> str:
    """What the published files of densenets and vision transformers call it."""
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name)
    name = re.sub(r"(encoder_layer_\d+\.mlp)\.0\.", r"\1.linear_1.", name)
    return re.sub(r"(encoder_layer_\d+\.mlp)\.3\.", r"\1.linear_2.", name)


def other_shapes(ours: nn.Module, plain: nn.Module) -> Iterator[str]:
    """Names, order, shapes and types, without auxiliary heads, which only training has."""
    layouts = [
        [
            (key, tuple(value.shape), value.dtype)
            for key, value in network.state_dict().items()
            if not key.startswith(AUXILIARY)
        ]
        for network in (ours, plain)
    ]
    if layouts[0] != layouts[1]:
        yield "names, order, shapes or types"


def other_modules(ours: nn.Module, theirs: nn.Module) -> Iterator[str]:
    """Modules by name and kind, and each one's own settings."""
    pairs = (modules(ours), modules(theirs))
    if list(pairs[0]) != list(pairs[1]):
        yield f"modules: {sorted(set(pairs[0]) ^ set(pairs[1]))[:4]}"
        return
    for name, module in pairs[0].items():
        other = pairs[1][name]
        if type(module) is not type(other) or module.extra_repr() != other.extra_repr():
            yield f"{name} is {module} and not {other}"
        for key, value in settings(other).items():
            # Whether there were auxiliary heads in training is no matter once they are gone.
            if key != "aux_logits" and settings(module).get(key) != value:
                yield f"{name or 'network'}.{key} is {settings(module).get(key)!r} and not {value!r}"


def modules(network: nn.Module) -> dict[str, nn.Module]:
    """All but auxiliary heads."""
    return {name: one for name, one in network.named_modules() if not f"{name}.".startswith(AUXILIARY)}


def settings(module: nn.Module) -> dict[str, Any]:
    """Its plain attributes, `training` among them."""
    return {key: value for key, value in vars(module).items() if isinstance(value, _PLAIN)}


def other_values(ours: nn.Module, theirs: nn.Module) -> Iterator[str]:
    """Every parameter and buffer, bit for bit, in the same layout."""
    expected, found = (
        {key: value for key, value in network.state_dict().items() if not key.startswith(AUXILIARY)}
        for network in (theirs, ours)
    )
    if list(found) != list(expected):
        yield f"tensors: {sorted(set(found) ^ set(expected))[:4]}"
        return
    for key, value in expected.items():
        one = found[key]
        same = (one.dtype, one.stride()) == (value.dtype, value.stride()) and torch.equal(one, value)
        if not same:
            yield f"the values of {key}"


def specs(known: dict[str, Any]) -> dict[str, Any]:
    """The preprocessing of all weights, three times: the table's, the worker's, the preset's own."""
    differences = []
    count = 0
    for name, enumeration in known.items():
        for weights in filter(is_classifier, enumeration):
            preset = weights.transforms()
            said = {
                "resize": preset.resize_size[0],
                "crop": preset.crop_size[0],
                "mean": list(preset.mean),
                "std": list(preset.std),
                "interpolation": preset.interpolation.value,
            }
            count += 1
            table = TABLE[name]["weights"][weights.name]["spec"]
            if table != said:
                differences.append(f"{name} {weights.name}: the table has {table}, torchvision {said}")
            if transforms_spec(weights.name, name) != said:
                differences.append(f"{name} {weights.name}: the worker's differ from torchvision's {said}")
    there = sum(len(model["weights"]) for model in TABLE.values())
    return {
        "torchvision": torchvision.__version__,
        "specs": count,
        "known": there,
        "differences": differences,
    }


if __name__ == "__main__":
    main()
