"""What a load leaves behind: the network on its device, and what it wants of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from isotorch_worker.runtime.compute import Computer
    from isotorch_worker.tasks.image_classification.infer import Output

# A session that was asked for so many pictures will be asked for more: it pays to prepare for them.
IMPROVE_AFTER = 3


class Session:
    """A network that classifies pictures."""

    def __init__(
        self,
        network: torch.nn.Module,
        device: torch.device,
        spec: dict[str, Any],
        computer: Computer[Output],
    ) -> None:
        self.network = network
        self.device = device
        self.spec = spec
        self.computer = computer
        self._answered = 0

    @property
    def depth(self) -> int:
        return self.computer.depth

    def is_broken(self) -> bool:
        from isotorch_worker.runtime.device import is_broken

        return is_broken(self.device)

    def answered(self, pictures: int) -> None:
        """So many more have their answer; may take some hundred milliseconds, once."""
        self._answered += pictures
        if self._answered >= IMPROVE_AFTER:
            self.computer.improve()
