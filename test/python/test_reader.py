"""The reader of checkpoints: every memory layout that torch.save writes, and archives that lie."""

from __future__ import annotations

import copy
import io
import pickle
import random
import struct
import sys
import tracemalloc
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch
from isotorch_worker.runtime.model import load_state
from isotorch_worker.runtime.threads import set_threads


def saved(value: object, **options: object) -> bytearray:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, buffer, **options)
    return bytearray(buffer.getvalue())


def read(data: bytes | bytearray) -> dict[str, Tensor]:
    return dict(read_contents(memoryview(bytearray(data))).state_dict())


# --- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_every_dtype_and_layout_is_read_as_it_was_saved(zipped):
    shared = torch.randn(4, 4)
    values = {
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(5).bfloat16(),
        "double": torch.randn(2, 3).double(),
        "long": torch.arange(7),
        "int": torch.arange(7, dtype=torch.int32),
        "short": torch.arange(-3, 4, dtype=torch.int16),
        "char": torch.arange(-3, 4, dtype=torch.int8),
        "byte": torch.arange(7, dtype=torch.uint8),
        "flag": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "part": shared[1:, ::2],
        "turned": shared.t(),
        "whole": shared,
        "one for all": torch.ones(1).expand(3, 5),
        "parameter": nn.Parameter(torch.randn(2)),
        "frozen": nn.Parameter(torch.randn(2), requires_grad=False),
    }
    found = read(saved(values, _use_new_zipfile_serialization=zipped))
    assert list(found) == list(values)
    for name, value in values.items():
        assert (found[name].dtype, found[name].stride()) == (value.dtype, value.stride()), name
        assert torch.equal(found[name], value.detach()), name
    assert found["part"].data_ptr() == found["whole"].data_ptr() + 4 * 4


def test_a_newer_protocol_of_pickle_is_read_too():
    state = OrderedDict(a=torch.arange(3.0), b=torch.ones(2))
    for protocol in (2, 3, 4):
        assert torch.equal(read(saved(state, pickle_protocol=protocol))["a"], state["a"]), protocol


def test_the_versions_of_modules_are_kept_and_no_other_state():
    state = nn.BatchNorm2d(2).state_dict()
    state._metadata[""]["more"] = "anything"
    state.note = "anything"
    contents = read_contents(memoryview(saved(state))).state_dict()
    assert vars(contents) == {"_metadata": {"": {"version": 2}}}


