"""The safetensors format: every type that is read, and every way in which a header can lie."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from isotorch_worker.checkpoints import safetensors
from isotorch_worker.checkpoints.reader import Contents, read_contents
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch
from saved import chosen, network, same

KINDS = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def raw(value: Tensor) -> bytes:
    return bytes(value.contiguous().reshape(-1).view(torch.uint8).tolist()) if value.numel() else b""


def packed(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def written(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None, pad: int = 8) -> bytes:
    """As the library writes them: padded by spaces, so that the values begin at a multiple of 8."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, value in tensors.items():
        content = raw(value)
        header[name] = {
            "dtype": KINDS[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header).encode()
    return packed(text + b" " * (-len(text) % pad), data)


def read(data: bytes) -> Contents:
    return read_contents(memoryview(bytearray(data)))


def test_a_network_is_read_to_the_bit_with_its_text():
    data = written(network().state_dict(), {"format": "pt", "made": "by hand"})
    prefix, candidate, found = chosen(data)
    assert (prefix, candidate.key, candidate.metadata) == ("", "", None)
    assert same(found, network().state_dict())
    assert read(data).metadata == {"format": "pt", "made": "by hand"}


def test_every_type_is_read_wherever_its_values_lie():
    values = {
        "bool": torch.tensor([True, False, True]),
        "double": torch.randn(2, 3).double(),
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(1, 1, 5).bfloat16(),
        "long": torch.arange(-3, 4),
        "int": torch.arange(7, dtype=torch.int32),
        "short": torch.arange(-3, 4, dtype=torch.int16),
        "char": torch.arange(-3, 4, dtype=torch.int8),
        "byte": torch.arange(7, dtype=torch.uint8),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "float": torch.randn(2, 3, 4, 5),
    }
    for pad in range(1, 9):
        assert same(read(written(values, pad=pad)).state_dict(), values), pad


def test_values_are_views_of_the_files_bytes():
    data = bytearray(written({"a": torch.ones(4)}))
    found = read_contents(memoryview(data)).state_dict()["a"]
    data[-4:] = struct.pack("<f", 7)
    assert found.tolist() == [1, 1, 1, 7]


def test_the_prefix_of_a_wrapper_is_stripped_here_too():
    data = written({f"model.{name}": value for name, value in network().state_dict().items()})
    assert chosen(data)[0] == "model."


def tensor(**changed: object) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changed}}


def two(first: tuple[int, int], second: tuple[int, int]) -> dict[str, object]:
    shapes = [[(end - start) // 4] for start, end in (first, second)]
    return {
        name: {"dtype": "F32", "shape": shape, "data_offsets": list(place)}
        for name, shape, place in zip("ab", shapes, (first, second))
    }


EIGHT = bytes(8)
LIES = {
    "a header longer than the file": struct.pack("<Q", 1000) + b"{}",
    "a header that is cut": packed(b'{"a":'),
    "a header that is no JSON": packed(b"{a: 1}"),
    "a header that is no text": packed(b'{"\xff": 1}'),
    "text behind the header": packed(json.dumps(tensor()).encode() + b"x", EIGHT),
    "a name twice": packed(b'{"a":%s,"a":%s}' % ((json.dumps(tensor()["a"]).encode(),) * 2), EIGHT),
    "a field twice": packed(b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT),
    "a field too many": packed(tensor(more=1), EIGHT),
    "a field too few": packed({"a": {"dtype": "F32", "shape": [2]}}, EIGHT),
    "a tensor that is a list": packed({"a": [1]}, EIGHT),
    "a type that is a number": packed(tensor(dtype=1), EIGHT),
    "a shape that is a number": packed(tensor(shape=2), EIGHT),
    "a size of minus one": packed(tensor(shape=[-2, -1]), EIGHT),
    "a size of 2.0": packed(tensor(shape=[2.0]), EIGHT),
    "a size of 2e0": packed(b'{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}', EIGHT),
    "a size that is true": packed(tensor(shape=[True, 2]), EIGHT),
    "a size that is not a number": packed(tensor(shape=[float("nan")]), EIGHT),
    "a size of a million digits": packed(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 10**6 + b'],"data_offsets":[0,8]}}', EIGHT
    ),
    "sizes whose product is beyond 2^64": packed(tensor(shape=[10**17] * 60), EIGHT),
    "a hundred dimensions": packed(tensor(shape=[1] * 99 + [2]), EIGHT),
    "offsets that are three": packed(tensor(data_offsets=[0, 4, 8]), EIGHT),
    "offsets that go back": packed(tensor(data_offsets=[8, 0]), EIGHT),
    "negative offsets": packed(tensor(data_offsets=[-8, 0]), EIGHT),
    "offsets unlike the shape": packed(tensor(shape=[3]), EIGHT),
    "offsets beyond the end": packed(tensor(shape=[4], data_offsets=[0, 16]), EIGHT),
    "offsets that overlap": packed(two((0, 8), (4, 12)), bytes(12)),
    "the same offsets twice": packed(two((0, 8), (0, 8)), EIGHT),
    "a hole between tensors": packed(two((0, 4), (8, 12)), bytes(12)),
    "a hole before the first": packed(tensor(data_offsets=[8, 16]), bytes(16)),
    "bytes behind the last": packed(tensor(), bytes(9)),
    "bytes and no tensors": packed({}, EIGHT),
    "a hidden empty tensor": packed(
        {**tensor(), "b": {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}}, EIGHT
    ),
    "metadata of numbers": packed({"__metadata__": {"a": 1}, **tensor()}, EIGHT),
    "metadata that is a list": packed({"__metadata__": [], **tensor()}, EIGHT),
    "lists in lists": packed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "objects in objects": packed(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "more lists than tensors need": packed(b'{"a":[' + b"[]," * 1_500_000 + b"[]]}"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_takes_little_memory(lie):
    tracemalloc.start()
    with pytest.raises(CheckpointCorrupt, match="cut short or damaged") as caught:
        read(LIES[lie])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(caught.value.message) < 500
    assert peak < 100 * 2**20


def test_without_its_lie_such_a_file_is_read():
    assert read(packed(tensor(), struct.pack("<2f", 1, 2))).state_dict()["a"].tolist() == [1, 2]
    found = read(packed(two((4, 8), (0, 4)), struct.pack("<2f", 1, 2))).state_dict()
    assert [float(found[name]) for name in "ab"] == [2, 1]


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "U16", "U32", "U64", "C64", "F4", "Q" * 10**5])
def test_a_type_that_is_not_read_is_named(kind):
    with pytest.raises(
        CheckpointMismatch, match=f"has the type {kind[:10]}.* in a, expected one of BF16"
    ) as caught:
        read(packed(tensor(dtype=kind), EIGHT))
    assert len(caught.value.message) < 300


def test_a_header_that_is_longer_than_is_read_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(safetensors, "MOST_HEADER_BYTES", 20)
    with pytest.raises(CheckpointMismatch, match="a header of 61 bytes, more than the 20 that are read"):
        read(packed(tensor(), EIGHT))


def test_a_file_without_tensors_has_no_state_dict():
    with pytest.raises(CheckpointMismatch, match="not a state dict"):
        read(packed({})).state_dict()
