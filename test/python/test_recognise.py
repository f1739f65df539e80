"""Files that are no checkpoints: each is told what it is, by its bytes and whatever its name."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch
from saved import network


def zipped(*names: str, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, b"content " * 20)
    return buffer.getvalue()


def tarred(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"data"))
    return buffer.getvalue()


def numpy_file(many: bool) -> bytes:
    buffer = io.BytesIO()
    if many:
        np.savez(buffer, a=np.ones(3), b=np.ones(2))
    else:
        np.save(buffer, np.ones(3))
    return buffer.getvalue()


def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.ReLU()), buffer)
    return buffer.getvalue()


FILES = {
    "is empty: it has 0 bytes": lambda: b"",
    "is a TorchScript archive": script,
    r"is a NumPy array \(\.npy\)": lambda: numpy_file(False),
    r"is a NumPy archive \(\.npz\)": lambda: numpy_file(True),
    "is an HDF5 file, as Keras writes them": lambda: b"\x89HDF\r\n\x1a\n" + bytes(100),
    "is a Keras archive": lambda: zipped("config.json", "model.weights.h5"),
    "is an archive for TorchServe": lambda: zipped("MAR-INF/MANIFEST.json", "model.pth"),
    "is a program that torch.export wrote": lambda: zipped("a/archive_format", "a/models/model.json"),
    "is a ZIP archive without the data.pkl of torch.save": lambda: zipped("model/weights.pth", "readme.txt"),
    "is a compressed archive": lambda: zipped("a/data.pkl", "a/version", method=zipfile.ZIP_DEFLATED),
    "is an ONNX model": lambda: b"\x08\x07\x12\x07pytorch\x1a\x051.8.0" + bytes(50),
    "is a TensorFlow SavedModel": lambda: b"\x08\x01\x12\xa9\x1f" + bytes(50),
    "is a TensorFlow Lite model": lambda: b"\x1c\0\0\0TFL3" + bytes(50),
    "is a TensorFlow graph": lambda: b"\n\x1a\n\x05input\x12\x0bPlaceholder" + bytes(50),
    "is the index of a TensorFlow checkpoint": lambda: bytes(60) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb",
    "is a GGUF model": lambda: b"GGUF\3\0\0\0" + bytes(50),
    "is a pointer of Git LFS": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "is a web page": lambda: b"\n <!DOCTYPE html><html>404</html>",
    "is a text in JSON": lambda: b'{"error": "Entry not found"}',
    "is the index of a checkpoint in several files": lambda: b'{"metadata": {}, "weight_map": {}}',
    "is compressed by gzip": lambda: b"\x1f\x8b\x08" + bytes(50),
    "is compressed by zstd": lambda: b"\x28\xb5\x2f\xfd" + bytes(50),
    r"is a picture \(JPEG\)": lambda: b"\xff\xd8\xff\xe0" + bytes(50),
    "is in the format of torch before 0.1.10": lambda: tarred("sys_info", "pickle", "storages", "tensors"),
    "is a tar archive": lambda: tarred("model.pth"),
    "is a pickle that torch.save did not write": lambda: pickle.dumps(network().state_dict(), 4),
    "is a pickle that torch.save did not write ": lambda: pickle.dumps({"a": np.ones(3)}, 2),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # which torch 2 calls deprecated
@pytest.mark.parametrize("what", FILES)
def test_a_file_of_another_kind_is_told_what_it_is(what):
    with pytest.raises(CheckpointMismatch, match=f"^the checkpoint {what.strip()}") as caught:
        read_contents(memoryview(FILES[what]()))
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [b"hello", bytes(100), b"\x80\x02}", b"\x80", b"12345678{", b"\x08", struct.pack("<Q", 5), b"PK\3\3"],
)
def test_what_nothing_is_known_of_is_no_checkpoint(data):
    with pytest.raises(CheckpointCorrupt, match="is not a PyTorch checkpoint"):
        read_contents(memoryview(data))


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ({}, "a dict of 0"),
        (None, "nothing"),
        (3, "a number"),
        ("text", "a text"),
        (b"x", r"_codecs\.encode"),
        (torch.ones(3), "a tensor"),
        ([torch.ones(3)], "a list of 1"),
        (nn.ReLU(), r"torch\.nn\.modules\.activation\.ReLU"),
        (np.ones(3), r"numpy\.\S*multiarray\._reconstruct"),
        ({"epoch": 3, "name": "x", "loss": 0.5}, r"a dict of 3: epoch \(a number\), name \(a text\)"),
        ({1: torch.ones(3)}, r"a dict of 1: a number for a name \(a tensor\)"),
        (
            {"optimizer": torch.optim.Adam([torch.ones(1)]).state_dict()},
            r"optimizer \(the state of an optimiser\)",
        ),
        ({str(n): n for n in range(100)}, "5 \\(a number\\) and 94 more"),
        ({"a" * 10**6: "b" * 10**6}, "a{20,60}….* \\(a text\\)$"),
    ],
)
def test_a_checkpoint_without_a_state_dict_tells_what_it_holds(value, holds):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    with pytest.raises(CheckpointMismatch, match=f"not a state dict .* has none in it: .*{holds}") as caught:
        read_contents(memoryview(bytearray(buffer.getvalue()))).state_dict()
    assert len(caught.value.message) < 700
