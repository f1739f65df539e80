"""The Open Inference Protocol, version 2, as bytes: twin of src/server/oip, for Python's servers. No I/O."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from isotorch_worker.errors import BadTensor, WorkerError

MODEL = "resnet101"
VERSION = "1"
MAX_BATCH = 32
CLASSES = 1000
JSON_LENGTH = "inference-header-content-length"

STATUS: Mapping[str, int] = {
    "INVALID_INPUT": 400,
    "BAD_TENSOR": 400,
    "INPUT_TOO_LARGE": 413,
    "UNSUPPORTED_FORMAT": 415,
    "UNSUPPORTED_MODE": 422,
    "DECODE_FAILED": 422,
    "OUT_OF_MEMORY": 503,
    "DEADLINE_EXCEEDED": 504,
    "UNAUTHORIZED": 401,
    "NOT_FOUND": 404,
}


class InvalidInput(WorkerError):
    """The body is no inference request."""

    code = "INVALID_INPUT"


class Unauthorized(WorkerError):
    """The token is missing or wrong."""

    code = "UNAUTHORIZED"


class NotFound(WorkerError):
    """There is no such address."""

    code = "NOT_FOUND"


@dataclass(frozen=True)
class Output:
    """``classes`` > 0 asks for so many texts ``value:index:label`` in the place of the tensor."""

    name: str
    binary: bool
    classes: int


@dataclass(frozen=True)
class Item:
    """One picture: ``name`` is ``input`` (float32), ``pixels`` (uint8) or ``image`` (an encoded file)."""

    name: str
    data: bytes
    shape: tuple[int, ...]


@dataclass(frozen=True)
class InferRequest:
    id: str | None
    items: list[Item]
    outputs: list[Output]
    timeout_ms: float | None


def inputs(crop: int) -> list[dict[str, Any]]:
    """The tensors of which a request has one."""
    return [
        {"name": "input", "datatype": "FP32", "shape": [-1, 3, crop, crop]},
        {"name": "pixels", "datatype": "UINT8", "shape": [-1, crop, crop, 3]},
        {"name": "image", "datatype": "BYTES", "shape": [-1]},
    ]


OUTPUTS = [
    {"name": "logits", "datatype": "FP32", "shape": [-1, CLASSES]},
    {"name": "probabilities", "datatype": "FP32", "shape": [-1, CLASSES]},
    {"name": "indices", "datatype": "INT32", "shape": [-1, CLASSES]},
]


def model_metadata(crop: int, attestation: Mapping[str, str]) -> dict[str, Any]:
    """What ``GET /v2/models/resnet101`` answers; ``attestation`` is that of attest.py, for clients."""
    return {
        "name": MODEL,
        "versions": [VERSION],
        "platform": "pytorch",
        "inputs": inputs(crop),
        "outputs": OUTPUTS,
        "parameters": {"attestation": attestation},
    }


def parse_infer(body: bytes, header: str | None, crop: int) -> InferRequest:
    """The request in a body whose JSON is ``header`` bytes long, with the tensor behind it.

    Tensors come as binary data only. Raises InvalidInput or BadTensor.
    """
    length = int(header) if header is not None and header.isdecimal() else -1
    if not 0 < length <= len(body):
        raise InvalidInput(
            "the tensor is to follow the JSON as binary data, with Inference-Header-Content-Length"
        )
    try:
        request = cast("dict[str, Any]", json.loads(body[:length]))
        (given,) = request["inputs"]
        name, datatype, shape = given["name"], given["datatype"], tuple(given["shape"])
        size = given["parameters"]["binary_data_size"]
        outputs = [
            Output(
                str(output["name"]),
                bool(output.get("parameters", {}).get("binary_data", False)),
                int(output.get("parameters", {}).get("classification", 0)),
            )
            for output in request.get("outputs") or OUTPUTS
        ]
        timeout = request.get("parameters", {}).get("timeout")
        identifier = request.get("id")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"not an inference request: {type(error).__name__}: {error}") from None
    known = {tensor["name"]: tensor for tensor in inputs(crop)}
    if name not in known or datatype != known[name]["datatype"]:
        raise InvalidInput(f"the input is {name} {datatype}, expected one of {', '.join(known)}")
    if {output.name for output in outputs} - {"logits", "probabilities", "indices"}:
        raise InvalidInput("an output is none of logits, probabilities, indices")
    if size != len(body) - length:
        raise InvalidInput(f"binary_data_size is {size}, and {len(body) - length} bytes follow the JSON")
    items = _items(name, shape, memoryview(body)[length:], known[name])
    return InferRequest(identifier, items, outputs, timeout / 1000 if timeout else None)


def _items(name: str, shape: tuple[int, ...], data: memoryview, tensor: dict[str, Any]) -> list[Item]:
    count = shape[0] if shape else 0
    if not isinstance(count, int) or not 1 <= count <= MAX_BATCH or shape[1:] != tuple(tensor["shape"][1:]):
        raise BadTensor(f"the shape of {name} is {list(shape)}, expected {tensor['shape']}")
    if name == "image":
        return [Item(name, element, ()) for element in _elements(data, count)]
    size = 4 if tensor["datatype"] == "FP32" else 1
    for length in shape[1:]:
        size *= length
    if len(data) != size * count:
        raise BadTensor(f"the data has {len(data)} bytes, expected {size * count}")
    one = (1, *shape[1:])
    return [Item(name, bytes(data[at * size : (at + 1) * size]), one) for at in range(count)]


def _elements(data: memoryview, count: int) -> list[bytes]:
    elements: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(elements) < count:
        (length,) = struct.unpack_from("<I", data, at)
        elements.append(bytes(data[at + 4 : at + 4 + length]))
        at += 4 + length
    if len(elements) != count or at != len(data):
        raise BadTensor(f"the binary data does not hold exactly {count} elements")
    return elements


def encode_infer(request: InferRequest, answers: list[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """Body and headers.

    Each answer has float32 ``logits`` and ``probabilities`` and int32 ``indices`` as bytes, and ``labels`` in
    class order.
    """
    binaries: list[bytes] = []
    described: list[dict[str, Any]] = []
    for output in request.outputs:
        if output.classes > 0:
            texts = [text for answer in answers for text in _classified(output, answer)]
            shape = [len(answers), output.classes]
            described.append({"name": output.name, "datatype": "BYTES", "shape": shape, "data": texts})
            continue
        datatype = "INT32" if output.name == "indices" else "FP32"
        tensor = {"name": output.name, "datatype": datatype, "shape": [len(answers), CLASSES]}
        data = b"".join(answer[output.name] for answer in answers)
        if output.binary:
            binaries.append(data)
            described.append({**tensor, "parameters": {"binary_data_size": len(data)}})
        else:
            code = "i" if datatype == "INT32" else "f"
            described.append({**tensor, "data": list(struct.unpack(f"<{len(data) // 4}{code}", data))})
    answer = {"model_name": MODEL, "model_version": VERSION, "outputs": described}
    head = json.dumps({**answer, **({"id": request.id} if request.id is not None else {})}).encode()
    if not binaries:
        return head, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", JSON_LENGTH: str(len(head))}
    return b"".join([head, *binaries]), headers


def _classified(output: Output, answer: dict[str, Any]) -> list[str]:
    values = struct.unpack(f"<{CLASSES}f", answer[output.name])
    order = struct.unpack(f"<{CLASSES}i", answer["indices"])[: output.classes]
    return [f"{values[index]}:{index}:{answer['labels'][index]}" for index in order]


def error_body(error: WorkerError) -> tuple[bytes, int]:
    """The protocol's ``{"error": sentence}`` with the code beside it, and its status."""
    sentence = error.message[:1].upper() + error.message[1:]
    sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    told = {"error": sentence, "code": error.code}
    if error.hint is not None:
        told = {"error": f"{sentence} {error.hint}", "code": error.code, "hint": error.hint}
    return json.dumps(told).encode(), STATUS.get(error.code, 500)
