"""`torch.compile` with a fallback."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


class Compiled:
    """Calls a compiled network, or the original network once compiling has failed."""

    def __init__(self, network: torch.nn.Module, *, backend: Any = "inductor") -> None:
        """`backend` is passed to `torch.compile`. Compilation happens at the first call."""
        import torch

        self.network = network
        self._compiled = torch.compile(network, dynamic=False, backend=backend)

    def __call__(self, *inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        import torch

        if self._compiled is None:
            return self.network(*inputs, **named)
        try:
            return self._compiled(*inputs, **named)
        except torch._dynamo.exc.TorchDynamoException as error:
            log.warning("%s runs as it is: compiling failed: %s", type(self.network).__name__, error)
            self._compiled = None
            return self.network(*inputs, **named)
