"""Checkpoints whose values are not what they say: bounds are seen before values, values after conversion."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.inert import Layout, Storage
from isotorch_worker.checkpoints.reader import Contents, read_contents
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch, WorkerError
from isotorch_worker.runtime.model import load_state
from isotorch_worker.runtime.precision import apply_precision

State = dict[str, object]


def small() -> nn.Module:
    """A network of every kind of parameter and buffer that a checkpoint fills."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 5)).eval()


def saved(value: object, zipped: bool = True) -> bytearray:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return bytearray(buffer.getvalue())


def load(value: object, zipped: bool = True) -> nn.Module:
    """As the worker does it, from the bytes of a file on."""
    network = small()
    load_state(network, read_contents(memoryview(saved(value, zipped))).state_dict())
    return network


def state(**changed: object) -> State:
    names = {"weight": "3.weight", "bias": "3.bias", "mean": "1.running_mean", "variance": "1.running_var"}
    names |= {"counter": "1.num_batches_tracked"}
    return {**small().state_dict(), **{names[name]: value for name, value in changed.items()}}


BIAS = torch.arange(5.0)

HOSTILE: dict[str, Callable[[], State]] = {
    "float64 beyond float32": lambda: state(bias=torch.full((5,), 1e300, dtype=torch.float64)),
    "minus float64 beyond float32": lambda: state(mean=torch.full((4,), -1e300, dtype=torch.float64)),
    "one value of many beyond float32": lambda: state(bias=torch.tensor([0, 0, 3.5e38, 0, 0]).double() * 2),
    "NaN": lambda: state(bias=BIAS * float("nan")),
    "infinity and minus infinity": lambda: state(bias=torch.tensor([float("inf"), -float("inf"), 0, 0, 0])),
    "infinity in float16": lambda: state(bias=(BIAS + 65_000).half() * 2),
    "NaN in bfloat16": lambda: state(bias=(BIAS * float("nan")).bfloat16()),
    "NaN for a counter": lambda: state(counter=torch.tensor(float("nan"))),
    "infinity for a counter": lambda: state(counter=torch.tensor(float("inf"))),
    "a negative variance": lambda: state(variance=torch.tensor([1.0, 1, -1e-3, 1])),
    "int8 weights": lambda: state(bias=BIAS.to(torch.int8)),
    "int64 weights": lambda: state(bias=BIAS.long()),
    "bool weights": lambda: state(bias=BIAS > 2),
    "bool for a counter": lambda: state(counter=torch.tensor(True)),
    "complex weights": lambda: state(bias=BIAS.to(torch.complex64)),
    "quantised weights": lambda: state(bias=torch.quantize_per_tensor(BIAS, 0.1, 0, torch.qint8)),
    "sparse weights": lambda: state(bias=BIAS.to_sparse()),
    "meta weights": lambda: state(bias=torch.empty(5, device="meta")),
    "a list for a tensor": lambda: state(bias=[1.0, 2.0]),
    "a number for a tensor": lambda: state(bias=1.0),
    "no value": lambda: state(bias=None),
    "a scalar": lambda: state(bias=torch.tensor(1.0)),
    "another shape of as many values": lambda: state(weight=torch.ones(2, 10)),
    "a counter with a dimension": lambda: state(counter=torch.tensor([1])),
    "no values": lambda: state(bias=torch.empty(0)),
    "names that are numbers": lambda: {**state(), 1: BIAS},  # pyright: ignore
    "names that are bytes": lambda: {**state(), b"3.bias": BIAS},  # pyright: ignore
    "names that are tuples": lambda: {**state(), ("3", "bias"): BIAS},  # pyright: ignore
    "two state dicts in a dict": lambda: {"state_dict": state(), "model_ema": state()},
    "a state dict in forty dicts": lambda: nested(40),
    "a state dict in four hundred dicts": lambda: nested(400),
    "nothing": dict,
    "a megabyte for a name": lambda: {**state(), "\x1b]0;owned\x07" + "k" * 2**20: BIAS},
}


def nested(depth: int) -> State:
    value: State = state()
    for _ in range(depth):
        value = {"model": value}
    return value


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore")  # of torch, while it makes them
def test_what_is_no_state_dict_of_finite_numbers_is_refused_by_its_code(name, zipped):
    try:
        value = saved(HOSTILE[name](), zipped)
    except Exception as error:  # some versions of torch cannot save it in the older way
        assert not zipped, error
        return
    with pytest.raises((CheckpointCorrupt, CheckpointMismatch)) as caught:
        load_state(small(), read_contents(memoryview(value)).state_dict())
    assert len(caught.value.message) < 700
    assert "\x1b" not in caught.value.message


def test_without_what_is_wrong_with_it_such_a_state_dict_is_loaded():
    loaded = load(state(bias=BIAS.double(), counter=torch.tensor(7.0), mean=torch.ones(4).half()))
    assert torch.equal(loaded[3].bias, BIAS)
    assert int(loaded[1].num_batches_tracked) == 7
    assert torch.equal(load(OrderedDict(state(bias=BIAS)))[3].bias, BIAS)
    # Values as large as float32 has them, whose sum it has not.
    largest = torch.full((5,), torch.finfo(torch.float32).max)
    assert torch.equal(load(state(bias=largest))[3].bias, largest)


