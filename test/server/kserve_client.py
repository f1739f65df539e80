"""KServe's own REST client against a running server: ``kserve_client.py URL TOKEN FOLDER WORKER_PID``.

FOLDER holds what the local classifier answered, made by ``scripts/test-triton.mjs``. Ends with 1 at the first
difference.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig

URL, TOKEN, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
IMAGES = sorted(Path("examples/images").iterdir())
MODEL = "resnet101"


def check(what: str, holds: bool) -> None:
    print(f"{'ok' if holds else 'FAILED'}  KServe: {what}", flush=True)
    if not holds:
        sys.exit(1)


def floats(name: str, kind: str) -> np.ndarray:
    return np.fromfile(FOLDER / f"{name}.{kind}", dtype="<f4")


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0, timeout=60))
    check("live", await client.is_server_live(URL, headers=HEADERS))
    check("ready", await client.is_server_ready(URL, headers=HEADERS))
    check("model ready", await client.is_model_ready(URL, MODEL, headers=HEADERS))
    for image in IMAGES:
        for binary in (False, True):
            tensor = InferInput("input", [1, 3, 224, 224], "FP32")
            tensor.set_data_from_numpy(
                floats(image.name, "tensor").reshape(1, 3, 224, 224), binary_data=binary
            )
            request = InferRequest(model_name=MODEL, infer_inputs=[tensor])
            answer = await client.infer(URL, request, model_name=MODEL, headers=dict(HEADERS))
            outputs = {output.name: output.as_numpy() for output in answer.outputs}
            how = "binary" if binary else "JSON"
            same = np.asarray(outputs["logits"], "<f4").tobytes() == floats(image.name, "logits").tobytes()
            check(f"{image.name}: logits, {how}", same)


asyncio.run(main())
