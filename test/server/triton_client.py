"""Triton's own client against a running server: ``triton_client.py URL TOKEN FOLDER WORKER_PID``.

FOLDER holds what the local classifier answered, made by ``scripts/test-triton.mjs``. Ends with 1 at the first
difference.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

URL, TOKEN, FOLDER, WORKER = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
IMAGES = sorted(Path("examples/images").iterdir())
MODEL = "resnet101"

client = triton.InferenceServerClient(URL.removeprefix("http://"), network_timeout=60.0)


def check(what: str, holds: bool) -> None:
    print(f"{'ok' if holds else 'FAILED'}  {what}", flush=True)
    if not holds:
        sys.exit(1)


def floats(name: str, kind: str) -> np.ndarray:
    return np.fromfile(FOLDER / f"{name}.{kind}", dtype="<f4")


def tensor_input(array: np.ndarray, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput("input", list(array.shape), "FP32")
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def infer(inputs: list, outputs: list | None = None, **options: object) -> triton.InferResult:
    return client.infer(MODEL, inputs, outputs=outputs, headers=dict(HEADERS), **options)


def same_bits(ours: np.ndarray, expected: np.ndarray) -> bool:
    return ours.dtype == np.float32 and ours.tobytes() == expected.tobytes()


def refused(ask: Callable[[], object], status: str, words: str) -> bool:
    try:
        ask()
    except InferenceServerException as error:
        return error.status() == status and words in error.message()
    return False


def metadata() -> None:
    check("live and ready", client.is_server_live() and client.is_server_ready())
    check("model ready", client.is_model_ready(MODEL, headers=HEADERS))
    server = client.get_server_metadata(headers=HEADERS)
    check("server metadata", server["name"] == "isotorch" and "binary_tensor_data" in server["extensions"])
    model = client.get_model_metadata(MODEL, model_version="1", headers=HEADERS)
    check("model metadata", [entry["name"] for entry in model["inputs"]] == ["input", "pixels", "image"])


def bits() -> None:
    for image in IMAGES:
        tensor = floats(image.name, "tensor").reshape(1, 3, 224, 224)
        for binary in (True, False):
            result = infer([tensor_input(tensor, binary)])
            how = "binary" if binary else "JSON"
            logits, probabilities = result.as_numpy("logits")[0], result.as_numpy("probabilities")[0]
            check(f"{image.name}: logits, {how}", same_bits(logits, floats(image.name, "logits")))
            expected = floats(image.name, "probabilities")
            check(f"{image.name}: probabilities, {how}", same_bits(probabilities, expected))
    tensors = np.stack([floats(image.name, "tensor").reshape(3, 224, 224) for image in IMAGES])
    expected = np.stack([floats(image.name, "logits") for image in IMAGES])
    batch = infer([tensor_input(tensors)], request_id="batch-1")
    check("a batch, in its order", same_bits(batch.as_numpy("logits"), expected))
    check("the request's id comes back", batch.get_response()["id"] == "batch-1")
    encoded = triton.InferInput("image", [len(IMAGES)], "BYTES")
    encoded.set_data_from_numpy(np.array([image.read_bytes() for image in IMAGES], dtype=object))
    check("encoded pictures", same_bits(infer([encoded]).as_numpy("logits"), expected))


def classification() -> None:
    image = IMAGES[0]
    tensor = tensor_input(floats(image.name, "tensor").reshape(1, 3, 224, 224))
    top = json.loads((FOLDER / f"{image.name}.json").read_text())
    for binary in (True, False):
        output = triton.InferRequestedOutput("probabilities", class_count=5, binary_data=binary)
        rows = infer([tensor], [output]).as_numpy("probabilities")[0]
        texts = [row.decode() if isinstance(row, bytes) else row for row in rows]
        parts = [text.split(":", 2) for text in texts]
        check(
            f"classification, {'binary' if binary else 'JSON'}",
            [(float(score), int(index), label) for score, index, label in parts]
            == [(entry["score"], entry["index"], entry["label"]) for entry in top],
        )


def extensions() -> None:
    config = client.get_model_config(MODEL, headers=HEADERS)
    check("configuration", config["max_batch_size"] == 32 and config["input"][0]["dims"] == [3, 224, 224])
    (model,) = client.get_inference_statistics(MODEL, headers=HEADERS)["model_stats"]
    check(
        "statistics",
        model["inference_count"] >= len(IMAGES) and model["inference_stats"]["fail"]["count"] == 0,
    )
    image = IMAGES[0]
    tensor = tensor_input(floats(image.name, "tensor").reshape(1, 3, 224, 224))
    expected = floats(image.name, "logits")
    for algorithm in ("gzip", "deflate"):
        both = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}
        check(f"{algorithm}, both ways", same_bits(infer([tensor], **both).as_numpy("logits")[0], expected))
    check("parameters", same_bits(infer([tensor], parameters={"trace": "x"}).as_numpy("logits")[0], expected))
    column = triton.InferInput("image", [len(IMAGES), 1], "BYTES")
    column.set_data_from_numpy(np.array([[one.read_bytes()] for one in IMAGES], dtype=object))
    check("a column of pictures", infer([column]).as_numpy("logits").shape == (len(IMAGES), 1000))


def errors() -> None:
    tensor = floats(IMAGES[0].name, "tensor").reshape(1, 3, 224, 224)
    good = tensor_input(tensor)
    wrong = triton.InferInput("inptu", [1, 3, 224, 224], "FP32")
    wrong.set_data_from_numpy(tensor)
    check("an unknown input", refused(lambda: infer([wrong]), "400", "Did you mean input"))
    small = tensor_input(np.zeros((1, 3, 2, 2), np.float32))
    check("another shape", refused(lambda: infer([small]), "400", "expected"))
    output = [triton.InferRequestedOutput("nothing")]
    check("an unknown output", refused(lambda: infer([good], output), "400", "There is no output"))
    nan = tensor_input(np.full((1, 3, 224, 224), np.nan, np.float32))
    check("NaN", refused(lambda: infer([nan]), "400", "tensor"))
    check("a sequence", refused(lambda: infer([good], sequence_id=3), "400", "sequence_id"))
    check("a deadline that is over", refused(lambda: infer([good], timeout=1000), "504", "within"))
    check("no token", refused(lambda: client.infer(MODEL, [good]), "401", "token"))
    other = "resnet18"
    check("another model", refused(lambda: client.get_model_metadata(other, headers=HEADERS), "404", MODEL))


def death() -> None:
    os.kill(WORKER, signal.SIGKILL)
    killed = time.monotonic()
    while client.is_server_ready() and time.monotonic() - killed < 5:
        time.sleep(0.01)
    seconds = time.monotonic() - killed
    check(f"not ready {seconds:.2f} s after the worker's death", seconds < 1)
    model_is_ready = client.is_model_ready(MODEL, headers=HEADERS)
    check("nor the model, but live", not model_is_ready and client.is_server_live())
    while not client.is_server_ready() and time.monotonic() - killed < 60:
        time.sleep(0.1)
    check(f"ready again after {time.monotonic() - killed:.1f} s", client.is_server_ready())
    tensor = floats(IMAGES[0].name, "tensor").reshape(1, 3, 224, 224)
    logits = infer([tensor_input(tensor)]).as_numpy("logits")[0]
    check("the new worker's logits", same_bits(logits, floats(IMAGES[0].name, "logits")))


metadata()
bits()
classification()
extensions()
errors()
death()
client.close()
