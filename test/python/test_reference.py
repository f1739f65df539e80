"""The side that isotorch is compared with builds the same networks, by code of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

import reference_checkpoint
import reference_network
from controller import SMALL
from isotorch_worker.checkpoints.networks import NETWORKS
from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.runtime.build import build
from isotorch_worker.tasks.image_classification.network import fill
from saved import saved

SIDE = 96


def made(model: str, classes: int = 10) -> nn.Module:
    """A network of a few classes, its BatchNorms and all else as they are made."""
    torch.manual_seed(5)
    options = {"aux_logits": False, "init_weights": False} if model == "googlenet" else {}
    return getattr(models, model)(weights=None, num_classes=classes, **options).eval()


def old_names(state):
    """As torchvision's oldest files of DenseNets have them."""
    return {
        name.replace("norm1.", "norm.1.").replace("conv1.", "conv.1.").replace("norm2.", "norm.2."): value
        for name, value in state.items()
    }


def prefixed(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


def in_safetensors(state) -> bytes:
    header, values = {}, b""
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    for name, value in state.items():
        data = value.contiguous().numpy().tobytes()
        place = [len(values), len(values) + len(data)]
        header[name] = {"dtype": kinds[value.dtype], "shape": list(value.shape), "data_offsets": place}
        values += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def lightning():
    state = prefixed(made("squeezenet1_1").state_dict(), "model.")
    return saved({"epoch": 3, "lr": 0.001, "state_dict": state, "optimizer_states": [{"state": {}}]})


def averaged():
    network = torch.optim.swa_utils.AveragedModel(made(SMALL))
    return saved({"model_ema": network.state_dict(), "epoch": 1})


def with_dropout_before_its_head():
    network = made(SMALL)
    network.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(1024, 10))
    return saved(network.state_dict())


def with_auxiliary_heads():
    torch.manual_seed(5)
    return saved(models.googlenet(weights=None, num_classes=10, init_weights=False).state_dict())


def without_a_bias():
    network = made(SMALL)
    network.fc.bias = None
    return saved(network.state_dict())


CASES = [
    pytest.param("squeezenet1_1", lightning, "SHARED or PLAIN", id="of Lightning"),
    pytest.param(SMALL, averaged, "PLAIN", id="an average, in a training state"),
    pytest.param("mobilenet_v3_small", lambda: saved(made("mobilenet_v3_small")), "SHARED", id="saved whole"),
    pytest.param(
        "mnasnet0_5",
        lambda: in_safetensors(made("mnasnet0_5").state_dict()),
        "SAFETENSORS",
        id="safetensors, without the version that MNASNet asks for",
    ),
    pytest.param(
        "densenet121", lambda: saved(old_names(made("densenet121").state_dict())), "PLAIN", id="old names"
    ),
    pytest.param(SMALL, with_dropout_before_its_head, "PLAIN", id="a head in a Sequential"),
    pytest.param(SMALL, without_a_bias, "PLAIN", id="a head without a bias"),
    pytest.param("googlenet", with_auxiliary_heads, "PLAIN", id="transform_input, auxiliary heads"),
]


@pytest.mark.parametrize(("model", "make", "by"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_both_sides_make_the_same_network_of_a_file(model, make, by):
    data = bytes(make())
    filled = fill(read_contents(memoryview(bytearray(data))))
    assert filled.fit.model == model

    state, loaded_by = reference_checkpoint.load(data, filled.key, filled.prefix)
    theirs = reference_network.build(model, filled.fit.classes, state)
    reference_network.fill(theirs, state)
    theirs.eval()

    # torch 1.13's reader knows no numbers beside the tensors, later ones do.
    assert loaded_by in [getattr(reference_checkpoint, name) for name in by.split(" or ")]
    picture = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(theirs(picture), filled.network(picture))
    assert reference_network.head_of(theirs)[0] == NETWORKS[model].head


def test_transform_input_is_what_the_two_networks_differ_without():
    ours = build("googlenet", 10).load_state_dict
    theirs = reference_network.build(
        "googlenet", 10, {"fc.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}
    )
    assert ours(theirs.state_dict())
    assert getattr(theirs, "transform_input") is True  # noqa: B009 -- nn.Module's attributes are tensors


def test_pictures_of_another_size_make_another_vision_transformer():
    # Of 96 pixels: 6 by 6 patches and the class token.
    shapes = {"encoder.pos_embedding": (1, 37, 768), "conv_proj.weight": (768, 3, 16, 16)}
    state = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}
    heads = {"heads.head.weight": torch.zeros(2, 768), "heads.head.bias": torch.zeros(2)}
    network = reference_network.build("vit_b_16", 2, {**state, **heads})
    assert network.state_dict()["encoder.pos_embedding"].shape == (1, 37, 768)


@pytest.mark.parametrize(
    ("value", "key", "prefix", "code"),
    [
        ({"state_dict": made(SMALL).state_dict()}, "", "", "CHECKPOINT_MISMATCH"),
        ({"state_dict": made(SMALL).state_dict()}, "model", "", "CHECKPOINT_MISMATCH"),
        (made(SMALL).state_dict(), "", "model.", "CHECKPOINT_MISMATCH"),
        (made(SMALL, 3).state_dict(), "", "", "CHECKPOINT_MISMATCH"),
        (made("squeezenet1_1").state_dict(), "", "", "CHECKPOINT_MISMATCH"),
    ],
)
def test_what_is_not_there_is_refused(value, key, prefix, code):
    def load_and_fill():
        state = reference_checkpoint.load(bytes(saved(value)), key, prefix).state
        reference_network.fill(reference_network.build(SMALL, 10, state), state)

    with pytest.raises(reference_checkpoint.Refusal) as caught:
        load_and_fill()
    assert caught.value.code == code


def test_no_code_of_a_file_runs(tmp_path):
    class Writes:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / "ran", "it ran"))

    data = bytes(saved({"state_dict": made(SMALL).state_dict(), "hook": Writes()}))
    state, by = reference_checkpoint.load(data, "state_dict")
    assert (len(state), by) == (len(made(SMALL).state_dict()), reference_checkpoint.SHARED)
    assert not (tmp_path / "ran").exists()
