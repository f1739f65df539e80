"""Which state dicts a checkpoint has, and which of them is meant.

A training script saves more than a network: an optimiser, a second network that is an average of the first,
the numbers of an epoch. A state dict is a dict of names whose values are tensors, for the most part, or a
network that was saved whole. What else stands in it is kept by name, to be told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.inert import FLOATS, Dead, Layout, Name, Names, OddTensor, OtherKey
from isotorch_worker.checkpoints.modules import ModuleWalk, is_module
from isotorch_worker.checkpoints.recognise import SAVE_AGAIN
from isotorch_worker.protocol.errors import CheckpointMismatch, InvalidOption

_MOST_LEVELS = 4
_MOST = 100
_LONGEST_KEY = 200
_SHOWN = 6
_BRIEF = 40
# A buffer of torch.optim.swa_utils.AveragedModel, beside the network in it.
_AVERAGED = "n_averaged"
_NOTHING: dict[Any, Any] = {}
_PLAIN: dict[type, str] = {
    bool: "true or false",
    bytes: "bytes",
    float: "a number",
    int: "a number",
    str: "a text",
}


@dataclass(frozen=True)
class Candidate:
    """A state dict in a checkpoint."""

    key: str
    """Where it is, such as ``model_ema`` or ``checkpoint.model``; empty for the whole file."""
    names: Mapping[str, Layout]
    metadata: Mapping[str, Mapping[str, int | None]] | None
    """The versions of its modules, by their names; None where the file has none: a network that was saved
    whole, or in safetensors."""
    beside: Mapping[str, str]
    """What is no tensor of the network, such as ``epoch`` or ``n_averaged``: names, and what each is."""
    odd: Mapping[str, str]
    """Tensors that are not read: names, and what each is."""
    keys: tuple[str, ...]
    """Everywhere that the very same dict is, ``key`` first."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The size of each tensor by name."""
        return {name: layout.shape for name, layout in self.names.items()}


def candidates(value: object) -> list[Candidate]:
    """The state dicts in what a checkpoint says, those nearest to the top first.

    They are looked for at the top, under the texts that are keys of dicts, and in the attributes of objects,
    four levels deep. An optimiser's is none. Raises CheckpointMismatch for more than a hundred.
    """
    walk = ModuleWalk()
    found: list[tuple[list[str], object, dict[str, Any]]] = []
    keys: dict[int, list[str]] = {}
    for path, one in _inside(value):
        table = _table(one)
        if id(table) in keys:
            # Empty for what is no state dict.
            if 0 < len(keys[id(table)]) < _MOST:
                keys[id(table)].append(_joined(path))
            continue
        keys[id(table)] = []
        names = walk.names(one) if is_module(one) else table
        if _is_state(names, path is None or is_module(one)):
            keys[id(table)].append(_joined(path))
            found.append((keys[id(table)], one, names))
        if len(found) > _MOST:
            raise CheckpointMismatch(f"the checkpoint has more than {_MOST} state dicts", SAVE_AGAIN)
    return [_candidate(where, one, names) for where, one, names in found]


def choose(value: object, checkpoint_key: str | None = None) -> Candidate:
    """The one state dict of a checkpoint, or the one at ``checkpoint_key``.

    Raises InvalidOption for a key where none is, and CheckpointMismatch where there is none at all, where
    there are several and no key, and where it has tensors that are not read.
    """
    found = candidates(value)
    if not found:
        raise CheckpointMismatch(
            f"the checkpoint is not a state dict (names to tensors), and has none in it: {described(value)}",
            SAVE_AGAIN,
        )
    if checkpoint_key is not None:
        found = [_at(found, checkpoint_key)]
    if len(found) > 1:
        second = brief(found[-1].key, _LONGEST_KEY)
        raise CheckpointMismatch(
            f"the checkpoint has {len(found)} state dicts: {_listed(found)}",
            f'say which one, for example checkpointKey: "{second}" (--checkpoint-key {second})',
        )
    (one,) = found
    for name, kind in one.odd.items():
        raise CheckpointMismatch(f"the checkpoint has {brief(kind)} in {brief(name)}, expected plain numbers")
    return one


def described(value: object) -> str:
    """What ``value`` is, in a few words; of a dict also what is in it."""
    table = value if isinstance(value, dict) else None
    if table is None or not table:
        return _kind(value)
    items = list(cast("dict[Any, Any]", table).items())
    shown = [f"{brief(_key(key), _BRIEF)} ({brief(_kind(one), 2 * _BRIEF)})" for key, one in items[:_SHOWN]]
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{_kind(value)}: {', '.join(shown)}{more}"


