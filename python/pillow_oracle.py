"""What Pillow and torchvision say, for the tests to compare with.

One long-lived process. A request is one line of JSON on stdin, ``{"op": str, "bytes": int, ...}``,
followed by ``bytes`` raw bytes; the reply has the same form on stdout. A failure answers ``{"error": str}``.
Only Pillow is imported at the start: NumPy and torchvision are imported by the operations that need them.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from pathlib import Path

from PIL import Image, ImageOps

warnings.simplefilter("ignore")

FILTERS = {"nearest": 0, "bilinear": 2, "bicubic": 3}


def read_pixels(request: dict, payload: bytes) -> Image.Image:
    """The RGB picture that came as ``height * width * 3`` raw bytes."""
    return Image.frombytes("RGB", (request["width"], request["height"]), payload)


def answer_picture(image: Image.Image, **more: object) -> tuple[dict, bytes]:
    """A reply that carries an RGB picture."""
    return {"width": image.width, "height": image.height, **more}, image.tobytes()


def ping(_request: dict, _payload: bytes) -> tuple[dict, bytes]:
    """The versions of Python and Pillow."""
    import PIL

    return {"python": sys.version.split()[0], "pillow": PIL.__version__}, b""


def decode(request: dict, payload: bytes) -> tuple[dict, bytes]:
    """``Image.open(file).convert("RGB")``, after ``ImageOps.exif_transpose`` where ``exif`` is ``apply``."""
    image = Image.open(io.BytesIO(payload))
    mode = image.mode
    if request.get("exif") == "apply":
        image = ImageOps.exif_transpose(image)
    return answer_picture(image.convert("RGB"), mode=mode, format=image.format)


def resize(request: dict, payload: bytes) -> tuple[dict, bytes]:
    """``Image.resize`` to ``size`` (width, height) and, where ``box`` is given, ``Image.crop`` after it."""
    image = read_pixels(request, payload)
    width, height = request["size"]
    image = image.resize((width, height), FILTERS[request["interpolation"]])
    if request.get("box"):
        image = image.crop(tuple(request["box"]))
    return answer_picture(image)


def geometry(request: dict, _payload: bytes) -> tuple[dict, bytes]:
    """Python's ``int(round((size - crop) / 2.0))`` and ``int(resize * long / short)`` for lists of sizes."""
    offsets = [round((size - request["crop"]) / 2.0) for size in request.get("sizes", [])]
    longs = [int(request["resize"] * long / short) for short, long in request.get("pairs", [])]
    return {"offsets": offsets, "longs": longs}, b""


def stages(request: dict, payload: bytes) -> tuple[dict, bytes]:
    """torchvision's own Resize, CenterCrop, ToTensor, Normalize, one blob after the other.

    The payload is a file, or raw pixels where ``width`` is given. The reply lists the length of each blob:
    resized and cropped as RGB bytes, toTensor and normalized as little-endian float32 in CHW order.
    """
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    spec = request["spec"]
    is_file = "width" not in request
    image = Image.open(io.BytesIO(payload)).convert("RGB") if is_file else read_pixels(request, payload)
    resized = transforms.Resize(spec["resize"], InterpolationMode(spec["interpolation"]))(image)
    cropped = transforms.CenterCrop(spec["crop"])(resized)
    tensor = transforms.ToTensor()(cropped)
    normalized = transforms.Normalize(spec["mean"], spec["std"])(tensor)
    blobs = {
        "resized": resized.tobytes(),
        "cropped": cropped.tobytes(),
        "toTensor": tensor.numpy().astype("<f4").tobytes(),
        "normalized": normalized.numpy().astype("<f4").tobytes(),
    }
    lengths = {name: len(blob) for name, blob in blobs.items()}
    return {"lengths": lengths, "resizedSize": list(resized.size)}, b"".join(blobs.values())


def tensor(request: dict, payload: bytes) -> tuple[dict, bytes]:
    """The same in one go: the tensor alone, little-endian float32 in CHW order."""
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    spec = request["spec"]
    is_file = "width" not in request
    image = Image.open(io.BytesIO(payload)).convert("RGB") if is_file else read_pixels(request, payload)
    preprocess = transforms.Compose(
        [
            transforms.Resize(spec["resize"], InterpolationMode(spec["interpolation"])),
            transforms.CenterCrop(spec["crop"]),
            transforms.ToTensor(),
            transforms.Normalize(spec["mean"], spec["std"]),
        ]
    )
    made = preprocess(image)
    return {"shape": list(made.shape)}, made.numpy().astype("<f4").tobytes()


def specs(_request: dict, _payload: bytes) -> tuple[dict, bytes]:
    """What the weights of every classifier of this torchvision want, each once, in a fixed order."""
    from torchvision import models

    found = {}
    for name in dir(models):
        for weights in getattr(models, name) if name.endswith("_Weights") else ():
            preset = weights.transforms()
            spec = {
                "resize": preset.resize_size[0],
                "crop": preset.crop_size[0],
                "mean": list(preset.mean),
                "std": list(preset.std),
                "interpolation": preset.interpolation.value,
            }
            found[json.dumps(spec)] = spec
    return {"specs": [found[key] for key in sorted(found)]}, b""


def attestation(request: dict, _payload: bytes) -> tuple[dict, bytes]:
    """What a worker in this environment would say of a spec."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from isotorch_worker.pictures import attest

    return {"digests": attest.attestation(request["spec"])}, b""


OPERATIONS = {f.__name__: f for f in (ping, decode, resize, geometry, stages, tensor, specs, attestation)}


def main() -> None:
    """Answer requests until stdin ends."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    while line := requests.readline():
        request = json.loads(line)
        payload = requests.read(request.get("bytes", 0))
        try:
            header, blob = OPERATIONS[request["op"]](request, payload)
        except Exception as error:  # whatever Pillow raises is the answer
            header, blob = {"error": f"{type(error).__name__}: {error}"}, b""
        replies.write(json.dumps({**header, "bytes": len(blob)}).encode() + b"\n")
        replies.write(blob)
        replies.flush()


if __name__ == "__main__":
    main()
