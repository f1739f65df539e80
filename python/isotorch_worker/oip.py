"""The Open Inference Protocol, version 2, as bytes: twin of src/server/oip, for Python's servers. No I/O."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from isotorch_worker import oip_json
from isotorch_worker.oip_json import InvalidInput
from isotorch_worker.pictures.spec import Sides, sides
from isotorch_worker.protocol.errors import BadTensor, WorkerError

VERSION = "1"
"""Of each model there is one."""
MAX_BATCH = 32
JSON_LENGTH = "inference-header-content-length"

STATUS: Mapping[str, int] = {
    "INVALID_INPUT": 400,
    "BAD_TENSOR": 400,
    "INPUT_TOO_LARGE": 413,
    "UNSUPPORTED_FORMAT": 415,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNSUPPORTED_MODE": 422,
    "DECODE_FAILED": 422,
    "OUT_OF_MEMORY": 503,
    "DEADLINE_EXCEEDED": 504,
    "UNAUTHORIZED": 401,
    "NOT_FOUND": 404,
}


class Unauthorized(WorkerError):
    """The token is missing or wrong."""

    code = "UNAUTHORIZED"


class NotFound(WorkerError):
    """There is no such address."""

    code = "NOT_FOUND"


@dataclass(frozen=True)
class Model:
    """What a network takes and gives, under its name.

    ``spec`` is its preprocessing, ``embedding`` the values of one, 0 where there is none.
    """

    name: str
    spec: Mapping[str, Any]
    classes: int
    embedding: int

    @property
    def crop(self) -> Sides:
        return self.spec["crop"]


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
    activation: str = "softmax"
    """What ``probabilities`` are made with."""


def inputs(crop: Sides) -> list[dict[str, Any]]:
    """The tensors of which a request has one; ``crop`` is a spec's."""
    height, width = sides(crop)
    return [
        {"name": "input", "datatype": "FP32", "shape": [-1, 3, height, width]},
        {"name": "pixels", "datatype": "UINT8", "shape": [-1, height, width, 3]},
        {"name": "image", "datatype": "BYTES", "shape": [-1, 1]},
    ]


def outputs(model: Model) -> list[dict[str, Any]]:
    """The tensors of an answer; the first three are given where a request names none."""
    of_classes = [
        {"name": "logits", "datatype": "FP32", "shape": [-1, model.classes]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, model.classes]},
        {"name": "indices", "datatype": "INT32", "shape": [-1, model.classes]},
    ]
    if model.embedding == 0:
        return of_classes
    return [*of_classes, {"name": "embedding", "datatype": "FP32", "shape": [-1, model.embedding]}]


# Statistics are counts of one replica: the next request would be told another one's.
ACTIVATIONS = ("softmax", "sigmoid")
EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration")


def model_config(model: Model) -> dict[str, Any]:
    """What ``GET /v2/models/NAME/config`` answers, in the words of Triton's model configuration."""

    def tensor(of: dict[str, Any]) -> dict[str, Any]:
        kind = "TYPE_STRING" if of["datatype"] == "BYTES" else f"TYPE_{of['datatype']}"
        return {"name": of["name"], "data_type": kind, "dims": of["shape"][1:]}

    return {
        "name": model.name,
        "platform": "pytorch",
        "backend": "pytorch",
        "version_policy": {"specific": {"versions": [int(VERSION)]}},
        "max_batch_size": MAX_BATCH,
        "input": [
            {**tensor(of), "format": "FORMAT_NONE", "optional": of["name"] != "input"}
            for of in inputs(model.crop)
        ],
        "output": [tensor(of) for of in outputs(model)],
    }


def model_metadata(model: Model, network: str, attestation: Mapping[str, str]) -> dict[str, Any]:
    """What ``GET /v2/models/NAME`` answers.

    ``network`` is torchvision's name, ``attestation`` that of attest.py; both, and the spec, are for clients.
    """
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": "pytorch",
        "inputs": inputs(model.crop),
        "outputs": outputs(model),
        "parameters": {
            "model": network,
            "spec": model.spec,
            "activations": ACTIVATIONS,
            "attestation": attestation,
        },
    }


