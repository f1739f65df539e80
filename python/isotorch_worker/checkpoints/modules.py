"""Networks that were saved whole, torch.save(model): their state dict, by what the pickle says of them.

As ``Module.state_dict`` makes it: a module's parameters, its buffers, then those of the modules in it.
"""

from __future__ import annotations

from typing import Any, cast

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.inert import Dead
from isotorch_worker.checkpoints.recognise import SAVE_AGAIN
from isotorch_worker.protocol.errors import CheckpointMismatch

# Of all networks in a file together; the largest of torchvision's has five thousand, in six levels.
_MOST_NAMES = 100_000
_MOST_LEVELS = 64
_LONGEST_NAME = 1000
_PARTS = ("_parameters", "_buffers", "_modules")


def is_module(value: object) -> bool:
    """Whether this is an ``nn.Module`` that was saved whole."""
    state = value.state if isinstance(value, Dead) else None
    return isinstance(state, dict) and all(
        isinstance(cast("dict[Any, Any]", state).get(part), dict) for part in _PARTS
    )


class ModuleWalk:
    """Gives the names of modules; of all that it is asked together, no more than memory has room for."""

    def __init__(self) -> None:
        self._left = _MOST_NAMES

    def names(self, module: object) -> dict[str, Any]:
        """What ``module.state_dict()`` has, by name; buffers that are not persistent are left out.

        Raises CheckpointMismatch for modules in each other, and for too many.
        """
        found: dict[str, Any] = {}
        ahead = [("", cast("Dead", module), 0)]
        while ahead:
            prefix, one, level = ahead.pop()
            state = cast("dict[str, Any]", one.state)
            self._charge(1, prefix, level)
            passing = self._texts(state.get("_non_persistent_buffers_set"), prefix)
            buffers = self._named(state["_buffers"], prefix)
            kept = {name: value for name, value in buffers.items() if name not in passing}
            for name, value in {**self._named(state["_parameters"], prefix), **kept}.items():
                if value is not None:
                    found[prefix + name] = value
            inside = self._named(state["_modules"], prefix).items()
            # The first of them is next.
            ahead += [(f"{prefix}{name}.", child, level + 1) for name, child in inside if is_module(child)][
                ::-1
            ]
        return found

    def _named(self, part: dict[Any, Any], prefix: str) -> dict[str, Any]:
        self._charge(len(part), prefix)
        named = {name: value for name, value in part.items() if isinstance(name, str)}
        if any(len(prefix) + len(name) > _LONGEST_NAME for name in named):
            self._charge(_MOST_NAMES + 1, prefix)
        return named

    def _texts(self, group: object, prefix: str) -> set[str]:
        """What a ``set`` of texts has, as any protocol writes it; before torch 1.5 modules had none."""
        if not isinstance(group, Dead):
            return set()
        given = cast("tuple[Any, ...]", group.arguments)
        first = cast("list[Any]", given[0]) if given and isinstance(given[0], list) else []
        members = first if group.members is None else group.members
        self._charge(len(members), prefix)
        return {one for one in members if isinstance(one, str)}

    def _charge(self, count: int, prefix: str, level: int = 0) -> None:
        self._left -= count
        if self._left < 0 or level > _MOST_LEVELS:
            raise CheckpointMismatch(
                f"the checkpoint has modules in modules without end, at {brief(prefix)}", SAVE_AGAIN
            )