def test_values_of_the_other_order_of_bytes_are_turned():
    order = {"little": "big", "big": "little"}[sys.byteorder]
    values = {"a": torch.randn(3, 2), "b": torch.tensor([True]), "c": torch.arange(5), "d": torch.empty(0)}
    whole = zipfile.ZipFile(io.BytesIO(saved(values)))
    sizes = {"/data/0": 4, "/data/1": 1, "/data/2": 8, "/data/3": 4}
    swapped = io.BytesIO()
    with zipfile.ZipFile(swapped, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            for end, item in sizes.items():
                if name.endswith(end):
                    content = b"".join(content[i : i + item][::-1] for i in range(0, len(content), item))
            if not name.endswith("byteorder"):
                archive.writestr(name, content)
        archive.writestr(f"{name.partition('/')[0]}/byteorder", order)
    found = read(swapped.getvalue())
    for name, value in values.items():
        assert torch.equal(found[name], value), name


def test_an_archive_that_another_program_packed_is_read_though_nothing_in_it_is_aligned():
    values = {"a": torch.randn(5).double(), "b": torch.randn(3)}
    whole = zipfile.ZipFile(io.BytesIO(saved(values)))
    for padding in range(1, 5):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name in whole.namelist():
                archive.writestr(name.replace("archive/", "a" * padding + "/"), whole.read(name))
        found = read(packed.getvalue())
        assert all(torch.equal(found[name], value) for name, value in values.items())
        assert all(value.data_ptr() % value.element_size() == 0 for value in found.values())


# --- layouts never reach the network ------------------------------------------------------------------------


def scattered(dice: random.Random, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same state, in memory as somebody's training script may have left it."""
    return {name: relaid(dice, value) for name, value in state.items()}


def relaid(dice: random.Random, value: Tensor) -> Tensor:
    dtype = value.dtype
    if dtype == torch.float32:
        dtype = dice.choice([torch.float32] * 3 + [torch.float16, torch.bfloat16, torch.float64])
    order = dice.sample(range(value.dim()), value.dim())
    steps = [dice.choice([1, 1, 2]) for _ in order]
    margin = dice.choice([0, 0, 1, 3, 17])
    sizes = [value.shape[axis] * step for axis, step in zip(order, steps)]
    count = 1
    for size in sizes:
        count *= size
    room = torch.zeros(margin + count, dtype=dtype)[margin:].reshape(sizes)
    room = room[tuple(slice(None, None, step) for step in steps)]
    room = room.permute([order.index(axis) for axis in range(value.dim())])
    return room.copy_(value)


@pytest.fixture(scope="module")
def fresh() -> nn.Module:
    """A network of every layer that resnet101 has, by its names, and narrow: layouts matter, not sizes."""
    set_threads(2)
    torch.manual_seed(5)
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 16, 7, 2, 3, bias=False)),
        ("bn1", nn.BatchNorm2d(16)),
        ("relu", nn.ReLU()),
        ("maxpool", nn.MaxPool2d(3, 2, 1)),
        ("layer1", bottlenecks(16, 4, 1)),
        ("layer2", bottlenecks(16, 8, 2)),
        ("avgpool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("fc", nn.Linear(32, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))


def bottlenecks(channels: int, planes: int, stride: int) -> nn.Module:
    downsample = nn.Sequential(
        nn.Conv2d(channels, planes * 4, 1, stride, bias=False), nn.BatchNorm2d(planes * 4)
    )
    return nn.Sequential(Bottleneck(channels, planes, stride, downsample), Bottleneck(planes * 4, planes))


@pytest.fixture(scope="module")
def small(fresh) -> dict[str, Tensor]:
    """Its state, with running statistics that are not 0 and 1."""
    network = copy.deepcopy(fresh)
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
    return network.state_dict()


@pytest.mark.parametrize("seed", range(30))
def test_any_layout_gives_the_bits_of_plain_pytorch(fresh, small, seed):
    dice = random.Random(seed)
    state = scattered(dice, small)
    if seed % 3 == 0:
        state = {
            name: value.to(memory_format=torch.channels_last) if value.dim() == 4 else value
            for name, value in state.items()
        }
    if seed % 4 == 1:  # two names, one storage
        both = torch.cat([state["layer1.0.bn1.weight"].float(), state["layer1.0.bn1.bias"].float()])
        state["layer1.0.bn1.weight"], state["layer1.0.bn1.bias"] = both[:4], both[4:]
    if seed % 5 == 2:
        state["bn1.weight"] = state["bn1.weight"][:1].expand(16)
    if seed % 4 == 2:
        state = {name: value for name, value in state.items() if "num_batches" not in name}
    data = saved(OrderedDict(state), _use_new_zipfile_serialization=seed % 7 != 3)
    theirs = copy.deepcopy(fresh)
    theirs.load_state_dict(torch.load(io.BytesIO(data)))
    ours = copy.deepcopy(fresh)
    load_state(ours, read(data))
    for (name, expected), actual in zip(theirs.state_dict().items(), ours.state_dict().values()):
        assert (actual.dtype, actual.stride()) == (expected.dtype, expected.stride()), name
        assert torch.equal(actual, expected), name
    batch = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        assert torch.equal(theirs.eval()(batch), ours.eval()(batch))


def test_a_counter_that_the_file_does_not_have_stays_at_zero():
    network = nn.Sequential(nn.BatchNorm2d(3))
    values = {f"0.{name}": torch.ones(3) for name in ("weight", "bias", "running_mean", "running_var")}
    load_state(network, values)
    assert int(network[0].num_batches_tracked) == 0


# --- archives that lie --------------------------------------------------------------------------------------


def packed(program: bytes, *storages: bytes, **more: bytes) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for index, content in enumerate(storages):
            archive.writestr(f"archive/data/{index}", content)
        for name, content in more.items():
            archive.writestr(f"archive/{name}", content)
    return bytearray(buffer.getvalue())


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    offset: int = 0,
    size: bytes = numbers(2),
    stride: bytes = numbers(1),
    count: int = 4,
    kind: str = "FloatStorage",
    key: str = "0",
) -> bytes:
    storage = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu")
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    hooks = b"ccollections\nOrderedDict\n)R"
    return (
        rebuild
        + b"("
        + storage
        + number(count)
        + b"tQ"
        + number(offset)
        + size
        + stride
        + b"\x89"
        + hooks
        + b"tR"
    )


def program(value: bytes) -> bytes:
    """A pickle of one tensor named a."""
    return b"\x80\x02}(" + text("a") + value + b"u."


