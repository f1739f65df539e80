"""The Open Inference Protocol in Python: what is refused, and what an answer looks like to the byte."""

from __future__ import annotations

import json
import struct

import pytest

from isotorch_worker import oip
from isotorch_worker.errors import BadTensor, WorkerError

CROP = 4
TENSOR = struct.pack("<48f", *range(48))


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


def test_a_request_is_its_pictures_its_outputs_and_its_patience():
    request = oip.parse_infer(*body(TENSOR * 2, shape=[2, 3, CROP, CROP]), CROP)
    assert request.id == "7"
    assert request.timeout_ms == 2000
    assert [(item.name, item.data, item.shape) for item in request.items] == [
        ("input", TENSOR, (1, 3, CROP, CROP))
    ] * 2
    assert [output.name for output in request.outputs] == ["logits", "probabilities", "indices"]


def test_encoded_pictures_are_told_apart_by_their_lengths():
    binary = b"".join(struct.pack("<I", len(one)) + one for one in (b"first", b"the second"))
    request = oip.parse_infer(*body(binary, name="image", datatype="BYTES", shape=[2]), CROP)
    assert [item.data for item in request.items] == [b"first", b"the second"]


@pytest.mark.parametrize(
    ("binary", "changes"),
    [
        (TENSOR, {"shape": [1, 3, 5, 4]}),
        (TENSOR, {"shape": [0, 3, CROP, CROP]}),
        (TENSOR, {"shape": [33, 3, CROP, CROP]}),
        (TENSOR, {"shape": ["1", 3, CROP, CROP]}),
        (TENSOR[:-1], {}),
        (b"\xff\xff\xff\xffx", {"name": "image", "datatype": "BYTES", "shape": [1]}),
        (b"\x01\x00\x00\x00xy", {"name": "image", "datatype": "BYTES", "shape": [1]}),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused(binary: bytes, changes: dict[str, object]):
    with pytest.raises(BadTensor):
        oip.parse_infer(*body(binary, **changes), CROP)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"{}", "2"),
        (b"{}", None),
        (b"{}", "9"),
        (b"{}", "-1"),
        (b"[]", "2"),
        (b"\xff\xff", "2"),
        body(name="other"),
        body(datatype="FP16"),
        body(parameters={"binary_data_size": 1}),
        body(parameters=None),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, header: str | None):
    with pytest.raises(oip.InvalidInput):
        oip.parse_infer(data, header, CROP)


def test_an_answer_is_json_and_its_tensors_behind_it():
    logits = struct.pack("<1000f", *(float(-at) for at in range(1000)))
    indices = struct.pack("<1000i", *range(1000))
    labels = [f"label {at}" for at in range(1000)]
    answer = {"logits": logits, "probabilities": logits, "indices": indices, "labels": labels}
    outputs = [oip.Output("logits", True, 0), oip.Output("indices", True, 0), oip.Output("logits", False, 2)]
    encoded, headers = oip.encode_infer(oip.InferRequest("7", [], outputs, None), [answer])
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
