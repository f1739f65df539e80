"""Checkpoints of every format and version of torch, read the same way: by none of torch's own readers.

A first pass makes only descriptions of tensors; a second makes the tensors that one state dict has, as views
of the file's bytes.
"""

from __future__ import annotations

import struct
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.archive import Record, is_archive, records
from isotorch_worker.checkpoints.candidates import Candidate, choose
from isotorch_worker.checkpoints.inert import ITEM_BYTES, Storage
from isotorch_worker.checkpoints.pickles import unpickled
from isotorch_worker.checkpoints.recognise import recognised
from isotorch_worker.checkpoints.safetensors import is_safetensors, read_safetensors
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch, WorkerError

if TYPE_CHECKING:
    from torch import Tensor

# The first of the five pickles that torch.save wrote before version 1.6.
_LEGACY_NUMBER = 0x1950A86A20F9469CFC6C
_LEGACY_NUMBER_BYTES = 64
_COUNT = struct.Struct("<q")


@dataclass(frozen=True)
class Contents:
    """A checkpoint's bytes with what they say; ``state_dict`` makes tensors of it."""

    data: memoryview
    value: Any
    """What the file holds: see ``candidates``."""
    places: Mapping[str, Record]
    is_swapped: bool
    """Whether the values have the other order of bytes than this machine."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What a safetensors file says of itself."""

    def state_dict(self, candidate: Candidate | None = None) -> OrderedDict[str, Tensor]:
        """Names and tensors, on the CPU: views of the file's bytes, laid out as they were saved.

        ``candidate`` is one of this file's, by default the only one; its ``metadata`` becomes the state
        dict's ``_metadata``, where it has some. Raises what ``choose`` raises without one, and
        CheckpointCorrupt where a record is not as large as its storage. Imports torch.
        """
        import torch

        candidate = choose(self.value) if candidate is None else candidate
        flat: dict[str, Tensor] = {}
        state: OrderedDict[str, Tensor] = OrderedDict()
        for name, layout in candidate.names.items():
            key = layout.storage.key
            if key not in flat:
                flat[key] = self._flat(layout.storage)
            # Seen before, of what the file says of its storages; here of the memory that there is.
            if layout.end() > flat[key].numel():
                raise CheckpointCorrupt(f"the checkpoint is damaged: {brief(name)} reaches beyond its values")
            state[name] = torch.as_strided(flat[key], layout.shape, layout.stride, layout.offset)
        if candidate.metadata is not None:
            vars(state)["_metadata"] = OrderedDict(candidate.metadata)
        return state

    def _flat(self, storage: Storage) -> Tensor:
        """The values of ``storage``, in one dimension."""
        import torch

        dtype: torch.dtype = getattr(torch, storage.dtype)
        item = ITEM_BYTES[storage.dtype]
        record = self.places.get(storage.key)
        if record is None or record.size != storage.items * item:
            raise CheckpointCorrupt(
                f"the checkpoint is damaged: the record {brief(storage.key)} has another size"
            )
        if record.size == 0:
            return torch.empty(0, dtype=dtype)
        part = self.data[record.offset : record.offset + record.size]
        if self.is_swapped:
            return torch.frombuffer(part, dtype=torch.uint8).reshape(-1, item).flip(1).reshape(-1).view(dtype)
        # torch.save aligns each record; other programs that write archives do not.
        return torch.frombuffer(part if record.offset % item == 0 else bytearray(part), dtype=dtype)


def read_contents(data: memoryview, checksums: bool = True, name: str = "the checkpoint") -> Contents:
    """What the bytes of a checkpoint say: as torch.save of any version wrote them, or safetensors.

    No code of it runs, whatever it holds. ``checksums`` compares those of an archive; ``name`` is the file's,
    for messages. Raises CheckpointCorrupt for what is damaged, and CheckpointMismatch for a file that is
    something else. Needs no torch.
    """
    if not is_checkpoint(data):
        raise _something_else(data, name)
    try:
        if is_archive(data):
            return _of_archive(data, checksums, name)
        if is_safetensors(data):
            layouts, places, metadata = read_safetensors(data)
            return Contents(data, layouts, places, sys.byteorder != "little", metadata)
        return _of_legacy(data)
    except (CheckpointCorrupt, CheckpointMismatch):
        raise
    except Exception as error:
        # Damaged bytes surface as any of a dozen exception types.
        reason = brief(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {brief(error)}"
        raise CheckpointCorrupt(f"{brief(name)} is cut short or damaged: {reason}") from None


def is_checkpoint(data: memoryview) -> bool:
    """Whether it begins as one of the formats that are read."""
    return is_archive(data) or is_safetensors(data) or _is_legacy(data)


def _is_legacy(data: memoryview) -> bool:
    """Whether torch.save wrote this before version 1.6, or was told to write as then; in any protocol."""
    try:
        return unpickled(data[:_LEGACY_NUMBER_BYTES])[0] == _LEGACY_NUMBER
    except Exception:
        return False


def _of_archive(data: memoryview, checksums: bool, name: str) -> Contents:
    found = records(data, checksums, name)

    def content(record: Record) -> memoryview:
        return data[record.offset : record.offset + record.size]

    # Versions that do not say it wrote that of their machine, which was this one nearly always.
    order = bytes(content(found["byteorder"])) if "byteorder" in found else b"little"
    if order not in (b"little", b"big"):
        raise ValueError("its order of bytes is unknown")
    value, _ = unpickled(content(found["data.pkl"]))
    places = {key[len("data/") :]: record for key, record in found.items() if key.startswith("data/")}
    return Contents(data, value, places, order != sys.byteorder.encode("ascii"))


def _of_legacy(data: memoryview) -> Contents:
    """Five pickles (magic number, version, system, value, keys of storages); then these storages in a row."""
    storages: dict[str, Storage] = {}
    values: list[Any] = []
    position = 0
    for _ in range(5):
        value, length = unpickled(data[position:], storages)
        values.append(value)
        position += length
    places: dict[str, Record] = {}
    for key in cast("list[object]", values[4]):
        # Anything else could take for ever to hash.
        if not isinstance(key, str):
            raise ValueError("it has a storage without a name")
        storage = storages[key]
        (count,) = _COUNT.unpack(data[position : position + _COUNT.size])
        position += _COUNT.size
        record = Record(position, count * ITEM_BYTES[storage.dtype])
        if key in places or count != storage.items or position + record.size > len(data):
            raise ValueError(f"the storage {brief(key)} is not as large as it says")
        places[key] = record
        position += record.size
    return Contents(data, values[3], places, sys.byteorder != "little")


def _something_else(data: memoryview, name: str) -> WorkerError:
    """What to raise for a file that is in no format that is read."""
    if len(data) == 0:
        return CheckpointMismatch(
            f"{brief(name)} is empty: it has 0 bytes", "download or save the file again"
        )
    found = recognised(data)
    if found is not None:
        return CheckpointMismatch(f"{brief(name)} is {found[0]}", found[1])
    return CheckpointCorrupt(
        f"{brief(name)} is not a PyTorch checkpoint", "expected what torch.save writes, or safetensors"
    )
