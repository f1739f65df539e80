"""What a load leaves behind: the network on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isotorch_worker.tasks.text_generation.gpt2 import Gpt2


class Session:
    """A network that continues texts."""

    depth = 1
    """A token is needed before the next one can be computed."""

    def __init__(self, network: Gpt2) -> None:
        self.network = network

    def is_broken(self) -> bool:
        from isotorch_worker.runtime.device import is_broken

        return is_broken(self.network.wte.weight.device)
