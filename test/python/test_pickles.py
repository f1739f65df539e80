"""The machine that reads pickles: it makes data and keeps names, and cannot be made to run or to work on."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from isotorch_worker.checkpoints.candidates import choose
from isotorch_worker.checkpoints.inert import Dead, Layout, Name, OddTensor, OtherKey
from isotorch_worker.checkpoints.operations import MOST_OPERATIONS
from isotorch_worker.checkpoints.pickles import MOST_BYTES, unpickled
from isotorch_worker.protocol.errors import CheckpointMismatch


def value(program: bytes) -> object:
    made, length = unpickled(memoryview(program))
    assert length == len(program)
    return made


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


class Payload:
    """Creates a directory when it is unpickled, in each of the ways there are."""

    def __init__(self, way: str, marker: str) -> None:
        self.way = way
        self.marker = marker

    def __reduce__(self):
        ways = {
            "call": (os.mkdir, (self.marker,)),
            "eval": (eval, (f"__import__('os').mkdir({self.marker!r})",)),
            "exec": (exec, (f"import os; os.mkdir({self.marker!r})",)),
            "items": (os.mkdir, (self.marker,), None, iter([1, 2]), iter([("a", 1)])),
            "state": (Payload, ("call", self.marker), {"__dict__": 1, "__class__": os.system}),
        }
        return ways[self.way]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("way", ["call", "eval", "exec", "items", "state"])
def test_what_a_pickle_calls_is_kept_by_its_name_and_does_not_run(tmp_path, way, protocol):
    marker = tmp_path / "executed"
    before = set(sys.modules)
    made = value(pickle.dumps([Payload(way, str(marker))], protocol))
    assert isinstance(made, list)
    assert isinstance(made[0], Dead)
    assert made[0].arguments[-1 if way != "state" else 1]
    assert not marker.exists()
    assert set(sys.modules) == before


def test_no_module_that_a_pickle_names_is_imported():
    for module in ("antigravity", "this", "turtledemo"):
        assert module not in sys.modules
        made = value(b"\x80\x02c" + module.encode() + b"\nname\n)R.")
        assert isinstance(made, Dead)
        assert str(made.name) == f"{module}.name"
        assert module not in sys.modules


def test_plain_data_of_every_protocol_is_what_it_was():
    plain = [
        {"a": [1, -1, 255, 65_535, 2**31 - 1, -(2**31), 2**62, 2**200, 0.5, 1e300, None, True, False]},
        ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        ["", "ä€😀", "x" * 300, "line\nline", "\ud800"],
    ]
    for protocol in range(1, pickle.HIGHEST_PROTOCOL + 1):
        for program in (pickle.dumps(plain, protocol), pickletools.optimize(pickle.dumps(plain, protocol))):
            assert value(program) == plain, protocol


def test_bytes_sets_and_big_values_are_kept():
    made = value(pickle.dumps([b"raw", b"x" * 300, bytearray(b"more"), {1}, frozenset("a")], 5))
    assert isinstance(made, list)
    assert made[:3] == [b"raw", b"x" * 300, b"more"]
    assert [(str(one.name), one.members) for one in made[3:]] == [
        ("builtins.set", [1]),
        ("builtins.frozenset", ["a"]),
    ]


def test_pickles_of_python_2_are_read():
    # pickle.dumps({"a": u"b", "c": [1L, 2]}, 2), its OrderedDict with items, and an old-style instance.
    assert value(b"\x80\x02}q\1(U\1aq\2X\1\0\0\0bq\3U\1cq\4]q\5(\x8a\1\1K\2eu.") == {"a": "b", "c": [1, 2]}
    ordered = b"\x80\x02ccollections\nOrderedDict\n](](U\1aK\1e](U\1bK\2ee\x85R."
    assert value(ordered) == {"a": 1, "b": 2}
    for program in (b"(c__main__\nOld\nK\1o}U\1aK\2sb.", b"(K\1i__main__\nOld\n}U\1aK\2sb."):
        made = value(program)
        assert isinstance(made, Dead)
        assert (str(made.name), made.arguments, made.state) == ("__main__.Old", (1,), {"a": 2})
    assert value(b"\x80\x02U\2\xff\xfe.") == "\xff\xfe"


def test_keys_that_are_no_text_are_kept_and_never_hashed():
    made = value(pickle.dumps({1: "a", (2, 3): "b", None: "c", "d": 4}, 2))
    assert isinstance(made, dict)
    assert [key.value for key in made if isinstance(key, OtherKey)] == [1, (2, 3), None]
    assert list(made)[3:] == ["d"]


def test_circles_are_read():
    endless: list[object] = []
    endless.append(endless)
    made = value(pickle.dumps(endless, 2))
    assert isinstance(made, list)
    assert made[0] is made
    table: dict[str, object] = {"a": (endless,)}
    table["self"] = table
    with pytest.raises(CheckpointMismatch, match="not a state dict"):
        choose(value(pickle.dumps(table, 4)))
    recursive = ([],)
    recursive[0].append(recursive)
    assert isinstance(value(pickle.dumps(recursive, 2)), tuple)


REFUSED = {
    "DUP": b"\x80\x02K\0002.",
    "PERSID": b"P0\n.",
    "STRING": b"S'a'\n.",
    "UNICODE": b"Va\n.",
    "EXT1": b"\x80\x02\x82\1.",
    "EXT2": b"\x80\x02\x83\1\0.",
    "EXT4": b"\x80\x02\x84\1\0\0\0.",
    "LONG4": b"\x80\x02\x8b\1\0\0\0\1.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "READONLY_BUFFER": b"\x80\x05\x97\x98.",
}


def test_every_operation_of_pickle_is_either_read_or_refused_by_name():
    for operation in pickletools.opcodes:
        program = REFUSED.get(operation.name, b"\x80\x02" + operation.code.encode("latin-1"))
        try:
            unpickled(memoryview(program))
        except ValueError as error:
            named = f"{operation.name.replace('READONLY', 'NEXT')}, which torch.save never writes"
            assert (named in str(error)) == (operation.name in REFUSED), (operation.name, error)


DAMAGED = {
    "nothing": b"",
    "no end": b"\x80\x02}",
    "an unknown operation": b"\x80\x02\xff.",
    "an unknown protocol": b"\x80\x06}.",
    "two values": b"\x80\x02}}.",
    "a mark at the end": b"\x80\x02(}.",
    "no mark": b"\x80\x02}u.",
    "a value from below a mark": b"\x80\x02}(0}a.",
    "a key without a value": b"\x80\x02}(X\1\0\0\0au.",
    "a name twice": b"\x80\x02}(X\1\0\0\0aNX\1\0\0\0aNu.",
    "items of a number": b"\x80\x02K\1(NNu.",
    "an append to a dict": b"\x80\x02}Na.",
    "a state for a number": b"\x80\x02K\1}b.",
    "a call of a number": b"\x80\x02K\1)R.",
    "a call without a tuple": b"\x80\x02ca\nb\nNR.",
    "an object of a number": b"\x80\x02K\1)\x81.",
    "a name of numbers": b"\x80\x04K\1K\2\x93.",
    "no text": b"\x80\x02X\1\0\0\0\xff.",
    "a reference to nothing": b"\x80\x02NQ.",
    "a reference to something else": b"\x80\x02(X\1\0\0\0aNNNNtQ.",
    "a number of a million digits": b"I" + b"9" * 10**6 + b"\n.",
    "a long of a million digits": b"L" + b"9" * 10**6 + b"L\n.",
    "a name of a megabyte": b"c" + b"a" * 2**20 + b"\nb\n.",
    "a memo entry of many digits": b"\x80\x02}p" + b"9" * 300 + b"\n.",
    "a memo entry that none counts": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a tensor of nothing": b"\x80\x02ctorch._utils\n_rebuild_tensor\n(NK\0))tR.",
    "a tensor with too little": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "sizes that are a text": b"\x80\x02ctorch\nSize\nX\1\0\0\0a\x85R.",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_pickle_is_refused(name):
    with pytest.raises((ValueError, TypeError, IndexError)) as caught:
        unpickled(memoryview(DAMAGED[name]))
    assert not isinstance(caught.value, RecursionError)


def shared(make: bytes, start: bytes = b")", depth: int = 60) -> bytes:
    """Each level twice in the next: 2^depth values for whoever walks them all."""
    return start + b"".join(b"q" + bytes([level]) + make % (b"h" + bytes([level])) for level in range(depth))


ATTACKS: dict[str, Callable[[], bytes]] = {
    "too many operations": lambda: b"\x80\x02" + b"N0" * 600_000 + b"N.",
    "nested lists": lambda: b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested tuples": lambda: b"\x80\x02)" + b"\x85" * 200_000 + b".",
    "nested dicts": lambda: b"\x80\x02" + (b"}" + text("a")) * 60_000 + b"N" + b"s" * 60_000 + b".",
    "nested objects": lambda: b"\x80\x02ca\nb\nq\0)\x81" + b"h\0)\x81" * 60_000 + b"b" * 60_000 + b".",
    "nested calls": lambda: b"\x80\x02ca\nb\n" + b")R" * 100_000 + b".",
    "tuples that take for ever to hash": lambda: b"\x80\x02}" + shared(b"%s\x86") + b"Ns.",
    "tuples that take for ever to compare": lambda: (
        b"\x80\x02(X\7\0\0\0storage" + shared(b"%s\x86") + b"X\1\0\0\0aNNtQ."
    ),
    "a class that takes for ever to hash": lambda: (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(N" + shared(b"%s\x86") + b")NtR."
    ),
    "numbers that all hash alike": lambda: (
        b"\x80\x02}(" + b"".join(pickle.dumps(n * (2**61 - 1), 2)[2:-1] + b"N" for n in range(50_000)) + b"u."
    ),
    "memo entries that all hash alike": lambda: (
        b"\x80\x02N" + b"".join(b"p%d\n" % (n * (2**61 - 1)) for n in range(100_000)) + b"."
    ),
    "one list for many dicts": lambda: (
        b"\x80\x02]q\0("
        + b"".join(text(str(n)) + b"N\x86" for n in range(2_000))
        + b"e0ccollections\nOrderedDict\nq\1"
        + b"0h\1h\0\x85R" * 100_000
        + b"."
    ),
    "long texts for names": lambda: (
        b"\x80\x04"
        + text("m" * 2**20)
        + b"q\0"
        + text("n" * 2**20)
        + b"q\1"
        + b"00h\0h\1\x93" * 100_000
        + b"."
    ),
    "types in types": lambda: (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\0ctorch\nTensor\nq\1)q\2000"
        + b"h\0h\1h\2\x87q\0020" * 100_000
        + b"h\0h\2R."
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_in_a_moment_and_takes_little_memory(attack):
    program = ATTACKS[attack]()
    tracemalloc.start()
    try:
        made, _ = unpickled(memoryview(program))
        choose(made)
    except (ValueError, TypeError, RecursionError, CheckpointMismatch) as error:
        assert len(str(error)) < 1000
    else:
        raise AssertionError("there is no state dict in it")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20


def test_the_most_operations_are_read_and_one_more_is_not():
    most = MOST_OPERATIONS - 3
    assert len(value(b"](" + b"N" * (most - 1) + b"e.")) == most - 1  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"more than {MOST_OPERATIONS} operations"):
        value(b"](" + b"N" * (most + 1) + b"e.")


def test_a_pickle_that_is_too_long_is_called_that_and_not_damaged():
    program = bytearray(b"\x80\x02B" + struct.pack("<I", MOST_BYTES) + bytes(MOST_BYTES) + b".")
    with pytest.raises(CheckpointMismatch, match="more than 64 MiB beside its tensors"):
        unpickled(memoryview(program))


TENSOR = (
    b"ctorch._utils\n%s\n((X\7\0\0\0storagec%s\n%s\nX\1\0\0\0kX\3\0\0\0cpuK\4tQK\0K\2\x85K\1\x85\x89}%stR"
)


def tensor(
    function: bytes = b"_rebuild_tensor_v2",
    module: bytes = b"torch",
    storage: bytes = b"FloatStorage",
    more: bytes = b"",
) -> object:
    return value(b"\x80\x02" + TENSOR % (function, module, storage, more) + b".")


def test_tensors_are_described_with_type_shape_and_place():
    plain = tensor()
    assert isinstance(plain, Layout)
    assert (plain.dtype, plain.shape, plain.stride, plain.offset) == ("float32", (2,), (1,), 0)
    assert tensor(module=b"torch.cuda", storage=b"HalfStorage") == plain._replace(
        storage=plain.storage._replace(dtype="float16")
    )


def test_tensors_that_are_not_stored_as_they_are_and_newer_types_are_odd():
    assert tensor(more=b"}X\3\0\0\0neg\x88s") == OddTensor("a tensor whose values are not stored as they are")
    assert tensor(more=b"}") == tensor()
    newer = tensor(b"_rebuild_tensor_v3", b"torch.storage", b"UntypedStorage", b"ctorch\nfloat8_e4m3fn\n")
    assert newer == OddTensor("a tensor of torch.float8_e4m3fn")
    assert tensor(storage=b"QInt8Storage") == OddTensor("a quantised tensor")


def test_a_view_of_a_storage_begins_where_it_does():
    old = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0kX\3\0\0\0cpuK\x08"
        b"X\1\0\0\0vK%cK\4\x87tQK\1K\2\x85K\1\x85tR."
    )
    made = value(old % 3)
    assert isinstance(made, Layout)
    assert (made.offset, made.end(), made.storage.items) == (4, 6, 8)
    with pytest.raises(ValueError, match="view that reaches beyond its storage"):
        value(old % 5)


def test_parameters_of_old_versions_are_tensors():
    for name in (b"torch.nn.parameter\nParameter", b"torch.autograd.variable\nVariable"):
        program = b"\x80\x02c" + name + b"\n" + TENSOR % (b"_rebuild_tensor", b"torch", b"FloatStorage", b"")
        made = value(program + b"\x85R(\x88\x89}tb.")
        assert isinstance(made, Layout)


def test_names_are_kept_apart_and_shown_together():
    assert str(Name("os", "system")) == "os.system"
