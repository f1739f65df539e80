"""What a file is that is no checkpoint, told by its bytes: its name may say anything."""

from __future__ import annotations

import re

from isotorch_worker.checkpoints.pickles import unpickled

SAVE_AGAIN = "save the network's own state dict: torch.save(model.state_dict(), path)"
_UNPACK = "unpack it first"
_CONVERT = "isotorch reads what PyTorch's torch.save writes, and safetensors"
_HEAD = 4096

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (
        0,
        b"version https://git-lfs.github.com/spec",
        "a pointer of Git LFS",
        "fetch the file itself: git lfs pull",
    ),
    (0, b"\x93NUMPY", "a NumPy array (.npy)", _CONVERT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", _CONVERT),
    (4, b"TFL3", "a TensorFlow Lite model", _CONVERT),
    (0, b"\x08\x01\x12", "a TensorFlow SavedModel", _CONVERT),
    (0, b"GGUF", "a GGUF model", _CONVERT),
    (0, b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (0, b"BZh", "compressed by bzip2", _UNPACK),
    (0, b"\xfd7zXZ\0", "compressed by xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (0, b"\x89PNG\r\n\x1a\n", "a picture (PNG)", "give the picture as the picture, and a checkpoint here"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)", "give the picture as the picture, and a checkpoint here"),
    (0, b"%PDF-", "a PDF document", "expected a checkpoint"),
    (0, b"\x7fELF", "a program", "expected a checkpoint"),
)
_TENSORFLOW_INDEX_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
# ir_version, then the producer's name.
_ONNX = re.compile(rb"\x08[\x03-\x20]\x12[\x01-\x7f][ -~]{3}")
_FROZEN_GRAPH = re.compile(rb"^\x0a.{1,3}\x0a.{1,200}\x12.(Placeholder|Const)", re.DOTALL)
_OLD_TORCH = {b"sys_info", b"pickle", b"tensors", b"storages"}


def recognised(data: memoryview) -> tuple[str, str] | None:
    """What the file is ("a picture (PNG)") and what to do; None where its bytes say nothing."""
    head = bytes(data[:_HEAD])
    for at, magic, what, hint in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return what, hint
    if bytes(data[-len(_TENSORFLOW_INDEX_END) :]) == _TENSORFLOW_INDEX_END:
        return "the index of a TensorFlow checkpoint", _CONVERT
    if _ONNX.match(head):
        return "an ONNX model", _CONVERT
    if _FROZEN_GRAPH.match(head):
        return "a TensorFlow graph", _CONVERT
    if head[257:262] == b"ustar":
        return _tar(head)
    return _text(head) or _pickle(data)


def recognised_archive(names: list[str]) -> tuple[str, str]:
    """What a ZIP file with these entries is, in which torch.save's ``data.pkl`` is not, or not alone."""
    ends = {name.rpartition("/")[2] for name in names}
    folders = {part for name in names for part in name.split("/")[:-1]}
    if "constants.pkl" in ends or "code" in folders:
        return "a TorchScript archive", SAVE_AGAIN
    if "archive_format" in ends or "serialized_exported_program.json" in ends:
        return "a program that torch.export wrote", SAVE_AGAIN
    if "MANIFEST.json" in ends and "MAR-INF" in folders:
        return "an archive for TorchServe", "give the checkpoint that is in it"
    if "model.weights.h5" in ends:
        return "a Keras archive", _CONVERT
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)", _CONVERT
    return "a ZIP archive without the data.pkl of torch.save", "if the checkpoint is in it, unpack it first"


def _tar(head: bytes) -> tuple[str, str]:
    first = head[:100].rstrip(b"\0").removeprefix(b"./")
    if first in _OLD_TORCH:
        return (
            "in the format of torch before 0.1.10, which only torch itself reads",
            "load it with torch.load of a version that does, and save it with torch.save",
        )
    return "a tar archive", _UNPACK


def _text(head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return "a web page, not a checkpoint", "download the file again; the server sent an error page"
    if start.startswith(b"{"):
        if b'"weight_map"' in head:
            return "the index of a checkpoint in several files", "give one file that has all tensors"
        return "a text in JSON", "expected a checkpoint"
    return None


def _pickle(data: memoryview) -> tuple[str, str] | None:
    # Of protocol 2 or later, which all begin alike; there is little to tell older ones by.
    if bytes(data[:1]) != b"\x80":
        return None
    try:
        unpickled(data)
    except Exception:
        return None
    return "a pickle that torch.save did not write", "load it where it was made, and save it with torch.save"
