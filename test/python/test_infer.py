"""Pictures and tensors that are refused, and answers that are the tutorial's bit for bit."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision import transforms

from isotorch_worker.pictures import picture
from isotorch_worker.pictures.transforms import tensor_from_encoded, tensor_from_pixels
from isotorch_worker.protocol.errors import (
    BadTensor,
    DecodeFailed,
    DeviceUnavailable,
    InputTooLarge,
    InvalidOption,
    NonFiniteOutput,
    UnsupportedFormat,
    UnsupportedMode,
    WorkerError,
)
from isotorch_worker.runtime.device import is_out_of_memory, select_device
from isotorch_worker.runtime.model import categories, load_checkpoint, transforms_spec
from isotorch_worker.runtime.precision import apply_precision
from isotorch_worker.runtime.threads import set_threads
from isotorch_worker.tasks.image_classification import infer

CPU = torch.device("cpu")
SPEC = transforms_spec("IMAGENET1K_V1")


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", b"%PDF-1.7", b"%!PS-Adobe", b"8BPS" + bytes(40)])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(UnsupportedFormat):
        picture.decode_picture(data)


def test_a_bomb_is_refused_from_its_header():
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputTooLarge, match="196000000 pixels, more than 178956970") as caught:
        picture.decode_picture(png_header(14000, 14000) + b"\x00\x00\x10\x00IDAT" + bytes(100))
    assert "limits.pixels" in (caught.value.hint or "")
    for limit in (4_999, 4_998):
        with pytest.raises(InputTooLarge, match=f"5000 pixels, more than {limit}"):
            picture.decode_picture(encoded(Image.new("1", (100, 50)), "PNG"), max_pixels=limit)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("limit", [5_000, 5_001, 10**12])
def test_the_largest_allowed_picture_is_decoded(limit):
    data = encoded(Image.new("1", (100, 50)), "PNG")
    assert picture.decode_picture(data, max_pixels=limit).size == (100, 50)


@pytest.mark.parametrize("head", [b"II\0*\0\0\0\x08", b"MM\0+" + bytes(12), b"Pf 3", b"RIFF\0\0\0\0WEBPVP8 "])
def test_the_header_of_a_picture_that_ends_early_is_damage(head):
    with pytest.raises(DecodeFailed):
        picture.decode_picture(head)


def test_a_truncated_picture_is_refused_at_every_length(jpeg):
    for length in range(1, len(jpeg) - 2, max(1, len(jpeg) // 100)):
        with pytest.raises((DecodeFailed, UnsupportedFormat)):
            picture.decode_picture(jpeg[:length])


def test_damage_gives_a_picture_or_an_error_of_ours(jpeg):
    rng = np.random.default_rng(1)
    png = encoded(Image.open(io.BytesIO(jpeg)), "PNG")
    for original in (jpeg, png):
        for _ in range(100):
            damaged = bytearray(original)
            damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
            try:
                picture.decode_picture(damaged)
            except WorkerError as error:
                assert error.code in ("DECODE_FAILED", "UNSUPPORTED_FORMAT", "INPUT_TOO_LARGE")


def test_strict_refuses_what_is_not_rgb(jpeg):
    with pytest.raises(UnsupportedMode, match="mode CMYK"):
        picture.decode_picture(encoded(Image.new("CMYK", (4, 4)), "JPEG"), mode="strict")
    assert picture.decode_picture(jpeg, mode="strict").mode == "RGB"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_tensor_that_is_not_finite_is_refused_and_named(bad):
    batch = np.zeros((3, 3, 2, 2), np.float32)
    batch[1, 2, 0, 1] = bad
    with pytest.raises(BadTensor, match="picture 2 of 3"):
        infer.tensor_from_floats(bytearray(batch.tobytes()), batch.shape)


def test_logits_that_are_not_finite_are_refused():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4))
    torch.nn.init.ones_(network[1].weight)
    with pytest.raises(NonFiniteOutput, match="picture 1 of 2"):
        infer.forward(network, torch.full((2, 3, 2, 2), 3e38), CPU)


def test_running_out_of_memory_is_told_apart():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("something else"))


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(InvalidOption, match="received tpu"):
        select_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceUnavailable) as caught:
            select_device("cuda:0")
        assert caught.value.hint
        device, name, reason = select_device("auto")
        assert (device.type, name) == ("cpu", "cpu")
        assert reason


def test_fp16_needs_a_gpu(network):
    with pytest.raises(InvalidOption, match="fp16"):
        apply_precision(network, "fp16", CPU)


@pytest.fixture(scope="module")
def network(resnet18):
    set_threads(2)
    return load_checkpoint(resnet18, None, "resnet18")


def tutorial(network: torch.nn.Module, data: bytes):
    preprocess = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    batch = torch.unsqueeze(preprocess(Image.open(io.BytesIO(data)).convert("RGB")), 0)
    with torch.no_grad():
        out = network(batch)
    percentage = torch.nn.functional.softmax(out, dim=1)[0] * 100
    _, indices = torch.sort(out, descending=True)
    return batch, out, percentage, indices


def test_all_three_handoffs_give_the_tutorials_bits(network, jpeg):
    batch, out, percentage, indices = tutorial(network, jpeg)
    crop = transforms.CenterCrop(224)(transforms.Resize(256)(picture.decode_picture(jpeg)))
    tensors = [
        infer.tensor_from_floats(bytearray(batch.numpy().tobytes()), tuple(batch.shape)),
        tensor_from_pixels(torch.from_numpy(np.array(crop)).unsqueeze(0), SPEC),
        tensor_from_encoded(jpeg, SPEC),
    ]
    for tensor in tensors:
        assert torch.equal(tensor, batch)
    logits = infer.forward(network, tensors[1], CPU)
    assert torch.equal(logits, out)
    output = infer.output(1000)(logits)
    for count in (0, 1, 5, 1000):
        ranking = infer.ranking(output, "softmax", count)
        assert torch.equal(ranking.indices[0], indices[0][: count or 1000])
        assert torch.equal(ranking.percentages[0], percentage[ranking.indices[0]])
        assert torch.equal(ranking.scores * 100, ranking.percentages)


def test_ties_are_ordered_as_the_tutorial_orders_them_in_every_row():
    generator = torch.Generator().manual_seed(4)
    logits = torch.randint(0, 5, (6, 1000), generator=generator).float()
    ranking = infer.ranking(infer.output(1000)(logits), "softmax", 0)
    for row in range(6):
        out = logits[row : row + 1]
        assert torch.equal(ranking.indices[row], torch.sort(out, descending=True)[1][0])
        assert torch.equal(ranking.probabilities[row], torch.nn.functional.softmax(out, dim=1)[0])


def test_sigmoid_is_torchs_in_the_order_of_the_logits():
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(4)) * 4
    ranking = infer.ranking(infer.output(7)(logits), "sigmoid", 2)
    assert torch.equal(ranking.probabilities, torch.sigmoid(logits))
    assert torch.equal(ranking.indices, torch.sort(logits, descending=True)[1][:, :2])
    assert torch.equal(ranking.scores, torch.sigmoid(logits).gather(1, ranking.indices))
    assert torch.equal(ranking.percentages, ranking.scores * 100)


def test_every_pixel_value_is_normalised_to_torchvisions_bits():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    expected = transforms.Normalize(SPEC["mean"], SPEC["std"])(
        transforms.ToTensor()(Image.fromarray(ramp[0]))
    )
    assert torch.equal(tensor_from_pixels(torch.from_numpy(ramp), SPEC)[0], expected)


@pytest.mark.parametrize(
    ("format_", "mode"),
    [
        ("BMP", "RGB"),
        ("GIF", "P"),
        ("TIFF", "CMYK"),
        ("PPM", "L"),
        ("PNG", "I;16"),
        ("ICO", "RGBA"),
        ("JPEG", "CMYK"),
    ],
)
def test_decoded_pixels_are_pillows(format_, mode, jpeg):
    original = Image.open(io.BytesIO(jpeg)).resize((48, 48))
    if mode == "I;16":
        # Made by hand: no version of Pillow converts to it, and Pillow 13 no longer writes mode I as PNG.
        image = Image.fromarray(np.asarray(original.convert("L"), np.uint16) * 257)
    else:
        image = original.convert(mode)
    data = encoded(image, format_)
    expected = Image.open(io.BytesIO(data)).convert("RGB")
    decoded = picture.decode_picture(data)
    pixels, shape = decoded.tobytes(), (decoded.height, decoded.width, 3)
    assert shape == (expected.height, expected.width, 3)
    assert pixels == expected.tobytes()


def test_orientation_and_colour_profile_are_applied_on_request_only(jpeg):
    from PIL import ImageCms, ImageOps

    image = Image.open(io.BytesIO(jpeg))
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(image, "PNG", exif=exif, icc_profile=profile)
    assert picture.decode_picture(data).size == image.size
    upright = picture.decode_picture(data, exif="apply", icc="to-srgb")
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert upright.size == expected.size == image.size[::-1]
    assert np.abs(np.asarray(upright, int) - np.asarray(expected, int)).max() <= 1
    broken = encoded(image, "PNG", icc_profile=b"no profile")
    assert picture.decode_picture(broken, icc="to-srgb").tobytes() == image.tobytes()


@pytest.mark.parametrize(("precision", "tolerance"), [("fused", 0.01), ("bf16", 2.0)])
def test_faster_precisions_stay_close_and_leave_the_network_alone(network, jpeg, precision, tolerance):
    batch, out, _, _ = tutorial(network, jpeg)
    fast = apply_precision(network, precision, CPU)
    logits = infer.forward(fast, batch, CPU)
    assert logits.dtype == torch.float32
    assert float((logits - out).abs().max()) < tolerance
    assert torch.equal(infer.forward(network, batch, CPU), out)
    assert apply_precision(network, "exact", CPU) is network


def test_categories_and_specs_come_from_torchvision():
    weights = torchvision.models.ResNet101_Weights.IMAGENET1K_V2
    assert categories("IMAGENET1K_V1")[207] == "golden retriever"
    assert len(categories("IMAGENET1K_V2")) == 1000
    assert transforms_spec("IMAGENET1K_V2")["resize"] == weights.transforms().resize_size[0] == 232
