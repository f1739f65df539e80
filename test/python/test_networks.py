"""Networks as the worker knows and builds them, beside torchvision's own."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from controller import SMALL
from isotorch_worker.checkpoints.networks import NETWORKS, identify
from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.protocol.errors import CheckpointMismatch
from isotorch_worker.runtime.build import build, without_initialisation
from isotorch_worker.runtime.model import default_transforms, transforms_spec, weights_names
from isotorch_worker.tasks.image_classification.network import Filled, fill

HERE = [name for name in NETWORKS if hasattr(torchvision.models, name)]


def shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def filled(state: Any, model: str | None = None) -> Filled:
    """As a worker fills a network from the file that torch.save writes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return fill(read_contents(memoryview(bytearray(buffer.getvalue()))), model)


def named(name: str, **options: Any) -> nn.Module:
    """torchvision's own network with seeded values, in evaluation mode."""
    torch.manual_seed(1)
    network: nn.Module = getattr(torchvision.models, name)(weights=None, **options)
    return network.eval()


def weights_of(name: str) -> Any:
    """torchvision's enumeration of the network's weights."""
    (found,) = (
        getattr(torchvision.models, one)
        for one in dir(torchvision.models)
        if one.lower() == f"{name}_weights"
    )
    return found


def with_older_names(state: dict[str, Tensor]) -> OrderedDict[str, Tensor]:
    """As torchvision's files have them: of vision transformers, and of densenets, without counters."""
    renamed: OrderedDict[str, Tensor] = OrderedDict()
    for name, value in state.items():
        older = re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name)
        older = older.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2.")
        if not (name.startswith("features.denseblock") and name.endswith("_tracked")):
            renamed[older] = value
    return renamed


def by_torchvision(name: str, state: dict[str, Tensor], folder: Path, patch: pytest.MonkeyPatch) -> nn.Module:
    """What torchvision makes of `weights=`, where it finds this file in its cache."""
    weights = weights_of(name).IMAGENET1K_V1
    patch.setattr(torch.hub, "get_dir", lambda: str(folder))
    (folder / "checkpoints").mkdir()
    torch.save(state, folder / "checkpoints" / Path(weights.url).name)
    network: nn.Module = getattr(torchvision.models, name)(weights=weights)
    return network.eval()


@pytest.mark.filterwarnings("ignore:The default weight initialization", "ignore:torch.meshgrid")
def test_all_80_are_told_apart_by_their_names_and_shapes():
    assert len(NETWORKS) == 80
    assert len({(about.head, about.fingerprint) for about in NETWORKS.values()}) == 80
    for name in HERE:
        with without_initialisation():
            network = getattr(torchvision.models, name)(weights=None)
        fit = identify(shapes(network.state_dict()))
        assert fit is not None, name
        assert (fit.model, fit.classes, fit.head) == (name, 1000, ""), name


def test_each_has_the_preprocessing_of_its_own_weights():
    for name in HERE:
        for weights in weights_names(name):
            preset = weights_of(name)[weights].transforms()
            assert transforms_spec(weights, name)["crop"] == preset.crop_size[0], (name, weights)
        assert default_transforms(name) in weights_names(name)


@pytest.mark.filterwarnings("ignore:The default weight initialization")
@pytest.mark.parametrize("name", ["googlenet", "densenet121"])
def test_a_published_file_becomes_the_network_that_torchvision_makes_of_it(name, tmp_path, monkeypatch):
    state = with_older_names(named(name).state_dict())
    theirs = by_torchvision(name, state, tmp_path, monkeypatch)
    made = filled(state)
    assert made.fit.model == name
    batch = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(made.network(batch), theirs(batch))


def test_a_vision_transformers_older_names_reach_the_same_layers(tmp_path, monkeypatch):
    with without_initialisation():
        network = torchvision.models.vit_b_32(weights=None)
        # One value for each tensor, stored once: nothing is computed with them.
        values = {
            name: torch.tensor(number / 64).expand(value.shape)
            for number, (name, value) in enumerate(network.state_dict().items())
        }
        state = with_older_names(values)
        theirs = by_torchvision("vit_b_32", state, tmp_path, monkeypatch)
    made = filled(state)
    assert made.fit.model == "vit_b_32"
    for name, value in theirs.state_dict().items():
        assert torch.equal(made.network.state_dict()[name], value), name


