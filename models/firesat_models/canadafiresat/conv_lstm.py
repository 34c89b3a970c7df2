"""ConvLSTM (Shi et al. 2015, arXiv:1506.04214), the published one: one layer, no bias."""

import torch
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """Read a series of maps and keep the last hidden state.

    The convolution over input and hidden state is split in two: that over the inputs runs once for
    all steps, and the first step, whose hidden state is zero, needs no other.

    Parameters
    ----------
    inputs : int
        Channels of the maps.
    width : int
        Channels of the state.
    kernel : int
        Odd side of the convolutions; 1 = each cell by itself, an LSTM. With any other a cell's
        state has seen (steps x (kernel - 1) / 2) cells around it.
    """

    def __init__(self, inputs: int, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.read = nn.Conv2d(inputs, 4 * width, kernel, padding=kernel // 2, bias=False)
        self.carry = nn.Conv2d(width, 4 * width, kernel, padding=kernel // 2, bias=False)
        # what torch gives to one convolution over both
        bound = (kernel**2 * (inputs + width)) ** -0.5
        for weight in (self.read.weight, self.carry.weight):
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, maps: Tensor, seen: Tensor) -> Tensor:
        """Read a series.

        Parameters
        ----------
        maps : Tensor
            ``(N * T, C, y, x)``, oldest first.
        seen : Tensor
            Bool ``(N, T)`` or ``(N, T, y, x)``: where False, the state stays as it was.

        Returns
        -------
        Tensor
            ``(N, width, y, x)``; 0 where nothing was seen.
        """
        number, steps = seen.shape[:2]
        gates = self.read(maps).unflatten(0, (number, steps)).unbind(1)
        hidden = cell = torch.zeros_like(gates[0].chunk(4, dim=1)[0])
        for step in range(steps):
            total = gates[step]
            if step:
                total = total + self.carry(hidden)
            new_hidden, new_cell = _step(total, cell)
            there = seen[:, step].reshape(number, 1, *(seen.shape[2:] or (1, 1)))
            hidden, cell = hidden.where(~there, new_hidden), cell.where(~there, new_cell)
        return hidden


def _step(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell state after one step."""
    # one gate after the other in memory, not interleaved: a third of the time
    keep, forget, give, fresh = gates.contiguous().chunk(4, dim=1)
    cell = forget.sigmoid() * cell + keep.sigmoid() * fresh.tanh()
    return give.sigmoid() * cell.tanh(), cell


class Tabular(nn.Module):
    """Read a series of numbers: each variable by itself, averaged, then an LSTM.

    Parameters
    ----------
    variables : int
        Numbers a step.
    width : int
        Channels to give.
    """

    def __init__(self, variables: int, width: int) -> None:
        super().__init__()
        # one Linear(1, width) a variable; they are averaged, so all of them are one product
        self.weight = nn.Parameter(torch.empty(variables, width).uniform_(-1.0, 1.0))
        self.bias = nn.Parameter(torch.empty(variables, width).uniform_(-1.0, 1.0))
        self.lstm = nn.LSTM(width, width, batch_first=True)

    def forward(self, series: Tensor) -> Tensor:
        """Read a series.

        Parameters
        ----------
        series : Tensor
            ``(N, T, V)``, oldest first.

        Returns
        -------
        Tensor
            ``(N, width)``: the last hidden state.
        """
        mixed = (series @ self.weight + self.bias.sum(dim=0)) / len(self.weight)
        _, (hidden, _) = self.lstm(mixed)
        out: Tensor = hidden[-1]
        return out
