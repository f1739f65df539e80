"""What a task is, as types: it answers the requests of one message, piece by piece.

The tasks themselves stand in ``tasks``; what runs them (serve.py) knows no more of them than is said here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol, Union

from isotorch_worker.inbox import Preparing, Request
from isotorch_worker.protocol.wire import Frames, Message

if TYPE_CHECKING:
    from isotorch_worker.background import BackgroundImport
    from isotorch_worker.channel import Channel


class Part(NamedTuple):
    """A part of an answer; others or the ``Result`` come behind it."""

    frames: Frames


class Result(NamedTuple):
    """The end of an answer. ``timings`` in milliseconds; ``batch``: how many were computed together."""

    timings: Mapping[str, float]
    frames: Frames
    batch: int = 1


Outcome = Union[Part, Result, Exception]


class Started(NamedTuple):
    """A piece of work for ``requests`` that was begun.

    ``collect`` waits for it and gives what became of the requests, of some of them, or of none yet. Each
    outcome is sent before the next one is asked for, so that what is done behind the last one delays no
    answer. What ``collect`` raises is the answer to each of them that has none.
    """

    requests: Sequence[Request]
    collect: Callable[[], Iterable[tuple[Request, Outcome]]]


Pieces = Generator[Started, None, None]


class Network(Protocol):
    """What a load leaves behind, as far as every task's has it."""

    @property
    def depth(self) -> int:
        """How many pieces are worth having under way."""
        ...

    def is_broken(self) -> bool:
        """Whether its device answers nothing any more in this process."""
        ...


class Task(ABC):
    """What is done for the requests of one message. It keeps nothing of them: see ``Kept``."""

    network: str | None = None
    """The ``task`` of the `load` that it needs the network of; None for a task that needs none."""
    streams: bool = False
    """Whether its answers come in parts: each request is then run by itself and takes turns with others, and
    before each piece it is asked whether somebody still waits."""

    def prepare(self, request: Request, network: Any) -> Preparing | None:
        """Begin what can be made beside the main thread; None where there is nothing.

        Called when the request arrives, on the channel's thread, and where nothing came of it once more when
        its turn comes, because the network may be there now: ``network`` is None before.
        """
        return None

    @abstractmethod
    def run(self, requests: Sequence[Request], network: Any) -> Pieces:
        """Start a piece of the work each time it is advanced, and end behind the last one.

        ``requests`` came together, are prepared, and are more than one only where the task does not stream.
        Each of them must have a ``Result`` or an error in the end. Closed early where nobody waits any more.
        """
        ...


# Gives the network and the `ready` message; raises the WorkerError that says why there is none.
Load = Callable[["Channel", Message, Optional["BackgroundImport"]], "tuple[Network, Message]"]


class Kept(Protocol):
    """What tasks keep from one request to the next, such as processes."""

    def remarks(self) -> Sequence[str]:
        """What a log should say, since the last call."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Registry(NamedTuple):
    """What a worker can do."""

    tasks: Mapping[str, Task]
    """By the message that asks for them."""
    loads: Mapping[str, Load]
    """By the ``task`` of a `load`."""
    kept: Sequence[Kept] = ()
    imports: Sequence[str] = ()
    """The modules that a load imports, in their order; they may be imported before it comes."""
