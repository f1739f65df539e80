"""A machine for pickles that can make data and nothing else: it imports nothing and runs nothing of theirs.

It is no filter in front of Python's unpickler: there is no unpickler. What each operation means is here, and
none means more than to put a value on a stack. Nor can a short pickle take much memory or time: each
operation takes of both as much as it is long, nothing is hashed but text, and no function calls itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from isotorch_worker.checkpoints.inert import (
    ORDERED,
    Dead,
    Layout,
    Name,
    Names,
    OddTensor,
    Storage,
    called,
    put,
    reference,
)
from isotorch_worker.checkpoints.operations import MOST_OPERATIONS, EndsEarlyError, operations
from isotorch_worker.protocol.errors import CheckpointMismatch

MOST_BYTES = 64 * 1024 * 1024
"""Of a pickle. Tensors lie outside of it; arrays of NumPy's in it."""


def unpickled(data: memoryview, storages: dict[str, Storage] | None = None) -> tuple[Any, int]:
    """The value of the pickle at the start of ``data``, and its length; ``storages`` gets those it refers to.

    Tensors are ``Layout``s or ``OddTensor``s, dicts have text and ``OtherKey``s for keys, other objects are
    ``Dead``. Raises CheckpointMismatch for one that is too long, and ValueError and whatever damaged bytes
    make of it. Imports no torch.
    """
    machine = _Machine(bytes(data[:MOST_BYTES]), {} if storages is None else storages)
    try:
        return machine.run()
    except EndsEarlyError:
        if len(data) <= MOST_BYTES:
            raise
        raise CheckpointMismatch(
            f"the checkpoint has more than {MOST_BYTES >> 20} MiB beside its tensors",
            "save the network alone with torch.save(model.state_dict(), path)",
        ) from None


class _Machine:
    def __init__(self, program: bytes, storages: dict[str, Storage]) -> None:
        self._program = program
        self._storages = storages
        self._stack: list[Any] = []
        # Where in the stack the marks are; none of its values is taken past one.
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._copied = 0

    def run(self) -> tuple[Any, int]:
        length = 0
        for name, argument, end in operations(self._program):
            _ACTIONS[name](self, argument)
            length = end
        if len(self._stack) != 1 or self._marks:
            raise ValueError("its pickle has more than one value")
        return self._stack[0], length

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        self._need(1)
        return self._stack.pop()

    def top(self) -> Any:
        self._need(1)
        return self._stack[-1]

    def last(self, count: int) -> tuple[Any, ...]:
        self._need(count)
        taken = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        return taken

    def mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def marked(self) -> list[Any]:
        """What stands above the last mark, which goes."""
        if not self._marks:
            raise ValueError("its pickle has no mark")
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def discard(self, _: object) -> None:
        # Python's own unpicklers take a mark by it, too.
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self.pop()

    def remember(self, index: int | None) -> None:
        # A pickler counts its entries, from 0 or from 1; any other number could take long to hash.
        if index is not None and not 0 <= index <= len(self._memo) + 1:
            raise ValueError(f"its pickle has the memo entry {index} after {len(self._memo)}")
        self._memo[len(self._memo) if index is None else index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self._memo:
            raise ValueError(f"its pickle has no memo entry {index}")
        self.push(self._memo[index])

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            cast("list[Any]", target).extend(items)
        elif isinstance(target, Dead):
            target.members = [] if target.members is None else target.members
            target.members.extend(items)
        else:
            raise ValueError("it appends to what is no list")

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Dead):
            target.table = {} if target.table is None else target.table
            target = target.table
        if not isinstance(target, dict):
            raise ValueError("it sets items of what is no dict")
        _fill(cast("dict[Any, Any]", target), items)

    def build(self, state: Any) -> None:
        target = self.top()
        if isinstance(target, (Names, Dead)):
            target.state = state
        elif not isinstance(target, (Layout, OddTensor, dict)):
            raise ValueError("it gives a state to what has none")

    def call(self, count: int) -> None:
        """Of a function with its arguments; of a class with those and with named ones, which are 3."""
        function, arguments, *named = self.last(count)
        if function == ORDERED:
            self._copy(arguments)
        made = called(function, arguments)
        if named and isinstance(made, Dead):
            made.arguments = (arguments, *named)
        self.push(made)

    def instance(self, name: tuple[str, str] | None) -> None:
        """An object of Python 2's older kind of class."""
        taken = self.marked()
        function: Any = taken.pop(0) if name is None else Name(*name)
        self.push(called(function, tuple(taken)))

    def named(self, _: object) -> None:
        module, name = self.last(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("it has a name that is no text")
        self.push(Name(module, name))

    def refer(self, _: object) -> None:
        self.push(reference(self.pop(), self._storages))

    def _copy(self, arguments: Any) -> None:
        """Python 2 gave an OrderedDict its items: they are copied, and one list may be given many times."""
        for items in arguments if isinstance(arguments, tuple) else ():
            self._copied += len(items) if isinstance(items, list) else 0
        if self._copied > MOST_OPERATIONS:
            raise ValueError("its pickle makes the same dict again and again")

    def _need(self, count: int) -> None:
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise ValueError("its pickle takes more than there is")


def _fill(table: dict[Any, Any], items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("it has a key without a value")
    for key, value in zip(items[::2], items[1::2]):
        put(table, key, value)
    return table


def _dead(name: str, members: list[Any]) -> Dead:
    dead = Dead(Name("builtins", name), ())
    dead.members = members
    return dead


_Action = Callable[[_Machine, Any], None]
_PUSHES = (
    "BININT BININT1 BININT2 LONG1 INT LONG BINFLOAT FLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINSTRING "
    "SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 NONE"
)
_ACTIONS: dict[str, _Action] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda *_: None),
    **dict.fromkeys(_PUSHES.split(), _Machine.push),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.recall),
    **dict.fromkeys(("INST", "OBJ"), _Machine.instance),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": _Machine.mark,
    "POP": _Machine.discard,
    "POP_MARK": lambda machine, _: cast("None", machine.marked()),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.push(machine.last(1)),
    "TUPLE2": lambda machine, _: machine.push(machine.last(2)),
    "TUPLE3": lambda machine, _: machine.push(machine.last(3)),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.marked()),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.marked()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": lambda machine, _: machine.push(_fill({}, machine.marked())),
    "SETITEM": lambda machine, _: machine.set_items(list(machine.last(2))),
    "SETITEMS": lambda machine, _: machine.set_items(machine.marked()),
    "EMPTY_SET": lambda machine, _: machine.push(_dead("set", [])),
    "ADDITEMS": lambda machine, _: machine.append(machine.marked()),
    "FROZENSET": lambda machine, _: machine.push(_dead("frozenset", machine.marked())),
    "GLOBAL": lambda machine, name: machine.push(Name(*name)),
    "STACK_GLOBAL": _Machine.named,
    "REDUCE": lambda machine, _: machine.call(2),
    "NEWOBJ": lambda machine, _: machine.call(2),
    "NEWOBJ_EX": lambda machine, _: machine.call(3),
    "BUILD": lambda machine, _: machine.build(machine.pop()),
    "BINPERSID": _Machine.refer,
}