def parse_infer(body: bytes, header: str | None, model: Model) -> InferRequest:
    """The request in a body whose JSON is ``header`` bytes long, with the tensor behind it.

    Without ``header`` it is all JSON. Raises InvalidInput, TooLarge or BadTensor.
    """
    length = len(body)
    if header is not None:
        length = int(header) if header.isdecimal() and len(header) <= 10 else -1
    if not 0 < length <= len(body):
        raise InvalidInput(
            "Inference-Header-Content-Length is not the length of the JSON at the start of the body"
        )
    parsed = oip_json.parse(body[:length], MAX_BATCH * 3 * math.prod(sides(model.crop)) + _MOST_OTHERS)
    request = _fields(parsed.request, "the request", _REQUEST)
    identifier = request.get("id")
    if identifier is not None and (not isinstance(identifier, str) or len(identifier) > 256):
        raise InvalidInput("id is not a text of at most 256 characters")
    for field, name in (("model_name", model.name), ("model_version", VERSION)):
        if request.get(field, name) not in ("", name):
            raise InvalidInput(f"{field} is not {name}")
    given_inputs = request.get("inputs")
    given_input, data = _chosen(given_inputs, memoryview(body)[length:], model.crop)
    general = _parameters(request)
    binary = _flag(general, "binary_data_output", False)
    timeout = general.get("timeout", 0)
    if not _is_whole(timeout) or timeout < 0:
        raise InvalidInput("timeout is not in microseconds")
    activation = general.get("activation", "softmax")
    if activation not in ACTIVATIONS:
        raise InvalidInput(f"activation is none of {', '.join(ACTIVATIONS)}")
    return InferRequest(
        identifier,
        _input(given_input, data, model.crop, parsed, general),
        _outputs(request.get("outputs"), binary, model),
        timeout / 1000 if timeout else None,
        activation,
    )


_MOST_OTHERS = 8192
"""Names, shapes and parameters beside the values of a tensor."""
_REQUEST = ("id", "inputs", "outputs", "parameters", "model_name", "model_version")
_INPUT = ("name", "datatype", "shape", "data", "parameters")


def _chosen(given: Any, binary: memoryview, crop: Sides) -> tuple[Any, memoryview]:
    """The input that counts, with its binary data: the only one, or ``input`` where others come with it."""
    values = cast("list[Any]", given) if isinstance(given, list) else []
    if len(values) == 1:
        return values[0], binary
    none = InvalidInput("inputs is not a list of exactly one tensor; others only beside `input`, in binary")
    names = [tensor["name"] for tensor in inputs(crop)]
    places: dict[str, tuple[Any, int, int]] = {}
    end = 0
    for value in values:
        one = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        own = one.get("parameters")
        size = cast("dict[str, Any]", own).get("binary_data_size") if isinstance(own, dict) else None
        name = one.get("name")
        if name not in names or name in places or not _is_whole(size) or size < 0:
            raise none
        places[name] = (value, end, end + size)
        end += size
    if "input" not in places or end != len(binary):
        raise none
    value, start, stop = places["input"]
    return value, binary[start:stop]


def _input(
    value: Any, binary: memoryview, crop: Sides, parsed: oip_json.Parsed, general: dict[str, Any]
) -> list[Item]:
    given = _fields(value, "the input", _INPUT)
    known = {tensor["name"]: tensor for tensor in inputs(crop)}
    name = given.get("name")
    if not isinstance(name, str) or name not in known or given.get("datatype") != known[name]["datatype"]:
        raise InvalidInput(f"the input or its datatype is another one than those of {', '.join(known)}")
    own = _parameters(given)
    size, data = own.get("binary_data_size"), given.get("data")
    if size is not None and data is not None:
        raise InvalidInput("the input has data both in JSON and in binary")
    if size is None and len(binary) > 0:
        raise InvalidInput("there is binary data, and the input has no binary_data_size")
    if size is not None and (not _is_whole(size) or size != len(binary)):
        raise InvalidInput(f"binary_data_size is not {len(binary)}, the bytes that follow the JSON")
    tensor = known[name]
    count = _batch(name, given.get("shape"), tensor["shape"])
    if name == "image":
        if size is None:
            return [Item(name, element, ()) for element in oip_json.texts(data, count)]
        elements = oip_json.elements(binary, count)
        if own.get("content_type", general.get("content_type")) == "base64":
            elements = [oip_json.decoded(element.decode("latin-1")) for element in elements]
        return [Item(name, element, ()) for element in elements]
    one = (1, *tensor["shape"][1:])
    values = 1
    for dimension in one:
        values *= dimension
    width = 4 if tensor["datatype"] == "FP32" else 1
    if size is None:
        read = parsed.floats if width == 4 else parsed.pixels
        binary = memoryview(read(data, values * count).tobytes())
    if len(binary) != values * width * count:
        raise BadTensor(f"the data has {len(binary)} bytes, expected {values * width * count}")
    cut = values * width
    return [Item(name, bytes(binary[at * cut : (at + 1) * cut]), one) for at in range(count)]


