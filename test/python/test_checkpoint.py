"""Checkpoints that must not load, the payloads that must not run, and those that load."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from isotorch_worker import model, safe_pickle
from isotorch_worker.checkpoint import CheckpointReader, Record, anonymous, lend, read_checkpoint, records
from isotorch_worker.errors import (
    CheckpointCorrupt,
    CheckpointMismatch,
    CheckpointUntrusted,
    InvalidOption,
    WeightsNotFound,
)
from isotorch_worker.model import build, load_checkpoint, load_state, unpickle


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
@pytest.mark.parametrize("weights_only", [True, False], ids=["weights_only", "allow-list"])
def test_a_hostile_pickle_never_runs_even_when_trusted(tmp_path, monkeypatch, zipped, weights_only):
    if not weights_only:
        monkeypatch.setitem(sys.modules, "torch._weights_only_unpickler", None)  # as on torch 1.12
        monkeypatch.setattr(torch, "load", load_of_torch_1_12)
    marker = tmp_path / "executed"
    path = saved(
        {"conv1.weight": Hostile(marker)}, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(CheckpointCorrupt, match="more than tensors"):
        load_checkpoint(path, None, trust=True)
    assert not marker.exists()


def load_of_torch_1_12(file, map_location=None, pickle_module=pickle):
    """What torch.load was before it had weights_only; version 1.13 ignores its pickle_module."""
    if file.peek(2)[:2] == b"PK":
        with torch.serialization._open_zipfile_reader(file) as reader:
            return torch.serialization._load(reader, map_location, pickle_module, encoding="utf-8")
    return torch.serialization._legacy_load(file, map_location, pickle_module, encoding="utf-8")


def test_a_bare_pickle_never_runs(tmp_path):
    marker = tmp_path / "executed"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "evil.pth"
        path.write_bytes(pickle.dumps(Hostile(marker), protocol))
        with pytest.raises(CheckpointCorrupt, match="not a PyTorch checkpoint"):
            load_checkpoint(path, None, trust=True)
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # which torch 2 calls deprecated
def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "script.pth"
    torch.jit.save(torch.jit.script(nn.ReLU()), str(path))
    with pytest.raises(CheckpointCorrupt, match="TorchScript"):
        load_checkpoint(path, None, trust=True)


def test_a_compressed_archive_is_refused(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(CheckpointCorrupt, match="compressed"):
        load_checkpoint(path, None, trust=True)


def test_without_hash_and_without_trust_nothing_is_loaded(checkpoint):
    with pytest.raises(CheckpointUntrusted) as caught:
        load_checkpoint(checkpoint, None, trust=False)
    assert "trustCheckpoint" in str(caught.value.hint)


def test_another_hash_is_refused_before_unpickling(checkpoint, monkeypatch):
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(CheckpointCorrupt, match="expected 0000"):
        load_checkpoint(checkpoint, "0" * 64, trust=True)
    with pytest.raises(CheckpointCorrupt, match="expected 00000000"):
        load_checkpoint(checkpoint, "0" * 8, trust=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\n <html>404</html>", "web page"),
        (b"hello", "not a PyTorch checkpoint"),
        (b"PK\x03\x04", "cut short"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content, reason):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointCorrupt, match=reason):
        load_checkpoint(path, None, trust=True)


def test_a_missing_file_a_directory_and_a_fifo_are_told_apart(tmp_path):
    with pytest.raises(WeightsNotFound, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.pth", None, trust=True)
    with pytest.raises(WeightsNotFound):
        load_checkpoint(Path("nul\0byte"), None, trust=True)
    with pytest.raises(CheckpointCorrupt, match="a directory"):
        load_checkpoint(tmp_path, None, trust=True)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CheckpointCorrupt, match="not a regular file"):
        load_checkpoint(tmp_path / "fifo", None, trust=True)


@pytest.mark.parametrize("part", [0.0001, 0.5, 0.99, 0.9999999])
def test_a_truncated_file_is_refused(checkpoint, tmp_path, part):
    data = checkpoint.read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(CheckpointCorrupt):
        load_checkpoint(path, None, trust=True)


def test_one_flipped_bit_is_found_with_a_hash_and_without(checkpoint, tmp_path):
    data = bytearray(checkpoint.read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 4
    path = tmp_path / "flipped.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointCorrupt, match="SHA-256"):
        load_checkpoint(path, digest, trust=False)
    with pytest.raises(CheckpointCorrupt, match="checksum"):
        load_checkpoint(path, None, trust=True)


def test_another_architecture_is_named_by_its_keys(tmp_path):
    path = saved(torchvision.models.resnet50(weights=None).state_dict(), tmp_path / "resnet50.pth")
    with pytest.raises(CheckpointMismatch, match=r"missing: layer3\.6\.conv1\.weight, .* and \d+ more"):
        load_checkpoint(path, None, trust=True)


def test_missing_unexpected_and_misshapen_keys_are_named(checkpoint):
    network = build()
    state = state_of(checkpoint)
    with pytest.raises(CheckpointMismatch, match=r"missing: fc\.bias"):
        load_state(network, {key: value for key, value in state.items() if key != "fc.bias"})
    with pytest.raises(CheckpointMismatch, match="unexpected: head"):
        load_state(network, {**state, "head": torch.zeros(1)})
    with pytest.raises(CheckpointMismatch, match=r"wrong shape: fc\.bias \[10\] instead of \[1000\]"):
        load_state(network, {**state, "fc.bias": torch.zeros(10)})


def test_nan_and_infinity_in_a_parameter_are_refused(checkpoint):
    state = state_of(checkpoint)
    network = build()
    for value in (float("nan"), float("inf")):
        damaged = state["layer4.2.bn3.running_var"].clone()
        damaged[3] = value
        with pytest.raises(CheckpointCorrupt, match=r"layer4\.2\.bn3\.running_var"):
            load_state(network, {**state, "layer4.2.bn3.running_var": damaged})


def test_something_else_than_a_state_dict_is_refused(tmp_path):
    for value in (
        [torch.zeros(1)],
        torch.zeros(1),
        {"state_dict": {"fc.bias": torch.zeros(1)}},
        {1: torch.zeros(1)},
    ):
        with pytest.raises(CheckpointMismatch, match="not a state dict"):
            load_checkpoint(saved(value, tmp_path / "other.pth"), None, trust=True)


def test_an_unknown_model_and_unknown_weights_are_named():
    with pytest.raises(InvalidOption, match="resnet101"):
        build("resnet5000")
    with pytest.raises(InvalidOption, match="IMAGENET1K_V1, IMAGENET1K_V2"):
        model.transforms_spec("DEFAULT")


def test_building_without_initialisation_leaves_no_patch_behind():
    before = (nn.Linear.reset_parameters, nn.Conv2d.reset_parameters, nn.init.kaiming_normal_)
    random_state = torch.get_rng_state()
    build()
    assert torch.equal(random_state, torch.get_rng_state())
    assert before == (nn.Linear.reset_parameters, nn.Conv2d.reset_parameters, nn.init.kaiming_normal_)
    torch.manual_seed(3)
    ours = torchvision.models.resnet18(weights=None).fc.weight.detach()
    assert float(ours.std()) > 0


def test_a_failing_constructor_leaves_no_patch_behind(monkeypatch):
    original = nn.Linear.reset_parameters

    def broken(weights):
        assert nn.Linear.reset_parameters is not original
        raise RuntimeError("broken")

    monkeypatch.setattr(torchvision.models, "resnet101", broken)
    with pytest.raises(RuntimeError, match="broken"):
        build()
    assert nn.Linear.reset_parameters is original


@pytest.fixture(scope="module")
def plain(checkpoint):
    network = torchvision.models.resnet101(weights=None)
    network.load_state_dict(state_of(checkpoint))
    return network.eval()


@pytest.mark.parametrize("weights_only", [True, False], ids=["weights_only", "allow-list"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_loaded_parameters_and_logits_are_those_of_plain_torchvision(
    plain, tmp_path, monkeypatch, zipped, weights_only
):
    path = saved(plain.state_dict(), tmp_path / "copy.pth", _use_new_zipfile_serialization=zipped)
    if not weights_only:
        monkeypatch.setitem(sys.modules, "torch._weights_only_unpickler", None)  # as on torch 1.12
        monkeypatch.setattr(torch, "load", load_of_torch_1_12)
    ours = load_checkpoint(path, hashlib.sha256(path.read_bytes()).hexdigest()[:8], trust=False)
    for (name, expected), (ours_name, actual) in zip(plain.state_dict().items(), ours.state_dict().items()):
        assert name == ours_name
        assert torch.equal(expected, actual), name
    batch = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(plain(batch), ours(batch))


def test_parameters_are_views_of_the_verified_bytes(checkpoint):
    data, _ = read_checkpoint(checkpoint, hashlib.sha256(checkpoint.read_bytes()).hexdigest(), trust=False)
    network = build()
    load_state(network, unpickle(data))
    start = torch.frombuffer(data, dtype=torch.uint8).data_ptr()
    places = [parameter.data_ptr() - start for parameter in network.parameters()]
    assert all(0 <= place < len(data) and place % 64 == 0 for place in places)


def test_a_view_that_kernels_would_find_unaligned_or_scattered_is_copied():
    network = nn.Linear(3, 2)
    values = torch.arange(9.0)
    state = {"weight": values[1:7].reshape(3, 2).t(), "bias": values[7:].double()}
    load_state(network, state)
    assert network.weight.is_contiguous()
    assert network.weight.data_ptr() % 64 == 0
    assert network.weight.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert (network.bias.dtype, network.bias.tolist()) == (torch.float32, [7, 8])


@pytest.mark.parametrize("weights_only", [True, False], ids=["weights_only", "allow-list"])
def test_what_torch_load_reads_is_read_in_place(tmp_path, monkeypatch, weights_only):
    if not weights_only:
        monkeypatch.setitem(sys.modules, "torch._weights_only_unpickler", None)  # as on torch 1.12
    shared = torch.randn(4, 4)
    values = {
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(5).bfloat16(),
        "double": torch.randn(2, 3).double(),
        "long": torch.arange(7),
        "flag": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "part": shared[1:, ::2],
        "whole": shared,
    }
    data = memoryview(bytearray(saved(values, tmp_path / "many.pth").read_bytes()))
    read = unpickle(data)
    assert list(read) == list(values)
    for name, value in values.items():
        assert (read[name].dtype, read[name].stride()) == (value.dtype, value.stride()), name
        assert torch.equal(read[name], value), name


def test_an_archive_whose_record_is_too_short_is_refused(tmp_path):
    path = saved({"a": torch.zeros(4)}, tmp_path / "whole.pth")
    short = tmp_path / "short.pth"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(short, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name)[: 8 if name.endswith("/data/0") else None])
    with pytest.raises(CheckpointCorrupt, match="cannot be read"):
        load_checkpoint(short, None, trust=True)


def test_an_archive_with_a_name_twice_is_refused(tmp_path):
    path = saved({"a": torch.zeros(4)}, tmp_path / "whole.pth")
    # The folder in the archive is called after the file, or "archive", as the version of torch has it.
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data/0"))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, bytes(16))
    with pytest.raises(CheckpointCorrupt, match="twice"):
        load_checkpoint(path, None, trust=True)


def test_an_archive_whose_records_overlap_is_refused(tmp_path):
    path = saved({"a": torch.zeros(4), "b": torch.ones(4)}, tmp_path / "whole.pth")
    data = bytearray(path.read_bytes())
    # In the central directory the second record begins where the first does.
    with zipfile.ZipFile(path) as archive:
        places = {entry.filename.rpartition("/")[2]: entry.header_offset for entry in archive.infolist()}
    at = data.rindex(places["1"].to_bytes(4, "little"))
    data[at : at + 4] = places["0"].to_bytes(4, "little")
    with pytest.raises(zipfile.BadZipFile, match="reaches into its neighbour"):
        records(memoryview(data))


def of_three_pages() -> tuple[mmap.mmap, memoryview, Record]:
    """Ones, and a record that covers one page whole and half of each neighbour."""
    pages = anonymous(3 * mmap.PAGESIZE)
    pages[:] = b"\1" * len(pages)
    return pages, memoryview(pages), Record(mmap.PAGESIZE // 2, 2 * mmap.PAGESIZE)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory of a page may keep what it held")
def test_the_memory_of_a_record_that_nobody_views_is_given_back():
    pages, data, record = of_three_pages()
    tensor = torch.frombuffer(lend(data, record), dtype=torch.uint8)
    view = tensor[:1]
    del data, tensor
    assert pages[:] == b"\1" * len(pages)
    del view
    ones = b"\1" * mmap.PAGESIZE
    assert pages[:] == ones + bytes(mmap.PAGESIZE) + ones


def test_the_memory_of_a_record_stays_while_somebody_has_the_whole():
    pages, data, record = of_three_pages()
    tensor = torch.frombuffer(lend(data, record), dtype=torch.uint8)
    del tensor
    assert bytes(data) == b"\1" * len(pages)


def test_counters_may_be_absent(checkpoint):
    state = {key: value for key, value in state_of(checkpoint).items() if "num_batches" not in key}
    network = build()
    load_state(network, state)
    assert int(network.bn1.num_batches_tracked) == 0


def test_the_allow_list_serves_what_a_state_dict_needs(tmp_path):
    state = OrderedDict(a=torch.zeros(2), b=nn.Parameter(torch.ones(3)), c=torch.zeros(1, dtype=torch.int64))
    path = saved(state, tmp_path / "small.pth")
    with path.open("rb") as file:
        loaded = load_of_torch_1_12(file, "cpu", safe_pickle)
    assert list(loaded) == ["a", "b", "c"]
    assert torch.equal(unpickle(memoryview(path.read_bytes()))["b"], torch.ones(3))
    with pytest.raises(pickle.UnpicklingError, match=r"posix\.system"):
        safe_pickle.load(io.BytesIO(b"cposix\nsystem\n(S'true'\ntR."))


def test_the_reader_hands_over_the_verified_bytes_once(checkpoint):
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    reader = CheckpointReader(checkpoint, digest, trust=False)
    while not reader.wait(0.05):
        assert 0 <= reader.fraction <= 1
    data, sha256 = reader.result()
    assert (len(data), sha256, reader.fraction) == (checkpoint.stat().st_size, digest, 1)
    with pytest.raises(RuntimeError):
        reader.result()
    assert read_checkpoint(checkpoint, digest, False)[1] == digest
