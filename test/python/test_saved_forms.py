"""Checkpoints as people save them: each is read, and to the bit what was saved."""

from __future__ import annotations

import argparse
import collections
import datetime
import enum
import io
import pathlib
import random
import subprocess
import sys
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from isotorch_worker.checkpoints.candidates import candidates, choose
from isotorch_worker.checkpoints.prefixes import fitting, without_prefix
from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.protocol.errors import CheckpointMismatch
from saved import chosen, network, same, saved


class Colour(enum.Enum):
    RED = 1


class Settings(dict):
    pass


def state(prefix: str = "", seed: int = 3) -> OrderedDict[str, Tensor]:
    return OrderedDict((prefix + name, value) for name, value in network(seed).state_dict().items())


def optimiser() -> object:
    trained = network().train()
    adam = torch.optim.Adam(trained.parameters(), 0.1)
    trained(torch.randn(2, 3, 1, 1)).sum().backward()
    adam.step()
    return adam.state_dict()


def lightning(**more: Tensor) -> dict[str, object]:
    return {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": OrderedDict([*state("model.").items(), *more.items()]),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [optimiser()],
        "lr_schedulers": [{"_step_count": 3, "base_lrs": [0.1]}],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "root": pathlib.PurePosixPath("/data")},
        "MixedPrecisionPlugin": {"scale": 65536.0},
    }


def reference(**more: object) -> dict[str, object]:
    """As torchvision's references/classification save it."""
    schedule = torch.optim.lr_scheduler.StepLR(torch.optim.SGD(network().parameters(), 0.1), 30)
    with_average = OrderedDict([("n_averaged", torch.tensor(5)), *state("module.", seed=4).items()])
    return {
        "model": state(),
        "optimizer": optimiser(),
        "lr_scheduler": schedule.state_dict(),
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, model="resnet101", device=torch.device("cpu")),
        "model_ema": with_average,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 0},
        **more,
    }


def wrapped() -> nn.Module:
    """As torch.compile wraps what DataParallel wraps."""
    compiled = nn.Module()
    compiled.add_module("_orig_mod", nn.DataParallel(network()))
    return compiled


def remembering() -> nn.Module:
    """With buffers that are not saved, attributes of many classes, and a circle."""
    made = network()
    made.register_buffer("cache", torch.ones(3), persistent=False)
    made[1].register_buffer("seen", torch.ones(3), persistent=False)
    made.notes = {"when": datetime.datetime(2020, 1, 2), "colour": Colour.RED, "all": {1, "two"}}
    made.listeners = [made.notes]
    made.notes["back"] = made.listeners
    return made


def with_parameters() -> dict[str, object]:
    return {
        name: nn.Parameter(value) if value.is_floating_point() else value for name, value in state().items()
    }


# What is saved, then the key that is chosen if it must be said, where it is found, and what is stripped.
FORMS: dict[str, tuple[Callable[[], object], str | None, str, str]] = {
    "a state dict": (lambda: network().state_dict(), None, "", ""),
    "a plain dict": (lambda: dict(state()), None, "", ""),
    "parameters": (with_parameters, None, "", ""),
    "a defaultdict": (lambda: defaultdict(list, state()), None, "", ""),
    "a class of dicts": (lambda: Settings(state()), None, "", ""),
    "DataParallel": (lambda: nn.DataParallel(network()).state_dict(), None, "", "module."),
    "torch.compile": (lambda: wrapped().state_dict(), None, "", "_orig_mod.module."),
    "a name of one's own": (lambda: {"net": state("encoder.backbone.")}, None, "net", "encoder.backbone."),
    "model alone": (lambda: {"model": state()}, None, "model", ""),
    "two levels down": (lambda: {"checkpoint": {"model": state()}}, None, "checkpoint.model", ""),
    "model_state_dict": (
        lambda: {"epoch": 9, "model_state_dict": state(), "optimizer_state_dict": optimiser(), "loss": 0.25},
        None,
        "model_state_dict",
        "",
    ),
    "the ImageNet example": (
        lambda: {
            "epoch": 89,
            "arch": "resnet101",
            "state_dict": state("module."),
            "best_acc1": torch.tensor(77.3),
            "optimizer": optimiser(),
            "scheduler": {"last_epoch": 3},
        },
        None,
        "state_dict",
        "module.",
    ),
    "a number of NumPy's": (
        lambda: {"state_dict": state(), "acc": np.float64(0.7), "matrix": np.eye(3)},
        None,
        "state_dict",
        "",
    ),
    "torchvision's references": (reference, "model", "model", ""),
    "Lightning": (lightning, None, "state_dict", "model."),
    "a whole network": (network, None, "", ""),
    "a whole network in DataParallel": (lambda: nn.DataParallel(network()), None, "", "module."),
    "a whole network, compiled": (wrapped, None, "", "_orig_mod.module."),
    "a whole network in a dict": (lambda: {"model": network(), "epoch": 1}, None, "model", ""),
    "a whole network with much about it": (remembering, None, "", ""),
    "an average": (lambda: AveragedModel(network()).state_dict(), None, "", "module."),
    "an object with a network": (lambda: types.SimpleNamespace(model=network(), lr=0.1), None, "model", ""),
    "an object with a state dict": (lambda: argparse.Namespace(best=state(), lr=0.1), None, "best", ""),
    "a training state of many classes": (
        lambda: {
            "net": state(),
            "config": {
                "path": pathlib.PurePosixPath("/a"),
                "when": datetime.timedelta(1),
                "colour": Colour.RED,
                "types": [torch.float16, torch.device("cuda:1")],
                "counts": collections.Counter("abca"),
                "queue": collections.deque([1, 2], maxlen=3),
                "groups": [{1, 2}, frozenset("ab"), (1, (2, (3,))), b"bytes", bytearray(b"more"), 2**80, 1j],
                ("a", "tuple"): range(3),
                3: slice(1, 2),
            },
            "rng": {"python": random.Random(1).getstate(), "torch": torch.get_rng_state()},
            "numpy": np.random.RandomState(1).get_state(),
            "losses": [0.5, float("nan"), float("inf")],
        },
        None,
        "net",
        "",
    ),
}


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_to_the_bit(form, options):
    make, key, place, stripped = FORMS[form]
    prefix, candidate, found = chosen(saved(make(), **options), key)
    assert (candidate.key, prefix) == (place, stripped)
    assert same(found, network().state_dict())
    network().load_state_dict(found)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("form", ["a whole network", "a training state of many classes", "a class of dicts"])