def _outputs(given: Any, binary: bool, model: Model) -> list[Output]:
    known = [output["name"] for output in outputs(model)]
    if given is None or given == []:
        return [Output(name, binary, 0) for name in known if name != "embedding"]
    if not isinstance(given, list):
        raise InvalidInput("outputs is not a list")
    wanted: list[Output] = []
    for value in cast("list[Any]", given):
        output = _fields(value, "the output", ("name", "parameters"))
        name = output.get("name")
        if not isinstance(name, str) or name not in known:
            raise InvalidInput(f"an output is none of {', '.join(known)}")
        if any(other.name == name for other in wanted):
            raise InvalidInput("an output is asked for twice")
        parameters = _parameters(output)
        classes = parameters.get("classification", 0)
        ranked = name in ("logits", "probabilities")
        if not _is_whole(classes) or not 0 <= classes <= model.classes or (classes and not ranked):
            raise InvalidInput(f"classification is not 1 to {model.classes}, for logits or probabilities")
        wanted.append(Output(name, _flag(parameters, "binary_data", binary), classes))
    return wanted


def _fields(value: Any, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    """An object with no other fields than these; null is absent."""
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is not an object")
    present = {name: inner for name, inner in cast("dict[str, Any]", value).items() if inner is not None}
    other = next((name for name in present if name not in names), None)
    if other is not None:
        raise InvalidInput(f"{what} has the unknown field {json.dumps(other[:40])}")
    return present


def _parameters(of: dict[str, Any]) -> dict[str, Any]:
    """What changes nothing is ignored; what would change something, and is not there, is refused."""
    value: Any = of.get("parameters", {})
    if not isinstance(value, dict):
        raise InvalidInput("parameters is not an object")
    present = {name: inner for name, inner in cast("dict[str, Any]", value).items() if inner is not None}
    for name, inner in present.items():
        is_sequence = name in ("sequence_id", "sequence_start", "sequence_end") and inner not in (0, "")
        if is_sequence or name.startswith("shared_memory_"):
            raise InvalidInput(f"{name[:40]} is not to be had here: no shared memory, no sequences")
    return present


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} is neither true nor false")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _batch(name: str, shape: Any, expected: list[int]) -> int:
    """Pictures as BYTES come as ``[N]`` or, as Triton batches them, ``[N, 1]``."""
    lengths = cast("list[Any]", shape) if isinstance(shape, list) else []
    whole = len(lengths) > 0 and all(_is_whole(length) for length in lengths)
    items = [[], [1]] if name == "image" else [expected[1:]]
    if whole and 1 <= lengths[0] <= MAX_BATCH and lengths[1:] in items:
        return int(lengths[0])
    raise BadTensor(f"the shape of {name} is {json.dumps(shape)[:80]}, expected {expected}")


def encode_infer(
    request: InferRequest, answers: list[dict[str, Any]], model: Model
) -> tuple[bytes, dict[str, str]]:
    """Body and headers.

    Each answer has float32 ``logits``, ``softmax``, ``sigmoid`` and ``embedding`` and int32 ``indices`` as
    bytes, and ``labels`` in class order.
    """
    widths = {output["name"]: output["shape"][1] for output in outputs(model)}
    binaries: list[bytes] = []
    described: list[dict[str, Any]] = []
    for output in request.outputs:
        if output.classes > 0:
            texts = [text for answer in answers for text in _classified(request, output, answer)]
            shape = [len(answers), output.classes]
            described.append({"name": output.name, "datatype": "BYTES", "shape": shape, "data": texts})
            continue
        datatype = "INT32" if output.name == "indices" else "FP32"
        tensor = {"name": output.name, "datatype": datatype, "shape": [len(answers), widths[output.name]]}
        data = b"".join(answer[_key(request, output)] for answer in answers)
        if output.binary:
            binaries.append(data)
            described.append({**tensor, "parameters": {"binary_data_size": len(data)}})
        else:
            code = "i" if datatype == "INT32" else "f"
            described.append({**tensor, "data": list(struct.unpack(f"<{len(data) // 4}{code}", data))})
    answer = {"model_name": model.name, "model_version": VERSION, "outputs": described}
    head = json.dumps({**answer, **({"id": request.id} if request.id is not None else {})}).encode()
    if not binaries:
        return head, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", JSON_LENGTH: str(len(head))}
    return b"".join([head, *binaries]), headers


def _key(request: InferRequest, output: Output) -> str:
    return request.activation if output.name == "probabilities" else output.name


def _classified(request: InferRequest, output: Output, answer: dict[str, Any]) -> list[str]:
    classes = len(answer["labels"])
    values = struct.unpack(f"<{classes}f", answer[_key(request, output)])
    order = struct.unpack(f"<{classes}i", answer["indices"])[: output.classes]
    return [f"{values[index]}:{index}:{answer['labels'][index]}" for index in order]


def error_body(error: WorkerError) -> tuple[bytes, int]:
    """The protocol's ``{"error": sentence}`` with the code beside it, and its status."""
    sentence = error.message[:1].upper() + error.message[1:]
    sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    told = {"error": sentence, "code": error.code}
    if error.hint is not None:
        told = {"error": f"{sentence} {error.hint}", "code": error.code, "hint": error.hint}
    return json.dumps(told).encode(), STATUS.get(error.code, 500)
