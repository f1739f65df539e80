"""The prefixes that wrappers put before a network's names: DataParallel, torch.compile, Lightning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.candidates import Candidate
from isotorch_worker.protocol.errors import CheckpointMismatch

Shapes = Mapping[str, tuple[int, ...]]

_COUNTER = ".num_batches_tracked"
_MOST_PREFIXES = 8
_MOST_WRAPPERS = 32
_NAMED_KEYS = 3


def without_prefix(candidate: Candidate, fits: Callable[[Shapes], bool]) -> tuple[str, Candidate]:
    """The candidate with the names that the network has, and what was stripped from the start of each.

    A prefix is any name with a dot (``module.``, ``_orig_mod.``, ``model.backbone.``) that every key begins
    with. It is stripped only if ``fits`` says of the names and shapes that are left that they are the
    network's, completely; otherwise the candidate comes back as it was, with "". The versions of modules
    lose the prefix, too.

    Raises CheckpointMismatch where a network that fits stands under a prefix and other tensors beside it.
    """
    for prefix, shapes in _stripped(candidate.shapes()):
        if fits(shapes):
            return prefix, _without(candidate, prefix)
    _refuse_others(candidate.shapes(), fits)
    return "", candidate


def fitting(wanted: Shapes) -> Callable[[Shapes], bool]:
    """Whether shapes are those of ``wanted``, by name. BatchNorm's ``num_batches_tracked`` may be absent."""

    def fits(shapes: Shapes) -> bool:
        return shapes.keys() <= wanted.keys() and all(
            shapes[name] == shape if name in shapes else name.endswith(_COUNTER)
            for name, shape in wanted.items()
        )

    return fits


def _stripped(shapes: Shapes) -> list[tuple[str, Shapes]]:
    """The names as they are, then without each prefix that all have, the shortest first."""
    found = [("", shapes)]
    while len(found) <= _MOST_PREFIXES and shapes:
        first = next(iter(shapes)).partition(".")[0] + "."
        if not all(name.startswith(first) and len(name) > len(first) for name in shapes):
            break
        shapes = {name[len(first) :]: shape for name, shape in shapes.items()}
        found.append((found[-1][0] + first, shapes))
    return found


def _without(candidate: Candidate, prefix: str) -> Candidate:
    names = {name[len(prefix) :]: layout for name, layout in candidate.names.items()}
    metadata = candidate.metadata
    if metadata is not None and prefix:
        # Modules have no dot at their end: "module" is the network itself.
        metadata = {
            f"{module}."[len(prefix) :].removesuffix("."): about
            for module, about in metadata.items()
            if f"{module}.".startswith(prefix)
        }
    return replace(candidate, names=names, metadata=metadata)


def _refuse_others(shapes: Shapes, fits: Callable[[Shapes], bool]) -> None:
    """Raises where the names under one prefix are the network's, and others are not under it."""
    # Under a prefix that all share, such as Lightning's, too.
    common, inner = _stripped(shapes)[-1]
    firsts = Counter(name.partition(".")[0] + "." for name in inner if "." in name)
    for first, _ in firsts.most_common(_MOST_WRAPPERS):
        part = {name[len(first) :]: shape for name, shape in inner.items() if name.startswith(first)}
        for prefix, left in _stripped(part):
            if fits(left):
                whole = common + first + prefix
                others = [name for name in shapes if not name.startswith(whole)]
                more = f" and {len(others) - _NAMED_KEYS} more" if len(others) > _NAMED_KEYS else ""
                raise CheckpointMismatch(
                    f"the checkpoint has the network under {brief(whole)} and beside it "
                    + ", ".join(map(brief, others[:_NAMED_KEYS]))
                    + more,
                    "save the network's own state dict, with model for the network alone: "
                    "torch.save(model.state_dict(), path)",
                )
