"""What torch.save wrote, read the same way for every version of torch: by none of torch's own readers.

A first pass makes only descriptions of tensors (``inert``); a second makes the tensors that a state dict has,
as views of the file's bytes.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.archive import Record, is_archive, records
from isotorch_worker.checkpoints.inert import STORAGES, Layout, Names, Storage, unpickled
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch

if TYPE_CHECKING:
    from torch import Tensor

# Protocol 2, then the first eleven bytes of the magic number that torch.save wrote before version 1.6.
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
_HINT = "save it again with torch.save(model.state_dict(), path)"
_COUNT = struct.Struct("<q")


@dataclass(frozen=True)
class Contents:
    """A checkpoint's bytes with what they say; ``state_dict`` makes tensors of it."""

    data: memoryview
    value: Any
    places: Mapping[str, Record]
    is_swapped: bool
    """Whether the values have the other order of bytes than this machine."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Names and tensors, on the CPU: views of the file's bytes, laid out as they were saved.

        Raises CheckpointMismatch where the file holds something else than a flat state dict, and
        CheckpointCorrupt where a record is not as large as its storage. Imports torch.
        """
        import torch

        if not isinstance(self.value, dict) or not all(
            isinstance(name, str) and isinstance(layout, Layout)
            for name, layout in cast("dict[Any, Any]", self.value).items()
        ):
            raise CheckpointMismatch("the checkpoint is not a state dict (names to tensors)", _HINT)
        flat: dict[str, Tensor] = {}
        state = Names()
        for name, layout in cast("dict[str, Layout]", self.value).items():
            key = layout.storage.key
            if key not in flat:
                flat[key] = self._flat(layout.storage)
            # Seen before, of what the pickle says of its storages; here of the memory that there is.
            if layout.end() > flat[key].numel():
                raise CheckpointCorrupt(f"the checkpoint is damaged: {brief(name)} reaches beyond its values")
            state[name] = torch.as_strided(flat[key], layout.size, layout.stride, layout.offset)
        if isinstance(self.value, Names):
            state.__setstate__(vars(self.value))
        return state

    def _flat(self, storage: Storage) -> Tensor:
        """The values of ``storage``, in one dimension."""
        import torch

        kind, item = STORAGES[storage.kind]
        dtype: torch.dtype = getattr(torch, kind)
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
    """What the bytes of a ``.pth`` file say, as torch.save of any version wrote them. No code of it runs.

    ``checksums`` compares those of an archive; ``name`` is the file's, for messages. Raises CheckpointCorrupt
    for what is damaged, and for what holds more than tensors and plain data. Needs no torch.
    """
    try:
        return _of_archive(data, checksums, name) if is_archive(data) else _of_legacy(data)
    except CheckpointCorrupt:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointCorrupt(f"{brief(name)} holds more than tensors: {brief(error)}", _HINT) from None
    except Exception as error:
        # Damaged bytes surface as any of a dozen exception types.
        reason = brief(error) if type(error) is ValueError else f"{type(error).__name__}: {brief(error)}"
        raise CheckpointCorrupt(f"{brief(name)} is cut short or damaged: {reason}") from None


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
    for key in cast("list[str]", values[4]):
        storage = storages[key]
        (count,) = _COUNT.unpack(data[position : position + _COUNT.size])
        position += _COUNT.size
        record = Record(position, count * STORAGES[storage.kind][1])
        if key in places or count != storage.items or position + record.size > len(data):
            raise ValueError(f"the storage {brief(key)} is not as large as it says")
        places[key] = record
        position += record.size
    return Contents(data, values[3], places, sys.byteorder != "little")
