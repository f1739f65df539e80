"""Pictures of one shape through the network: how many at a time, and what was learnt about that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from isotorch_worker.protocol.errors import OutOfMemory
from isotorch_worker.runtime.batch import MemoryLimit, power_of_two
from isotorch_worker.runtime.copy import Transfer
from isotorch_worker.runtime.device import is_out_of_memory, largest_batch
from isotorch_worker.runtime.lanes import Lanes, batched, other_positions
from isotorch_worker.runtime.pack import pack

# Batching must win more than a measurement errs.
_WORTH = 0.97
# A size that won nothing is tried again after so many batches, because the machine may have been busy; then
# after this many times more: a trial costs about four times what it answers.
_PAUSE = 32
_LONGER = 4

Log = Callable[[str, str], None]
# What is made of a pass [k,n] on its device: a NamedTuple of tensors [k,…], in the order of the pictures.
Made = TypeVar("Made", bound="tuple[Tensor, ...]")


@dataclass(frozen=True)
class Computed(Generic[Made]):
    """What came out for k pictures, on the CPU, and milliseconds."""

    output: Made
    forward: float
    rank: float


class Running(Generic[Made]):
    """``count`` pictures that are being computed together, or that could not be."""

    def __init__(self, count: int, started: float, finish: Callable[[], Computed[Made]]) -> None:
        self.count = count
        self.started = started
        """time.monotonic() before anything was done for them."""
        self.finish = finish
        """Waits; raises what torch raised, or OutOfMemory where one picture alone did not fit."""


class Computer(Generic[Made]):
    """The network on its device, with what was learnt about batches; ``make`` makes of a pass what is wanted.

    ``exact`` says that each picture must keep the bits that it has alone. ``together`` computes a batch where
    the network itself is not the best way to. With either, a size is computed together only after a trial on
    this machine showed a gain, and equal bits where they are wanted.
    """

    def __init__(
        self,
        network: nn.Module,
        make: Callable[[Tensor], Made],
        transfer: Transfer,
        most: int,
        exact: bool,
        log: Log | None = None,
        together: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.network = network
        self._make = make
        self._together = together or network
        self._tries = exact or together is not None
        self.transfer = transfer
        self.limit = MemoryLimit(most)
        self._exact = exact
        self._log = log or (lambda _level, _text: None)
        # For each size and shape that was tried: how many batches it is still left out, 0 where it is used.
        self._left_out: dict[tuple[int, ...], float] = {}
        self._pauses: dict[tuple[int, ...], int] = {}
        self._improved = not (exact and transfer.device.type == "cpu")

    @property
    def depth(self) -> int:
        """How many parts are worth having under way."""
        return self.transfer.queue.depth

    def improve(self) -> None:
        """Spend some hundred milliseconds, once, on what makes later pictures faster and changes no bit.

        Until then `exact` computes one by one on the CPU: trials belong to what is used after them.
        """
        if self._improved:
            return
        self._improved = True
        try:
            packed, of = pack(self.network, self.transfer.crop)
        except Exception as error:
            # What was packed until then gave the same bits; the rest stays as it was.
            self._log("warning", f"packing the convolutions failed: {type(error).__name__}: {error}")
            return
        self._log("info", f"{packed} of {of} convolutions are packed, with the same bits as before")

    def run(self, rows: list[Tensor]) -> Iterator[Running[Made]]:
        """Start ``rows`` (each [1,…], of one shape and dtype) in their order, as many together as pays.

        Yields as each part is started; together the parts have all rows, each exactly once.
        """
        position = 0
        # Rows up to here go one by one, because something was wrong with them together.
        apart = 0
        while position < len(rows):
            size = 1 if position < apart else self._size(len(rows) - position, rows[position])
            part = rows[position : position + size]
            started = time.monotonic()
            try:
                finish = self._start(part)
            except Exception as error:
                if is_out_of_memory(error):
                    self._forget_memory(size, error)
                if size > 1:
                    apart = 0 if is_out_of_memory(error) else position + size
                    continue
                finish = _raiser(self._explained(error))
            else:
                self.limit.succeeded(size)
            yield Running(size, started, finish)
            position += size

    def _size(self, waiting: int, row: Tensor) -> int:
        if not self._improved:
            return 1
        size = power_of_two(min(waiting, self.limit.limit))
        while size > 1 and self._is_left_out((size, *row.shape)):
            size //= 2
        return size

    def _is_left_out(self, key: tuple[int, ...]) -> bool:
        left = self._left_out.get(key, 0)
        if left > 0:
            self._left_out[key] = left - 1
            if left == 1:
                del self._left_out[key]
        return left > 0

    def _start(self, rows: list[Tensor]) -> Callable[[], Computed[Made]]:
        began = time.perf_counter()
        with torch.inference_mode():
            batch = self.transfer.to_device(rows)
            key = (len(rows), *rows[0].shape)
            if len(rows) == 1:
                logits = self.network(batch)
            elif self._tries and key not in self._left_out:
                logits = self._trial(batch, key)
            else:
                logits = self._together(batch)
            computed = self.transfer.queue.mark()
            output = self._make(logits)
            fetch = self.transfer.to_host(list(output))
        made = cast("Callable[..., Made]", type(output))
        return lambda: _finish(began, computed, fetch, made)

    def _trial(self, batch: Tensor, key: tuple[int, ...]) -> Tensor:
        """The logits of each picture alone; on the side, whether all together give the same, and sooner."""
        size = len(batch)
        single = [self._timed(self.network, batch[row : row + 1]) for row in range(size)]
        alone = torch.cat([logits for logits, _ in single])
        apart_ms = size * min(ms for _, ms in single)
        together, together_ms = self._timed(self._together, batch)
        equal = torch.equal(alone, together)
        odd = self._other_positions(batch) if equal and self._exact else None
        usable = (equal and odd is None) or not self._exact
        if usable:
            # The first time of a size makes its kernels.
            together_ms = min(self._timed(self._together, batch)[1] for _ in range(2))
        worth = usable and together_ms < apart_ms * _WORTH
        pause = self._pauses.get(key, _PAUSE)
        self._pauses[key] = pause * _LONGER
        self._left_out[key] = 0 if worth else pause if usable else float("inf")
        self._log(
            "info",
            f"{size} pictures together: {'the same bits as' if equal else 'other bits than'} alone"
            f"{'' if odd is None else f', but not for every picture, by {odd}'}, "
            f"{together_ms / size:.1f} ms each instead of {apart_ms / size:.1f}; from now on "
            f"{'together' if worth else 'not together'}{' for a while' if usable and not worth else ''}",
        )
        return alone

    def _other_positions(self, batch: Tensor) -> str | None:
        """The layer by which other pictures than these could have other bits together."""
        if self.transfer.device.type != "cpu":
            return None
        through = self._together.each if isinstance(self._together, Lanes) else batched
        return other_positions(self.network, batch[:1], len(batch), through)

    def _timed(self, compute: Callable[[Tensor], Tensor], batch: Tensor) -> tuple[Tensor, float]:
        began = self.transfer.queue.mark()()
        logits = compute(batch)
        return logits, (self.transfer.queue.mark()() - began) * 1000

    def _forget_memory(self, size: int, error: BaseException) -> None:
        # The traceback holds the frames, and these hold what was allocated until it failed.
        error.__traceback__ = None
        self.limit.failed(size)
        self.transfer.queue.release()
        if size > 1:
            self._log(
                "warning", f"not enough memory for {size} pictures together; now at most {self.limit.limit}"
            )

    def _explained(self, error: Exception) -> Exception:
        if not is_out_of_memory(error):
            return error
        known = OutOfMemory(
            f"not enough memory on {self.transfer.device} for one picture",
            "let other programs free memory, or use device 'cpu'",
        )
        known.__cause__ = error
        return known


def prepare(
    network: nn.Module,
    make: Callable[[Tensor], Made],
    device: torch.device,
    spec: Mapping[str, Any],
    precision: str,
    wanted: int,
    threads: int,
    log: Log,
) -> Computer[Made]:
    """A computer with the batch size that suits the device, at most ``wanted`` where that is not 0.

    On a CPU with several ``threads`` pictures go side by side instead of in one batch.
    """
    most = largest_batch(device, spec["crop"])
    most = min(most, wanted) if wanted else most
    lanes = Lanes(network, threads, most) if device.type == "cpu" and threads > 1 and most > 1 else None
    return Computer(network, make, Transfer(device, spec), most, precision == "exact", log, lanes)


def _finish(
    began: float,
    computed: Callable[[], float],
    fetch: Callable[[], tuple[list[Tensor], float]],
    made: Callable[..., Made],
) -> Computed[Made]:
    then = computed()
    output, ranked = fetch()
    return Computed(made(*output), (then - began) * 1000, (ranked - then) * 1000)


def _raiser(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
