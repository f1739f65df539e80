"""Damaged checkpoints, seeded: each is refused by its code or read as it was, and takes no memory."""

from __future__ import annotations

import json
import random
import struct
import tracemalloc
from collections.abc import Callable

import pytest
import torch

from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch
from saved import network, same, saved
from test_safetensors import written

WHOLE: dict[str, Callable[[], bytes]] = {
    "zip": lambda: bytes(saved({"model": network().state_dict(), "epoch": 3, "lr": 0.1})),
    "legacy": lambda: bytes(saved(network().state_dict(), _use_new_zipfile_serialization=False)),
    "a whole network": lambda: bytes(saved(network())),
    "safetensors": lambda: written(network().state_dict(), {"format": "pt"}),
}
ROUNDS = 400


def damaged(dice: random.Random, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        place = dice.randrange(len(data))
        how = dice.choice(["bit", "bit", "byte", "cut", "longer", "swap", "number", "zeros"])
        if how == "bit":
            data[place] ^= 1 << dice.randrange(8)
        elif how == "byte":
            data[place] = dice.randrange(256)
        elif how == "cut":
            del data[max(place, 1) :]
        elif how == "longer":
            data[place:place] = dice.randbytes(dice.randint(1, 40))
        elif how == "swap":
            data[place : place + 16] = reversed(data[place : place + 16])
        elif how == "number":
            number = struct.pack("<q", dice.choice([-1, 0, 2**31, 2**62, dice.randrange(2**40)]))
            data[place : place + 8] = number
        else:
            data[place : place + 64] = bytes(len(data[place : place + 64]))
    return bytes(data)


@pytest.mark.parametrize("checksums", [True, False], ids=["with checksums", "without"])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_damaged_file_is_refused_by_a_code_or_read(kind, checksums):
    whole = WHOLE[kind]()
    expected = network().state_dict()
    assert same(read_contents(memoryview(bytearray(whole)), checksums).state_dict(), expected)
    dice = random.Random(f"{kind} {checksums}")
    refused = 0
    tracemalloc.start()
    for round_ in range(ROUNDS):
        data = damaged(dice, whole)
        try:
            found = read_contents(memoryview(bytearray(data)), checksums).state_dict()
        except (CheckpointCorrupt, CheckpointMismatch) as error:
            assert len(error.message) < 1000, round_
            refused += 1
        else:
            # Only checksums tell a changed number or name; but whatever is read is whole.
            assert all(isinstance(value, torch.Tensor) for value in found.values())
            if kind in ("zip", "a whole network") and checksums:
                assert same(found, expected), round_
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20
    assert refused > ROUNDS / 4, json.dumps({"refused": refused})