def test_mnasnet_needs_no_versions_of_its_modules():
    network = named("mnasnet0_5")
    # As in safetensors: torchvision's own loader refuses it.
    made = filled(dict(network.state_dict()))
    batch = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(made.network(batch), network(batch))


def test_a_vision_transformer_of_larger_pictures_is_built_for_them():
    with without_initialisation():
        network = torchvision.models.vit_b_16(weights=None, image_size=384)
    fit = identify(shapes(network.state_dict()))
    assert fit is not None
    assert (fit.model, fit.image_size) == ("vit_b_16", 384)
    built = build(fit.model, fit.classes, fit.image_size)
    assert shapes(built.state_dict()) == shapes(network.state_dict())
    assert default_transforms("vit_b_16", 384) == "IMAGENET1K_SWAG_E2E_V1"


HEADS = {
    "ten classes": nn.Linear(1024, 10),
    "dropout before": nn.Sequential(nn.Dropout(), nn.Linear(1024, 10)),
    "no bias": nn.Linear(1024, 10, bias=False),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_of_ones_own_gives_what_it_gives_in_pytorch(what):
    network = named(SMALL)
    network.fc = HEADS[what]
    network.eval()
    made = filled(network.state_dict())
    assert (made.fit.model, made.fit.classes) == (SMALL, 10)
    batch = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(made.network(batch), network(batch))


def test_a_linear_in_place_of_the_whole_classifier_gives_what_it_gives_in_pytorch():
    network = named("mobilenet_v2")
    network.classifier = nn.Linear(1280, 7)
    made = filled(network.state_dict())
    assert (made.fit.model, made.fit.classes) == ("mobilenet_v2", 7)
    batch = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(made.network(batch), network.eval()(batch))


def test_a_head_of_several_layers_is_refused_with_their_names():
    network = named(SMALL)
    network.fc = nn.Sequential(nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
    several = rf"{SMALL}'s with a head of several layers \(fc\.0\.weight"
    with pytest.raises(CheckpointMismatch, match=several):
        filled(network.state_dict())


def test_a_quantised_head_is_told_as_such():
    state = named("resnet18").state_dict()
    quantised = {name: value for name, value in state.items() if not name.startswith("fc.")}
    packed = (torch.quantize_per_tensor(state["fc.weight"], 0.1, 0, torch.qint8), state["fc.bias"])
    # As torch.ao.quantization.quantize_dynamic leaves a Linear.
    quantised.update({"fc.scale": torch.tensor(1.0), "fc.zero_point": torch.tensor(0)})
    quantised.update({"fc._packed_params.dtype": torch.qint8, "fc._packed_params._packed_params": packed})
    with pytest.raises(
        CheckpointMismatch, match=r"resnet18's with a quantised head \(fc\.scale, fc\.zero_po"
    ):
        filled(quantised)


def test_names_of_timm_are_told_as_such():
    state = {
        "conv_stem.weight": torch.zeros(32, 3, 3, 3),
        "blocks.0.0.conv_dw.weight": torch.zeros(32, 1, 3, 3),
        "blocks.0.0.se.conv_reduce.weight": torch.zeros(8, 32, 1, 1),
        "classifier.weight": torch.zeros(1000, 1280),
    }
    with pytest.raises(CheckpointMismatch, match="names of timm"):
        filled(state)


def test_another_network_than_was_asked_for_is_named():
    state = named(SMALL).state_dict()
    asked = f"is {SMALL}'s with 1000 classes, and resnet18 was asked for"
    with pytest.raises(CheckpointMismatch, match=asked):
        filled(state, "resnet18")


def test_a_file_with_more_than_the_network_is_told_that_alone_not_that_its_head_has_other_classes():
    state = named("resnet18", num_classes=10).state_dict()
    with pytest.raises(CheckpointMismatch) as caught:
        filled({**state, "step.weight": torch.ones(3)}, "resnet18")
    assert caught.value.message.endswith("another network: unexpected: step.weight")
    with pytest.raises(CheckpointMismatch, match=r"missing: fc\.weight, fc\.bias$"):
        filled({name: value for name, value in state.items() if not name.startswith("fc.")}, "resnet18")