SIXTEEN = bytes(16)
LIES: dict[str, Callable[[], bytearray]] = {
    "a memo of gigabytes": lambda: packed(b"\x80\x02}r\0\0\0\1.", SIXTEEN),
    "memo entry that is not there": lambda: packed(b"\x80\x02h\x07.", SIXTEEN),
    "a text of four gigabytes": lambda: packed(b"\x80\x02X\xff\xff\xff\xffab.", SIXTEEN),
    "bytes of eight exabytes": lambda: packed(b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", SIXTEEN),
    "tuples in tuples": lambda: packed(b"\x80\x02)" + b"\x85" * 200_000 + b".", SIXTEEN),
    "lists in lists": lambda: packed(b"\x80\x02" + b"](" * 100_000 + b"e" * 100_000 + b".", SIXTEEN),
    "marks": lambda: packed(b"\x80\x02" + b"(" * 2_000_000 + b".", SIXTEEN),
    "a key that takes for ever to hash": lambda: packed(b"\x80\x02})" + b"q\1h\1\x86" * 32 + b"Ns.", SIXTEEN),
    "a number of a megabyte": lambda: packed(b"\x80\x02\x8b\0\0\x10\0" + b"\1" * 2**20 + b".", SIXTEEN),
    "no pickle": lambda: packed(b"", SIXTEEN),
    "no end": lambda: packed(program(tensor())[:-1], SIXTEEN),
    "nothing on the stack": lambda: packed(b"\x80\x02.", SIXTEEN),
    "a state for a name": lambda: packed(b"\x80\x02ctorch\nFloatStorage\n}b.", SIXTEEN),
    "a state for the class of dicts": lambda: packed(
        b"\x80\x02ccollections\nOrderedDict\nN}" + text("x") + b"K\1s\x86b."
    ),
    "a call of a name": lambda: packed(b"\x80\x02ctorch\nFloatStorage\n)R.", SIXTEEN),
    "an object": lambda: packed(b"\x80\x02ccollections\nOrderedDict\n)\x81.", SIXTEEN),
    "a name of this package": lambda: packed(b"\x80\x02cisotorch_worker.inert\n_MEANING\n.", SIXTEEN),
    "an offset beyond the end": lambda: packed(program(tensor(offset=3)), SIXTEEN),
    "a negative offset": lambda: packed(program(tensor(offset=-1)), SIXTEEN),
    "a size beyond the end": lambda: packed(program(tensor(size=numbers(5))), SIXTEEN),
    "a stride beyond the end": lambda: packed(program(tensor(stride=numbers(4))), SIXTEEN),
    "a negative stride": lambda: packed(program(tensor(offset=3, stride=numbers(-1))), SIXTEEN),
    "a negative size": lambda: packed(program(tensor(size=numbers(-1))), SIXTEEN),
    "sizes whose product is 2^64": lambda: packed(
        program(tensor(size=numbers(2**32, 2**32), stride=numbers(0, 0))), SIXTEEN
    ),
    "a size of 2^63": lambda: packed(program(tensor(size=numbers(2**63), stride=numbers(0))), SIXTEEN),
    "a size that is true": lambda: packed(program(tensor(size=b"\x88\x85")), SIXTEEN),
    "a size that is 1.5": lambda: packed(program(tensor(size=b"G?\xf8\0\0\0\0\0\0\x85")), SIXTEEN),
    "more strides than sizes": lambda: packed(program(tensor(stride=numbers(1, 1))), SIXTEEN),
    "a hundred dimensions": lambda: packed(
        program(tensor(size=numbers(*[1] * 100), stride=numbers(*[1] * 100))), SIXTEEN
    ),
    "a record that is too short": lambda: packed(program(tensor()), bytes(12)),
    "a record that is too long": lambda: packed(program(tensor()), bytes(20)),
    "no record": lambda: packed(program(tensor(key="7")), SIXTEEN),
    "a record outside data": lambda: packed(program(tensor(key="../data.pkl")), SIXTEEN),
    "a count of 2^62": lambda: packed(program(tensor(count=2**62)), SIXTEEN),
    "a negative count": lambda: packed(program(tensor(count=-4)), SIXTEEN),
    "an unknown kind of storage": lambda: packed(program(tensor(kind="QInt8Storage")), SIXTEEN),
    "two kinds for one record": lambda: packed(
        b"\x80\x02}(" + text("a") + tensor() + text("b") + tensor(kind="IntStorage") + b"u.", SIXTEEN
    ),
    "an unknown order of bytes": lambda: packed(program(tensor()), SIXTEEN, byteorder=b"middle"),
    "the local header of another record": lambda: changed(b"archive/data/0", b"archive/data/1"),
    "a local header that says compressed": lambda: changed(b"\x14\0\0\0\0\0", b"\x14\0\0\0\x08\0"),
    "a local header that says encrypted": lambda: changed(b"\x14\0\0\0\0\0", b"\x14\0\1\0\0\0"),
    "a local header with another size": lambda: changed(b"\x10\0\0\0\x10\0\0\0", b"\x10\0\0\0\x11\0\0\0"),
    "a record beyond the end": lambda: far_away(),
    "two records in one place": lambda: in_one_place(),
    "a record twice": lambda: twice(),
    "a directory of forty megabytes": lambda: of_many(),
}


def changed(before: bytes, after: bytes) -> bytearray:
    """A local header (the first mention, before the directory's) of a sound archive, changed."""
    data = packed(program(tensor()), SIXTEEN)
    at = data.index(b"PK\3\4", 4)
    start = data.index(before, at)
    data[start : start + len(before)] = after
    return data


def places(data: bytearray) -> dict[str, int]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {entry.filename.rpartition("/")[2]: entry.header_offset for entry in archive.infolist()}


def moved(data: bytearray, name: str, place: int) -> bytearray:
    """In the directory, record ``name`` begins at ``place``."""
    at = data.rindex(places(data)[name].to_bytes(4, "little"))
    data[at : at + 4] = place.to_bytes(4, "little")
    return data


def far_away() -> bytearray:
    return moved(packed(program(tensor()), SIXTEEN), "0", 2**31)


def in_one_place() -> bytearray:
    data = packed(program(tensor()), SIXTEEN, SIXTEEN)
    return moved(data, "1", places(data)["0"])


def twice() -> bytearray:
    buffer = io.BytesIO(packed(program(tensor()), SIXTEEN))
    with zipfile.ZipFile(buffer, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("archive/data/0", bytes(16))
    return bytearray(buffer.getvalue())


def of_many() -> bytearray:
    data = packed(program(tensor()), SIXTEEN)
    at = data.rindex(b"PK\5\6")
    entry = data[data.index(b"PK\1\2") : at]
    directory = bytes(entry) * (40 * 2**20 // len(entry))
    tail = struct.pack("<4s4xHHIIH", b"PK\5\6", 65535, 65535, len(directory), data.index(b"PK\1\2"), 0)
    return data[: data.index(b"PK\1\2")] + directory + tail


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_in_a_moment_and_takes_no_memory(lie):
    data = LIES[lie]()
    tracemalloc.start()
    with pytest.raises((CheckpointCorrupt, CheckpointMismatch)) as caught:
        read_contents(memoryview(data), checksums=False).state_dict()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(caught.value.message) < 400
    assert peak < 100 * 2**20


@pytest.mark.parametrize("what", ["an offset", "a size", "a stride"])
def test_a_tensor_beyond_its_storage_is_refused_before_any_memory_is_looked_at(what):
    with pytest.raises(CheckpointCorrupt):
        read_contents(memoryview(LIES[f"{what} beyond the end"]()), checksums=False)


def test_without_its_lie_such_an_archive_is_read():
    values = struct.pack("<4f", 1, 2, 3, 4)
    found = read(packed(program(tensor(offset=1, size=numbers(2, 2), stride=numbers(1, 1))), values))
    assert found["a"].tolist() == [[2, 3], [3, 4]]


def test_what_a_lie_says_of_this_process_changes_nothing_in_it():
    for state in (b"}" + text("call") + b"Ns", b"N}" + text("call") + b"Ns\x86"):
        for target in (b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n", tensor()):
            data = packed(b"\x80\x02" + target + state + b"b.", SIXTEEN)
            with pytest.raises((CheckpointCorrupt, CheckpointMismatch)):
                read_contents(memoryview(data)).state_dict()
    assert torch.equal(read(saved({"a": torch.ones(2)}))["a"], torch.ones(2))


@pytest.mark.parametrize("count", [3, 5, -1, 2**62])
def test_a_legacy_file_whose_count_lies_is_refused(count):
    data = saved({"a": torch.zeros(4)}, _use_new_zipfile_serialization=False)
    data[-24:-16] = struct.pack("<q", count)
    with pytest.raises(CheckpointCorrupt, match="cut short or damaged"):
        read_contents(memoryview(data))


def test_a_legacy_file_that_ends_early_is_refused_wherever_it_does():
    data = saved({"a": torch.zeros(4)}, _use_new_zipfile_serialization=False)
    for length in range(1, len(data)):
        with pytest.raises(CheckpointCorrupt):
            read_contents(memoryview(data)[:length])
