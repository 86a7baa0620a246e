"""The recurrence whose states torch takes and gives as a tuple, with tensors of their own instead."""

from __future__ import annotations

import warnings

from torch import Tensor, nn


class LSTM(nn.LSTM):
    """torch's: output, h_n, c_n of input, h_0, c_0; a state left out is zero."""

    def forward(  # type: ignore[override]
        self, input: Tensor, h_0: Tensor | None = None, c_0: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        states = None
        if h_0 is not None or c_0 is not None:
            h_0 = self._zeros(input, self.proj_size or self.hidden_size) if h_0 is None else h_0
            states = h_0, self._zeros(input, self.hidden_size) if c_0 is None else c_0
        if not self.proj_size:
            output, (h_n, c_n) = super().forward(input, states)
            return output, h_n, c_n
        with warnings.catch_warnings():
            # torch says, once a process, that projections are computed by its plain implementation.
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            output, (h_n, c_n) = super().forward(input, states)
        return output, h_n, c_n

    def _zeros(self, input: Tensor, width: int) -> Tensor:
        """An initial state that is left out."""
        batch = input.shape[0 if self.batch_first else 1]
        return input.new_zeros(self.num_layers * (2 if self.bidirectional else 1), batch, width)