def test_every_protocol_of_pickle_is_read(form, protocol):
    make, key, _, _ = FORMS[form]
    for zipped in (True, False):
        data = saved(make(), pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        assert same(chosen(data, key)[2], network().state_dict()), zipped


@pytest.mark.parametrize(
    "change", [Tensor.half, Tensor.bfloat16, Tensor.double, lambda value: value.clone().transpose(-1, 0)]
)
def test_every_type_and_layout_is_read_in_every_form(change):
    changed = {name: change(value) if value.dim() > 1 else value for name, value in state().items()}
    contents = read_contents(memoryview(saved({"model": changed, "lr": 0.1})))
    assert same(contents.state_dict(), changed)


def test_a_network_that_torch_compile_wrapped_is_the_network_where_newer_versions_call_its_class(monkeypatch):
    class OptimizedModule(nn.Module):
        def __init__(self, network: nn.Module, how: object) -> None:
            super().__init__()
            self._orig_mod = network
            self.how = how

        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (OptimizedModule, (self._orig_mod, self.how))

    home = types.ModuleType("torch._dynamo.eval_frame")
    OptimizedModule.__module__, OptimizedModule.__qualname__ = home.__name__, "OptimizedModule"
    monkeypatch.setattr(home, "OptimizedModule", OptimizedModule, raising=False)
    monkeypatch.setitem(sys.modules, home.__name__, home)
    how = types.SimpleNamespace(backend="inductor")
    for value, place in (
        (OptimizedModule(network(), how), ""),
        ({"net": OptimizedModule(network(), how)}, "net"),
    ):
        prefix, candidate, found = chosen(saved(value))
        assert (candidate.key, prefix) == (place, "")
        assert same(found, network().state_dict())


def test_the_average_of_a_network_is_read_by_its_key_and_its_counter_is_told():
    prefix, candidate, found = chosen(saved(reference()), "model_ema")
    assert (prefix, candidate.beside) == ("module.", {"n_averaged": "the counter of an average"})
    assert same(found, network(4).state_dict())


def test_several_state_dicts_are_listed_and_one_must_be_chosen():
    with pytest.raises(CheckpointMismatch) as caught:
        chosen(saved(reference()))
    assert '2 state dicts: "model" (9 tensors), "model_ema" (9 tensors)' in caught.value.message
    assert 'checkpointKey: "model_ema" (--checkpoint-key model_ema)' in str(caught.value.hint)


def test_a_loss_with_weights_beside_the_network_is_named():
    with pytest.raises(
        CheckpointMismatch, match=r"network under model\. and beside it criterion\.weight"
    ) as caught:
        chosen(saved(lightning(**{"criterion.weight": torch.ones(5)})))
    assert "torch.save(model.state_dict(), path)" in str(caught.value.hint)


def test_buffers_that_are_not_saved_are_left_out_of_a_whole_network():
    found = chosen(saved(remembering()))[2]
    assert not {"cache", "1.seen"} & set(found)


def test_versions_of_modules_lose_the_prefix_with_the_names():
    candidate = chosen(saved(nn.DataParallel(network()).state_dict()))[1]
    versions = {name: about["version"] for name, about in (candidate.metadata or {}).items()}
    assert versions == {"": 1, "0": 1, "1": 2, "2": 1, "3": 1}
    contents = read_contents(memoryview(saved(nn.DataParallel(network()).state_dict())))
    assert contents.state_dict()._metadata["module.1"] == {"version": 2}
    # A network that was saved whole has none: its versions are those of its classes.
    assert chosen(saved(network()))[1].metadata is None


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "mobilenet_v3_small"])
def test_networks_of_torchvision_saved_whole_have_the_names_of_their_state_dict(name):
    made = getattr(torchvision.models, name)(weights=None)
    data = saved({"epoch": 3, "net": nn.DataParallel(made)})
    contents = read_contents(memoryview(data))
    expected = made.state_dict()
    fits = fitting({key: tuple(value.shape) for key, value in expected.items()})
    prefix, candidate = without_prefix(choose(contents.value), fits)
    assert prefix == "module."
    assert same(contents.state_dict(candidate), expected)