def _inside(value: object) -> Iterator[tuple[_Path | None, object]]:
    """What has names, from the top down: each as often as it is found, but what is in it once."""
    seen: set[int] = set()
    ahead: deque[tuple[_Path | None, object, int]] = deque([(None, value, 0)])
    while ahead:
        path, one, level = ahead.popleft()
        table = _table(one)
        if not table:
            continue
        yield path, one
        if id(table) in seen or level == _MOST_LEVELS or is_module(one) or _is_optimiser(table):
            continue
        seen.add(id(table))
        for name, inner in table.items():
            if isinstance(name, str) and len(name) <= _LONGEST_KEY and isinstance(inner, (dict, Dead)):
                ahead.append(((path, name), inner, level + 1))


# The way to a dict, last step first: joined only where something is found.
_Path = tuple[Any, str]


def _joined(path: _Path | None) -> str:
    steps: list[str] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return ".".join(reversed(steps))


def _table(value: object) -> dict[Any, Any]:
    """The items of a dict, of an object that is like one, or the attributes of any other."""
    if isinstance(value, Dead):
        value = value.state if value.table is None else value.table
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else _NOTHING


def _is_optimiser(table: Mapping[Any, Any]) -> bool:
    return "param_groups" in table and "state" in table


def _is_state(table: Mapping[Any, Any], is_likely: bool) -> bool:
    """Whether more than half are tensors, and one has numbers to compute with; or all, where it is likely."""
    if any(isinstance(name, OtherKey) for name in table) or _is_optimiser(table):
        return False
    tensors = [one for one in table.values() if isinstance(one, (Layout, OddTensor))]
    if 2 * len(tensors) <= len(table):
        return False
    return (is_likely and len(tensors) == len(table)) or any(
        isinstance(one, OddTensor) or (one.dtype in FLOATS and one.shape != ()) for one in tensors
    )


def _candidate(keys: list[str], value: object, names: dict[str, Any]) -> Candidate:
    tensors = {name: one for name, one in names.items() if isinstance(one, Layout)}
    odd = {name: one.kind for name, one in names.items() if isinstance(one, OddTensor)}
    rest = {name: _kind(one) for name, one in names.items() if not isinstance(one, (Layout, OddTensor))}
    if _is_averaged(tensors):
        del tensors[_AVERAGED]
        rest[_AVERAGED] = "the counter of an average"
    return Candidate(keys[0], tensors, _metadata(value), rest, odd, tuple(keys))


def _is_averaged(tensors: Mapping[str, Layout]) -> bool:
    counter = tensors.get(_AVERAGED)
    return (
        counter is not None
        and counter.shape == ()
        and counter.dtype == "int64"
        and all(name.startswith("module.") for name in tensors if name != _AVERAGED)
    )


def _metadata(value: object) -> dict[str, dict[str, int | None]] | None:
    state = value.state if isinstance(value, (Names, Dead)) and not is_module(value) else None
    metadata = cast("dict[Any, Any]", state).get("_metadata") if isinstance(state, dict) else None
    if not isinstance(metadata, dict):
        return None
    return {
        name: {"version": _version(about)}
        for name, about in cast("dict[Any, Any]", metadata).items()
        if isinstance(name, str)
    }


def _version(about: object) -> int | None:
    version = cast("dict[Any, Any]", about).get("version") if isinstance(about, dict) else None
    return version if type(version) is int else None


def _at(found: list[Candidate], key: str) -> Candidate:
    for one in found:
        if key in one.keys:
            return one
    raise InvalidOption(
        f"checkpointKey: expected one of {_listed(found)}, received {brief(repr(key), _LONGEST_KEY)}"
    )


def _listed(found: list[Candidate]) -> str:
    shown = [f'"{brief(one.key, _LONGEST_KEY)}" ({_tensors(len(one.names) + len(one.odd))})' for one in found]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count} tensors"


def _key(key: object) -> str:
    return key if isinstance(key, str) else f"{_kind(cast('OtherKey', key).value)} for a name"


def _kind(value: object) -> str:
    if isinstance(value, Layout):
        return "a tensor"
    if isinstance(value, OddTensor):
        return value.kind
    if isinstance(value, Dead):
        return f"{value.name}"
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        if _is_optimiser(table):
            return "the state of an optimiser"
        return f"a dict of {len(table)}"
    if isinstance(value, Name):
        return "a name"
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return f"a {kind} of {len(cast('list[Any]', value))}"
    return _PLAIN.get(type(value), "nothing")
