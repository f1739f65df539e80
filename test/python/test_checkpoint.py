"""Checkpoints that must not load, the payloads that must not run, and those that load."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import weakref
import zipfile
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from controller import SMALL
from isotorch_worker.checkpoints.checkpoint import MAX_BYTES, CheckpointReader, read_checkpoint
from isotorch_worker.protocol.errors import (
    CheckpointCorrupt,
    CheckpointMismatch,
    InvalidOption,
    WeightsNotFound,
)
from isotorch_worker.runtime import model
from isotorch_worker.runtime.model import build, load_checkpoint, load_state


def state_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, map_location="cpu")


def saved(value: object, path: Path, **options: object) -> Path:
    torch.save(value, path, **options)
    return path


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_hostile_pickle_never_runs_even_when_trusted(tmp_path, zipped):
    marker = tmp_path / "executed"
    path = saved(
        {"conv1.weight": Hostile(marker)}, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(
        CheckpointMismatch, match=r"has none in it: a dict of 1: conv1\.weight \(\w+\.mkdir\)"
    ):
        load_checkpoint(path, None)
    assert not marker.exists()


def test_a_bare_pickle_never_runs(tmp_path):
    marker = tmp_path / "executed"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "evil.pth"
        path.write_bytes(pickle.dumps(Hostile(marker), protocol))
        known = protocol >= 2
        reason = "a pickle that torch.save did not write" if known else "not a PyTorch checkpoint"
        with pytest.raises(CheckpointMismatch if known else CheckpointCorrupt, match=reason):
            load_checkpoint(path, None)
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # which torch 2 calls deprecated
def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "script.pth"
    torch.jit.save(torch.jit.script(nn.ReLU()), str(path))
    with pytest.raises(CheckpointMismatch, match="TorchScript"):
        load_checkpoint(path, None)


def test_a_compressed_archive_is_refused(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(CheckpointMismatch, match="is a compressed archive"):
        load_checkpoint(path, None)


def test_a_file_is_loaded_though_nobody_vouches_for_it(checkpoint):
    # Nothing of it runs: a hash says whose it is, and protects from nothing.
    _, sha256 = read_checkpoint(checkpoint, None)
    assert sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    load_checkpoint(checkpoint, None, SMALL)


def test_another_hash_is_refused_before_unpickling(checkpoint, monkeypatch):
    monkeypatch.setattr(pickle, "Unpickler", None)
    monkeypatch.setattr("isotorch_worker.checkpoints.checkpoint.read_contents", None)
    with pytest.raises(CheckpointCorrupt, match="expected 0000"):
        load_checkpoint(checkpoint, "0" * 64, SMALL)
    with pytest.raises(CheckpointCorrupt, match="expected 00000000"):
        load_checkpoint(checkpoint, "0" * 8, SMALL)


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"", CheckpointMismatch, "empty: it has 0 bytes"),
        (b"<!DOCTYPE html><html>404</html>", CheckpointMismatch, "web page"),
        (b"hello", CheckpointCorrupt, "not a PyTorch checkpoint"),
        (b"PK\x03\x04", CheckpointCorrupt, "cut short"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content, kind, reason):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(kind, match=reason):
        load_checkpoint(path, None)
    # With a hash it is another file than expected, whatever it is.
    with pytest.raises(CheckpointCorrupt, match=r"has the SHA-256 [0-9a-f]{64}, expected 00000000"):
        load_checkpoint(path, "0" * 8)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.pth"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(CheckpointMismatch, match="has 17179869185 bytes, more than the 16 GiB that are read"):
        read_checkpoint(path, None)


def test_a_missing_file_a_directory_and_a_fifo_are_told_apart(tmp_path):
    with pytest.raises(WeightsNotFound, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.pth", None)
    with pytest.raises(WeightsNotFound):
        load_checkpoint(Path("nul\0byte"), None)
    with pytest.raises(CheckpointCorrupt, match="a directory"):
        load_checkpoint(tmp_path, None)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CheckpointCorrupt, match="not a regular file"):
        load_checkpoint(tmp_path / "fifo", None)


@pytest.mark.parametrize("part", [0.0001, 0.5, 0.99, 0.9999999])
def test_a_truncated_file_is_refused(checkpoint, tmp_path, part):
    data = checkpoint.read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(CheckpointCorrupt):
        load_checkpoint(path, None, SMALL)


def test_one_flipped_bit_is_found_with_a_hash_and_without(checkpoint, tmp_path):
    data = bytearray(checkpoint.read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 4
    path = tmp_path / "flipped.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointCorrupt, match="SHA-256"):
        load_checkpoint(path, digest, SMALL)
    with pytest.raises(CheckpointCorrupt, match="checksum"):
        load_checkpoint(path, None, SMALL)


def test_another_architecture_is_named_by_its_keys(tmp_path):
    path = saved(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(CheckpointMismatch, match=r"missing: layer1\.2\.conv1\.weight, .* and \d+ more"):
        load_checkpoint(path, None, "resnet34")


def test_missing_unexpected_and_misshapen_keys_are_named(checkpoint):
    network = build(SMALL)
    state = state_of(checkpoint)
    with pytest.raises(CheckpointMismatch, match=r"missing: fc\.bias"):
        load_state(network, {key: value for key, value in state.items() if key != "fc.bias"})
    with pytest.raises(CheckpointMismatch, match="unexpected: head"):
        load_state(network, {**state, "head": torch.zeros(1)})
    with pytest.raises(CheckpointMismatch, match=r"wrong shape: fc\.bias \[10\] instead of \[1000\]"):
        load_state(network, {**state, "fc.bias": torch.zeros(10)})


def test_nan_and_infinity_in_a_parameter_are_refused(checkpoint):
    state = state_of(checkpoint)
    network = build(SMALL)
    for value in (float("nan"), float("inf")):
        damaged = state["stage4.3.branch2.6.running_var"].clone()
        damaged[3] = value
        with pytest.raises(CheckpointCorrupt, match=r"stage4\.3\.branch2\.6\.running_var"):
            load_state(network, {**state, "stage4.3.branch2.6.running_var": damaged})


def test_something_else_than_a_state_dict_is_refused(tmp_path):
    for value in (
        [torch.zeros(1)],
        torch.zeros(1),
        {1: torch.zeros(1)},
        {"epoch": 3},
    ):
        with pytest.raises(CheckpointMismatch, match="not a state dict"):
            load_checkpoint(saved(value, tmp_path / "other.pth"), None)


def test_an_unknown_model_and_unknown_weights_are_named():
    with pytest.raises(InvalidOption, match="resnet5000") as raised:
        build("resnet5000")
    assert "did you mean resnet50?" in str(raised.value.hint)
    with pytest.raises(InvalidOption, match="IMAGENET1K_V1, IMAGENET1K_V2"):
        model.transforms_spec("DEFAULT")


def test_building_draws_no_random_numbers_and_leaves_no_patch_behind():
    before = {name: getattr(nn.init, name) for name in dir(nn.init)}
    random_state = torch.get_rng_state()
    network = build()
    assert torch.equal(random_state, torch.get_rng_state())
    assert before == {name: getattr(nn.init, name) for name in dir(nn.init)}
    assert int(network.bn1.num_batches_tracked) == 0
    assert bool((network.bn1.weight == 1).all())
    torch.manual_seed(3)
    ours = torchvision.models.resnet18(weights=None).fc.weight.detach()
    assert float(ours.std()) > 0


def test_attention_draws_none_of_its_weights_either(monkeypatch):
    original = nn.modules.activation.xavier_uniform_
    monkeypatch.setattr(torch.Tensor, "uniform_", None)
    build("vit_b_32")
    assert nn.modules.activation.xavier_uniform_ is original


def test_a_failing_constructor_leaves_no_patch_behind(monkeypatch):
    original = nn.init.kaiming_uniform_

    def broken(weights, num_classes):
        assert nn.init.kaiming_uniform_ is not original
        raise RuntimeError("broken")

    monkeypatch.setattr(torchvision.models, "resnet101", broken)
    with pytest.raises(RuntimeError, match="broken"):
        build()
    assert nn.init.kaiming_uniform_ is original


@pytest.fixture(scope="module")
def plain(checkpoint):
    network = getattr(torchvision.models, SMALL)(weights=None)
    network.load_state_dict(state_of(checkpoint))
    return network.eval()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_loaded_parameters_and_logits_are_those_of_plain_torchvision(plain, tmp_path, zipped):
    path = saved(plain.state_dict(), tmp_path / "copy.pth", _use_new_zipfile_serialization=zipped)
    ours = load_checkpoint(path, hashlib.sha256(path.read_bytes()).hexdigest()[:8], SMALL)
    for (name, expected), (ours_name, actual) in zip(plain.state_dict().items(), ours.state_dict().items()):
        assert name == ours_name
        assert torch.equal(expected, actual), name
    assert_same_logits(plain, ours)


def assert_same_logits(plain: nn.Module, ours: nn.Module) -> None:
    batch = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(plain(batch), ours(batch))


def test_a_channels_last_checkpoint_gives_the_bits_of_plain_pytorch(plain, tmp_path):
    scattered = copy.deepcopy(plain)
    path = saved(scattered.to(memory_format=torch.channels_last).state_dict(), tmp_path / "last.pth")
    assert not state_of(path)["conv1.0.weight"].is_contiguous()
    theirs = copy.deepcopy(plain)
    theirs.load_state_dict(state_of(path))
    ours = load_checkpoint(path, None, SMALL)
    assert [value.stride() for value in ours.parameters()] == [
        value.stride() for value in theirs.parameters()
    ]
    assert_same_logits(theirs.eval(), ours)


def test_the_bytes_of_the_file_are_let_go_once_they_are_in_the_network(checkpoint):
    contents, _ = read_checkpoint(checkpoint, None)
    bytes_of_the_file = weakref.ref(contents.data.obj)
    network = build(SMALL)
    places = [parameter.data_ptr() for parameter in network.parameters()]
    load_state(network, contents.state_dict())
    assert places == [parameter.data_ptr() for parameter in network.parameters()], (
        "they are the network's own"
    )
    del contents
    assert bytes_of_the_file() is None


def test_counters_may_be_absent(checkpoint):
    state = {key: value for key, value in state_of(checkpoint).items() if "num_batches" not in key}
    network = build(SMALL)
    load_state(network, state)
    assert int(network.conv1[1].num_batches_tracked) == 0


def test_the_reader_hands_over_the_verified_bytes_once(checkpoint):
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    reader = CheckpointReader(checkpoint, digest)
    while not reader.wait(0.05):
        assert 0 <= reader.fraction <= 1
    contents, sha256 = reader.result()
    assert (len(contents.data), sha256, reader.fraction) == (checkpoint.stat().st_size, digest, 1)
    with pytest.raises(RuntimeError):
        reader.result()
    assert read_checkpoint(checkpoint, digest)[1] == digest