def test_a_state_dict_of_mnasnet_is_loaded_by_its_versions_also_under_a_prefix():
    made = torchvision.models.mnasnet0_5(weights=None)
    contents = read_contents(memoryview(saved({"sd": nn.DataParallel(made).state_dict()})))
    fits = fitting({key: tuple(value.shape) for key, value in made.state_dict().items()})
    _, candidate = without_prefix(choose(contents.value), fits)
    torchvision.models.mnasnet0_5(weights=None).load_state_dict(contents.state_dict(candidate))


def test_tensors_that_share_a_storage_or_overlap_stay_as_they_were():
    both = torch.randn(10)
    tied = {"a.weight": both[:6], "b.weight": both[4:], "c.weight": both, "d.weight": both[::2]}
    found = read_contents(memoryview(saved({"model": tied}))).state_dict()
    assert same(found, tied)
    assert found["b.weight"].data_ptr() == found["a.weight"].data_ptr() + 4 * 4


def test_one_network_under_two_keys_is_one_and_either_key_chooses_it():
    shared = state()
    contents = read_contents(memoryview(saved({"model": shared, "ema": shared})))
    (one,) = candidates(contents.value)
    assert one.keys == ("model", "ema")
    assert choose(contents.value, "ema").key == "model"


def test_tied_modules_have_both_names():
    made = nn.Module()
    made.first = nn.Linear(2, 2)
    made.second = made.first
    assert same(read_contents(memoryview(saved(made))).state_dict(), made.state_dict())


def test_a_file_is_read_without_torch(tmp_path):
    path = tmp_path / "reference.pt"
    path.write_bytes(saved(reference()))
    script = (
        "import sys; from pathlib import Path\n"
        "from isotorch_worker.checkpoints.candidates import choose\n"
        "from isotorch_worker.checkpoints.checkpoint import read_checkpoint\n"
        "contents, sha256 = read_checkpoint(Path(sys.argv[1]), None)\n"
        "print(choose(contents.value, 'model').key, len(sha256), {'torch', 'numpy'} & set(sys.modules))"
    )
    root = pathlib.Path(__file__).resolve().parents[2] / "python"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("model 64 set()\n", "")


@pytest.mark.filterwarnings("ignore")  # of torch, which calls some of them deprecated or unfinished
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("quantised", lambda: torch.quantize_per_tensor(torch.ones(5), 0.1, 0, torch.qint8)),
        ("sparse", lambda: torch.ones(5).to_sparse()),
        ("sparse", lambda: torch.eye(5).to_sparse_csr()),
        (r"without values \(meta\)", lambda: torch.empty(5, device="meta")),
    ],
)
def test_tensors_that_are_no_plain_numbers_are_named(kind, make):
    with pytest.raises(CheckpointMismatch, match=f"{kind}.* in 3.bias, expected plain numbers"):
        chosen(saved({"model": {**state(), "3.bias": make()}}))


def test_a_tensor_of_a_class_of_its_own_is_named():
    class Special(Tensor):
        pass

    globals()["Special"] = Special
    Special.__qualname__ = "Special"
    with pytest.raises(CheckpointMismatch, match=r"of the class test_saved_forms\.Special in 3\.bias"):
        chosen(saved({**state(), "3.bias": torch.ones(5).as_subclass(Special)}))


def test_attributes_of_a_tensor_are_no_class_of_its_own():
    marked = state()
    marked["3.bias"].origin = "elsewhere"
    assert same(chosen(saved(marked))[2], network().state_dict())


def test_a_network_of_fastais_learner_kind_is_read_from_its_attributes():
    learner = types.SimpleNamespace(dls=[1, 2], model=network(), opt=None, epoch=np.int64(3))
    buffer = io.BytesIO()
    torch.save(learner, buffer)
    assert same(chosen(buffer.getvalue())[2], network().state_dict())