def test_a_state_that_came_past_the_reader_is_looked_at_all_the_same():
    for value in (
        torch.quantize_per_tensor(BIAS, 0.1, 0, torch.qint8),
        BIAS.to_sparse(),
        torch.empty(5, device="meta"),
        BIAS.to(torch.complex64),
        BIAS.int(),
    ):
        with pytest.raises(CheckpointMismatch, match=r"in 3\.bias, expected plain numbers"):
            load_state(small(), {**small().state_dict(), "3.bias": value})
    for odd in ({3: BIAS}, {"3.bias": 1.0}):
        with pytest.raises(CheckpointMismatch, match="not a state dict"):
            load_state(small(), {**small().state_dict(), **odd})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((1000,), (1,), 0), ((5,), (0,), 0), ((), (), 0), ((0,), (1,), 1), ((2, 2), (1, 1), 0), ((1,), (9,), 0)],
)
def test_an_empty_storage_gives_no_values_whatever_a_description_claims(size, stride, offset):
    # As if what the pickle says had not been compared: the memory that there is has the last word.
    layout = Layout(Storage("float32", "0", 0), offset, size, stride)
    from isotorch_worker.checkpoints.archive import Record

    contents = Contents(memoryview(b"\0" * 8), {"a": layout}, {"0": Record(0, 0)}, False)
    with pytest.raises(CheckpointCorrupt, match="reaches beyond its values"):
        contents.state_dict()


def test_what_is_damaged_is_called_damaged_and_what_is_no_plain_tensor_is_called_that():
    data = saved({"a": torch.zeros(4)})
    at = data.index(b"K\x04\x85")  # the size of the tensor
    data[at + 1] = 5
    with pytest.raises(CheckpointCorrupt, match="cut short or damaged: it has a tensor that reaches beyond"):
        read_contents(memoryview(data), checksums=False)
    with pytest.raises(CheckpointMismatch, match=r"has a quantised tensor in 3\.bias, expected plain"):
        load(state(bias=torch.quantize_per_tensor(BIAS, 0.1, 0, torch.qint8)))


def test_a_weight_that_is_too_large_for_a_precision_is_a_mismatch():
    network = torchvision.models.resnet18(weights=None).eval()
    with torch.no_grad():
        network.bn1.weight[0] = 3e38
        network.conv1.weight[0] = 1e3
    for precision in ("fused", "bf16"):
        with pytest.raises(CheckpointMismatch, match=r"beyond float32 with BatchNorm folded"):
            apply_precision(network, precision, torch.device("cpu"), 32)
    half = torchvision.models.resnet18(weights=None).eval()
    with torch.no_grad():
        half.fc.bias[0] = 1e6
    from isotorch_worker.runtime.precision import _Lowered

    with pytest.raises(CheckpointMismatch, match=r"fc\.bias that are beyond float16"):
        _Lowered(half, torch.float16, torch.device("cpu"))


REFUSED: list[tuple[object, str]] = [
    ({"state_dict": {"fc.bias": torch.zeros(1)}}, "CHECKPOINT_MISMATCH"),
    ([torch.zeros(1)], "CHECKPOINT_MISMATCH"),
    (b"no checkpoint", "CHECKPOINT_CORRUPT"),
]
# One process for all of them: torch is imported once.
REFERENCE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[2] / "python")!r})
import parity_reference
for path in sys.argv[1:]:
    sys.argv[1:] = ["--model", "shufflenet_v2_x0_5", "--checkpoint", path]
    status = parity_reference.main()
    if status != 65:
        sys.exit(status)
sys.exit(status)
"""


def test_the_other_side_of_the_ladder_refuses_by_the_same_codes(tmp_path):
    paths = [tmp_path / f"{number}.pth" for number in range(len(REFUSED))]
    for path, (value, _) in zip(paths, REFUSED):
        path.write_bytes(value if isinstance(value, bytes) else bytes(saved(value)))
    command = [sys.executable, "-W", "ignore", "-c", REFERENCE, *map(str, paths)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (65, "")
    answers = done.stdout.splitlines()
    assert [json.loads(line)["fatal"]["code"] for line in answers] == [code for _, code in REFUSED]
    assert "Traceback" not in done.stdout
    assert all(len(line) < 500 for line in answers)


def test_foreign_text_in_messages_is_short_and_moves_no_cursor():
    assert brief("a\x1b[2J\n\u202eb\u2028c\x9b\ud800\u200dd") == (
        "a\\u001b[2J\\n\\u202eb\\u2028c\\u009b\\ud800\u200dd"
    )
    long = brief("start" + "x" * 2**20 + "end")
    assert (len(long), long[:5], long[-3:]) == (200, "start", "end")
    assert len(brief("\x1b" * 2**20)) == 200
    assert brief("x" * 200) == "x" * 200
    error = WorkerError("a\x1bb " + "k" * 5_000, "c\x1bd")
    assert error.message.startswith("a\\u001bb kkk")
    assert len(error.message) < 250
    assert error.hint == "c\\u001bd"
