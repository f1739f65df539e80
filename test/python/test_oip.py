"""The Open Inference Protocol in Python: what is refused, and what an answer looks like to the byte."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib

import pytest

from isotorch_worker import oip, oip_json
from isotorch_worker.oip_body import LARGEST_BINARY, Body, UnsupportedEncoding
from isotorch_worker.protocol.errors import BadTensor, WorkerError

CROP = 4
SPEC = {"resize": CROP, "crop": CROP, "mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear"}
MODEL = oip.Model("resnet101", SPEC, 1000, 2048)
TENSOR = struct.pack("<48f", *range(48))


def of_size(side: int) -> oip.Model:
    return oip.Model("resnet101", {**SPEC, "crop": side}, 1000, 2048)


def body(binary: bytes = TENSOR, **changes: object) -> tuple[bytes, str]:
    given = {
        "name": "input",
        "datatype": "FP32",
        "shape": [1, 3, CROP, CROP],
        "parameters": {"binary_data_size": len(binary)},
        **changes,
    }
    head = json.dumps({"id": "7", "parameters": {"timeout": 2_000_000}, "inputs": [given]}).encode()
    return head + binary, str(len(head))


def plain_json(request: dict[str, object] | None = None, **changes: object) -> tuple[bytes, None]:
    """A request without binary data."""
    given = {"name": "input", "datatype": "FP32", "shape": [1, 3, CROP, CROP], **changes}
    return json.dumps({"inputs": [given], **(request or {})}).encode(), None


def nested(values: list[float]) -> list[object]:
    rows = [values[at : at + CROP] for at in range(0, len(values), CROP)]
    return [[rows[at : at + CROP] for at in range(0, len(rows), CROP)]]


def test_a_request_is_its_pictures_its_outputs_and_its_patience():
    request = oip.parse_infer(*body(TENSOR * 2, shape=[2, 3, CROP, CROP]), MODEL)
    assert request.id == "7"
    assert request.timeout_ms == 2000
    assert [(item.name, item.data, item.shape) for item in request.items] == [
        ("input", TENSOR, (1, 3, CROP, CROP))
    ] * 2
    assert [output.name for output in request.outputs] == ["logits", "probabilities", "indices"]


def several(*inputs: tuple[dict[str, object], bytes]) -> tuple[bytes, str]:
    """A request with several inputs, each with binary data."""
    given = [{**one, "parameters": {"binary_data_size": len(data)}} for one, data in inputs]
    head = json.dumps({"inputs": given}).encode()
    return head + b"".join(data for _, data in inputs), str(len(head))


def test_a_spec_may_have_a_height_and_a_width():
    assert [
        one["dims"] for one in oip.model_config(oip.Model("wide", {**SPEC, "crop": [96, 320]}, 3, 8))["input"]
    ] == [[3, 96, 320], [96, 320, 3], [1]]


FLOATS = ({"name": "input", "datatype": "FP32", "shape": [1, 3, CROP, CROP]}, TENSOR)
PIXELS = ({"name": "pixels", "datatype": "UINT8", "shape": [1, CROP, CROP, 3]}, bytes(48))
PICTURE = ({"name": "image", "datatype": "BYTES", "shape": [1, 1]}, b"\x01\x00\x00\x00x")


@pytest.mark.parametrize("given", [(FLOATS, PIXELS, PICTURE), (PIXELS, PICTURE, FLOATS)])
def test_of_several_inputs_the_tensor_counts(given):
    (item,) = oip.parse_infer(*several(*given), MODEL).items
    assert (item.name, item.data) == ("input", TENSOR)


@pytest.mark.parametrize("given", [(FLOATS, FLOATS), (PIXELS, PICTURE), (FLOATS, ({"name": "other"}, b"x"))])
def test_other_sets_of_inputs_are_refused(given):
    with pytest.raises(oip.InvalidInput):
        oip.parse_infer(*several(*given), MODEL)
    data, header = several(FLOATS, PICTURE)
    with pytest.raises(oip.InvalidInput):
        oip.parse_infer(data + b"x", header, MODEL)


def test_encoded_pictures_are_told_apart_by_their_lengths():
    binary = b"".join(struct.pack("<I", len(one)) + one for one in (b"first", b"the second"))
    request = oip.parse_infer(*body(binary, name="image", datatype="BYTES", shape=[2]), MODEL)
    assert [item.data for item in request.items] == [b"first", b"the second"]


@pytest.mark.parametrize(
    ("binary", "changes"),
    [
        (TENSOR, {"shape": [1, 3, 5, 4]}),
        (TENSOR, {"shape": [0, 3, CROP, CROP]}),
        (TENSOR, {"shape": [33, 3, CROP, CROP]}),
        (TENSOR, {"shape": ["1", 3, CROP, CROP]}),
        (TENSOR, {"shape": [1, "3", CROP, CROP]}),
        (TENSOR, {"shape": [1, 3.0, CROP, CROP]}),
        (TENSOR, {"shape": [1, [3], CROP, CROP]}),
        (TENSOR, {"shape": [True, 3, CROP, CROP]}),
        (TENSOR[:-1], {}),
        (b"\xff\xff\xff\xffx", {"name": "image", "datatype": "BYTES", "shape": [1]}),
        (b"\x01\x00\x00\x00xy", {"name": "image", "datatype": "BYTES", "shape": [1]}),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused(binary: bytes, changes: dict[str, object]):
    with pytest.raises(BadTensor):
        oip.parse_infer(*body(binary, **changes), MODEL)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"{}", "2"),
        (b"{}", None),
        (b'{"inputs":[' + b"{}," * 300 + b"{}]}", None),
        (b"[" * 100_000 + b"]" * 100_000, None),
        (b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"id":"' + b"[" * 100_000 + b'"}', None),
        (b'{"id":"' + b"\\/" * (oip_json.MOST_ESCAPES + 1) + b'"}', None),
        (b'{"inputs":[{"shape":' + b"1" * 70_000 + b"}]}", None),
        (plain_json(data=[0] * 48, parameters={"sequence_id": 7})),
        (plain_json(data=[0] * 48, parameters={"shared_memory_region": "x"})),
        (plain_json(data=[0] * 48, other=1)),
        (b"{}", "9"),
        (b"{}", "-1"),
        (b"[]", "2"),
        (b"\xff\xff", "2"),
        body(name="other"),
        body(datatype="FP16"),
        body(parameters={"binary_data_size": 1}),
        body(parameters=None),
        body(parameters={"binary_data_size": True}),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, header: str | None):
    with pytest.raises(oip.InvalidInput):
        oip.parse_infer(data, header, MODEL)


def test_an_answer_is_json_and_its_tensors_behind_it():
    logits = struct.pack("<1000f", *(float(-at) for at in range(1000)))
    indices = struct.pack("<1000i", *range(1000))
    labels = [f"label {at}" for at in range(1000)]
    answer = {"logits": logits, "softmax": logits, "indices": indices, "labels": labels}
    outputs = [oip.Output("logits", True, 0), oip.Output("indices", True, 0), oip.Output("logits", False, 2)]
    encoded, headers = oip.encode_infer(oip.InferRequest("7", [], outputs, None), [answer], MODEL)
    length = int(headers[oip.JSON_LENGTH])
    told = json.loads(encoded[:length])
    assert encoded[length:] == logits + indices
    assert told["id"] == "7"
    assert [output["parameters"] for output in told["outputs"][:2]] == [{"binary_data_size": 4000}] * 2
    assert told["outputs"][2]["data"] == ["0.0:0:label 0", "-1.0:1:label 1"]


def test_an_error_has_its_code_a_sentence_and_a_hint():
    data, status = oip.error_body(BadTensor("picture 1 holds NaN", "Look at it."))
    assert status == 400
    assert json.loads(data) == {
        "error": "Picture 1 holds NaN. Look at it.",
        "code": "BAD_TENSOR",
        "hint": "Look at it.",
    }
    assert oip.error_body(WorkerError("boom"))[1] == 500


@pytest.mark.parametrize("arrange", [list, nested])
def test_a_tensor_comes_in_json_too_flat_or_nested(arrange):
    values = [at / 7 for at in range(48)]
    request = oip.parse_infer(*plain_json(data=arrange(values)), MODEL)
    assert [item.data for item in request.items] == [struct.pack("<48f", *values)]
    pixels = {"name": "pixels", "datatype": "UINT8", "shape": [1, CROP, CROP, 3]}
    request = oip.parse_infer(*plain_json(data=arrange(list(range(48))), **pixels), MODEL)
    assert [item.data for item in request.items] == [bytes(range(48))]


def test_a_full_batch_in_json_is_read_piece_by_piece():
    values = [at / 1000 - 3 for at in range(32 * 3 * 64 * 64)]
    data, header = plain_json(data=values, shape=[32, 3, 64, 64])
    assert len(data) > 16 * oip_json._PIECE
    request = oip.parse_infer(data, header, of_size(64))
    assert b"".join(item.data for item in request.items) == struct.pack(f"<{len(values)}f", *values)


@pytest.mark.parametrize(
    "data",
    [
        "[1,2]",
        "[" + "1," * 48 + "1]",
        "[" + "1," * 47 + "NaN]",
        "[" + "1," * 47 + "null]",
        "[" + "1," * 47 + '"1"]',
        "[" + "1," * 47 + "]",
        "[" + "1," * 47 + "1 1]",
        "[1 [," + "1," * 46 + "1]]",
        "[" + "1," * 47 + "1]]",
        "[" + "1," * 47 + "1],[1]",
        "[" + "1," * 47 + "9" * 65 + "]",
        "3",
        "null",
        "{}",
    ],
)
def test_data_that_is_no_such_list_is_refused(data: str):
    head = b'{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3,4,4],"data":'
    with pytest.raises((BadTensor, oip.InvalidInput)):
        oip.parse_infer(head + data.encode() + b"}]}", None, MODEL)


@pytest.mark.parametrize("values", [[256] * 48, [-1] * 48, [1.5] * 48])
def test_pixels_are_whole_numbers_of_a_byte(values: list[float]):
    pixels = {"name": "pixels", "datatype": "UINT8", "shape": [1, CROP, CROP, 3]}
    with pytest.raises(BadTensor):
        oip.parse_infer(*plain_json(data=values, **pixels), MODEL)


@pytest.mark.parametrize("shape", [[1], [1, 1]])
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: {"b64": text}])
def test_pictures_come_in_base64(shape: list[int], wrap):
    image = {"name": "image", "datatype": "BYTES", "shape": shape}
    text = base64.b64encode(b"the picture").decode()
    for data in ([wrap(text)], [[wrap(text)]]):
        request = oip.parse_infer(*plain_json(data=data, **image), MODEL)
        assert [item.data for item in request.items] == [b"the picture"]
    with pytest.raises(BadTensor):
        oip.parse_infer(*plain_json(data=["no base64!"], **image), MODEL)
    element = struct.pack("<I", len(text)) + text.encode()
    parameters = {"binary_data_size": len(element), "content_type": "base64"}
    request = oip.parse_infer(*body(element, **image, parameters=parameters), MODEL)
    assert [item.data for item in request.items] == [b"the picture"]


def test_what_changes_nothing_is_ignored_and_null_is_absent():
    custom = {"content_type": "np", "mine": [1, {"a": None}], "sequence_id": 0}
    request = {
        "id": None,
        "model_name": "resnet101",
        "model_version": "1",
        "outputs": None,
        "parameters": custom,
    }
    data, header = plain_json(request, data=[0] * 48, parameters=None)
    asked = oip.parse_infer(data, header, MODEL)
    assert asked.id is None
    assert len(asked.outputs) == 3
    with pytest.raises(oip.InvalidInput, match="model_name"):
        oip.parse_infer(*plain_json({"model_name": "resnet18"}, data=[0] * 48), MODEL)


def test_what_stands_in_texts_counts_for_nothing():
    request = {"id": '[[[{{{,,,"\\', "parameters": {"mine": "[" * 1000 + '\\"'}}
    assert oip.parse_infer(*plain_json(request, data=[0] * 48), MODEL).id == '[[[{{{,,,"\\'


def test_a_body_is_inflated_up_to_its_limit():
    small = Body("gzip", has_binary=False)
    small.feed(gzip.compress(b"the request"))
    assert small.finish() == b"the request"
    zlibbed = Body("deflate", has_binary=False)
    zlibbed.feed(zlib.compress(b"the request"))
    assert zlibbed.finish() == b"the request"
    bomb = Body("gzip", has_binary=True)
    with pytest.raises(oip_json.TooLarge):
        bomb.feed(gzip.compress(bytes(LARGEST_BINARY + 1)))
    half = Body("gzip", has_binary=False)
    half.feed(gzip.compress(b"the request")[:-4])
    with pytest.raises(oip.InvalidInput):
        half.finish()
    with pytest.raises(oip.InvalidInput):
        Body("gzip", has_binary=False).feed(b"no gzip at all")
    with pytest.raises(UnsupportedEncoding):
        Body("br", has_binary=False)


def test_the_configuration_is_that_of_the_node_server():
    config = oip.model_config(of_size(224))
    assert config["max_batch_size"] == 32
    assert [(one["name"], one["data_type"], one["dims"], one["optional"]) for one in config["input"]] == [
        ("input", "TYPE_FP32", [3, 224, 224], False),
        ("pixels", "TYPE_UINT8", [224, 224, 3], True),
        ("image", "TYPE_STRING", [1], True),
    ]
    assert [(one["name"], one["dims"]) for one in config["output"]] == [
        ("logits", [1000]),
        ("probabilities", [1000]),
        ("indices", [1000]),
        ("embedding", [2048]),
    ]


def test_a_model_of_ones_own_has_its_name_its_classes_and_its_embedding():
    three = oip.Model("flowers", SPEC, 3, 4)
    told = oip.model_metadata(three, "resnet18", {"jpeg": "1"})
    assert told["name"] == "flowers"
    assert [one["shape"] for one in told["outputs"]] == [[-1, 3], [-1, 3], [-1, 3], [-1, 4]]
    assert told["parameters"]["spec"] == SPEC
    data, header = body()
    head = json.loads(data[: int(header)])
    head["parameters"] = {"activation": "sigmoid"}
    head["outputs"] = [{"name": name} for name in ("probabilities", "embedding")]
    text = json.dumps(head).encode()
    request = oip.parse_infer(text + TENSOR, str(len(text)), three)
    assert request.activation == "sigmoid"
    sigmoid, embedding = struct.pack("<3f", 0.25, 1, 0.5), struct.pack("<4f", 1, 2, 3, 4)
    answer = {"softmax": b"", "sigmoid": sigmoid, "embedding": embedding, "labels": ["a", "b", "c"]}
    told = json.loads(oip.encode_infer(request, [answer], three)[0])
    assert told["model_name"] == "flowers"
    assert [one["data"] for one in told["outputs"]] == [[0.25, 1, 0.5], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"activation": "relu"}},
        {"outputs": [{"name": "embedding"}]},
        {"outputs": [{"name": "logits", "parameters": {"classification": 4}}]},
        {"model_name": "resnet101"},
    ],
)
def test_what_a_model_does_not_have_is_refused(changes: dict[str, object]):
    data, header = body()
    text = json.dumps({**json.loads(data[: int(header)]), **changes}).encode()
    with pytest.raises(oip.InvalidInput):
        oip.parse_infer(text + TENSOR, str(len(text)), oip.Model("flowers", SPEC, 3, 0))
