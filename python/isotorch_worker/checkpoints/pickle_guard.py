"""What a pickle may say before any unpickler sees it: short, and without a way to take memory or time.

An unpickler that imports nothing runs no code of the file's, but it can still be made to reserve gigabytes
(by the number of one memo entry), or to hash for hours (by a key of tuples in tuples).
"""

from __future__ import annotations

import pickle
import pickletools

# A network of torchvision's with its optimiser's state has some thirty thousand.
MOST_OPERATIONS = 1_000_000
MOST_BYTES = 16 * 1024 * 1024
_DEEPEST = 64
_MARK = -1

_SCALARS = {
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINSTRING",
    "SHORT_BINSTRING",
    "BINBYTES",
    "SHORT_BINBYTES",
}
# How many values each takes from the stack, to put back one; None is down to the mark.
_MADE_OF: dict[str, int | None] = {
    "EMPTY_TUPLE": 0,
    "EMPTY_LIST": 0,
    "EMPTY_DICT": 0,
    "GLOBAL": 0,
    "STACK_GLOBAL": 2,
    "TUPLE1": 1,
    "TUPLE2": 2,
    "TUPLE3": 3,
    "TUPLE": None,
    "LIST": None,
    "BINPERSID": 1,
    "REDUCE": 2,
    "BUILD": 2,
    "APPEND": 2,
}
_GETS = {"BINGET", "LONG_BINGET"}
_PUTS = {"BINPUT", "LONG_BINPUT"}


class _Scan:
    """The stack of an unpickler, with how deep each value is nested in place of the value: 0 is a scalar."""

    def __init__(self) -> None:
        self.stack: list[int] = []
        self.memo: dict[int, int] = {}

    def take(self, name: str, argument: object) -> None:
        """One operation. Raises UnpicklingError for one that torch.save writes for no state dict."""
        if name in _SCALARS:
            self.stack.append(0)
        elif name in _MADE_OF:
            self._make(_MADE_OF[name])
        elif name in _PUTS or name == "MEMOIZE":
            self._put(argument if isinstance(argument, int) else len(self.memo))
        elif name in _GETS and isinstance(argument, int):
            if argument not in self.memo:
                raise pickle.UnpicklingError(f"there is no memo entry {argument}")
            self.stack.append(self.memo[argument])
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name == "APPENDS":
            self._add(self._down_to_mark())
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._down_to_mark() if name == "SETITEMS" else self._pop(2))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise pickle.UnpicklingError(f"the pickle has the operation {name}")

    def _make(self, count: int | None) -> None:
        taken = self._down_to_mark() if count is None else self._pop(count)
        self.stack.append(self._around(taken))

    def _put(self, index: int) -> None:
        # A pickler counts its entries; an unpickler makes room for as many as the number says.
        if not 0 <= index <= len(self.memo) + 1:
            raise pickle.UnpicklingError(f"the memo entry {index} after {len(self.memo)}")
        (self.memo[index],) = self._pop(1)
        self.stack.append(self.memo[index])

    def _set(self, items: list[int]) -> None:
        if any(items[::2]) or len(items) % 2:
            raise pickle.UnpicklingError("a key that is no scalar")
        self._add(items)

    def _add(self, items: list[int]) -> None:
        (container,) = self._pop(1)
        self.stack.append(max(container, self._around(items)))

    def _around(self, items: list[int]) -> int:
        depth = 1 + max(items, default=0)
        if depth > _DEEPEST:
            raise pickle.UnpicklingError("values are nested too deeply")
        return depth

    def _pop(self, count: int) -> list[int]:
        taken = self.stack[len(self.stack) - count :] if count else []
        if len(taken) < count or _MARK in taken:
            raise pickle.UnpicklingError("there is too little on the stack")
        del self.stack[len(self.stack) - count :]
        return taken

    def _down_to_mark(self) -> list[int]:
        taken: list[int] = []
        while self.stack:
            value = self.stack.pop()
            if value == _MARK:
                return taken[::-1]
            taken.append(value)
        raise pickle.UnpicklingError("there is no mark on the stack")


def check_pickle(data: bytes) -> int:
    """How many bytes the pickle at the start of ``data`` has. Imports nothing and makes none of its values.

    Raises UnpicklingError for one that an unpickler should not see, ValueError for one that is damaged.
    """
    scan = _Scan()
    end = 0
    for count, (operation, argument, position) in enumerate(pickletools.genops(data), 1):
        if count > MOST_OPERATIONS:
            raise pickle.UnpicklingError(f"the pickle has more than {MOST_OPERATIONS} operations")
        scan.take(operation.name, argument)
        end = 1 + (position or 0)
    return end
