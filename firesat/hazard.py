"""Daily hazards: how the chance of a window is shared among its days.

A network gives ``(N, outputs, Y, X)``: first one map for each process over the whole window, then,
process by process, a score for each lead. The chance of the window, p = sigmoid(z), is a cumulative
hazard -log(1 - p) = softplus(z); a softmax of the scores shares it among the leads. The hazard of a
day is h = 1 - exp(-share x softplus(z)), so that 1 - prod(1 - h) is p itself and the chance can
only grow with the lead (discrete-time survival: Tutz and Schmid 2016, ISBN 978-3-319-28156-8).

The last map is the logarithm of the rate at which new fires start, per 100 m cell and window; its
sum over a square kilometre, shared among the leads, is the mean of a Poisson count.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from firesat.errors import ConfigError

SQUARE = 10
"""Cells along the side of the square in which a start is known."""

STARTS_WEIGHT = 100.0
"""Cells that the count of a square kilometre weighs for in the loss: as many as it has."""

START_RATE = 1e-6
"""New fires of a cell and week before anything is known: 6 000 a year in Canada (CIFFC), over 300
million hectares and 20 weeks."""

_LEAST = 1e-12


class Outputs(NamedTuple):
    """What a network gives, taken apart.

    Parameters
    ----------
    window : Tensor
        ``(N, maps, Y, X)``: log odds of each process; with leads, last, the log rate of starts.
    scores : Tensor
        ``(N, maps, leads, Y, X)``.
    """

    window: Tensor
    scores: Tensor

    @property
    def leads(self) -> int:
        """Days that are told apart.

        Returns
        -------
        int
            0 where the network speaks of the window alone.
        """
        return self.scores.shape[2]

    @property
    def odds(self) -> Tensor:
        """Log odds of burning within the window.

        Returns
        -------
        Tensor
            ``(N, L, Y, X)``, heads as `firesat.batch.HEADS`; or of any fire, L = 1.
        """
        return self.window[:, :-1] if self.leads else self.window


def take_apart(outputs: Tensor, leads: int, heads: int) -> Outputs:
    """Take apart what a network gives.

    Parameters
    ----------
    outputs : Tensor
        ``(N, (heads + 1) * (1 + leads), Y, X)``; of a network that does not tell days apart its
        heads.
    leads : int
        H; 0 = maps of the window alone.
    heads : int
        L.

    Returns
    -------
    Outputs
        Views.
    """
    if outputs.shape[1] == heads:
        leads = 0
    maps = outputs.shape[1] // (1 + leads)
    number, _, height, width = outputs.shape
    scores = outputs[:, maps:].reshape(number, maps, leads, height, width)
    return Outputs(outputs[:, :maps], scores)


def cumulative(outputs: Outputs) -> Tensor:
    """Give the cumulative hazard of each process at the end of each lead.

    Parameters
    ----------
    outputs : Outputs
        With leads.

    Returns
    -------
    Tensor
        float32 ``(N, L, leads, Y, X)``, rising with the lead.
    """
    odds = outputs.odds
    share = outputs.scores[:, : odds.shape[1]].float().softmax(dim=2)
    return functional.softplus(odds.float())[:, :, None] * share.cumsum(dim=2)


def burning_by(outputs: Outputs) -> Tensor:
    """Give the chance that a cell burns by the end of each lead, in any fire.

    Parameters
    ----------
    outputs : Outputs
        With leads.

    Returns
    -------
    Tensor
        float32 ``(N, leads, Y, X)``, 0..1, rising with the lead; the last is that of the window.
    """
    return -torch.expm1(-cumulative(outputs).sum(dim=1))


def starts(outputs: Outputs) -> Tensor:
    """Give the rate of new fires per 1 km cell and day.

    Parameters
    ----------
    outputs : Outputs
        With leads; Y and X multiples of 10.

    Returns
    -------
    Tensor
        float32 ``(N, leads, Y / 10, X / 10)``, fires.
    """
    return _by_square(_start_rate(outputs))


def _start_rate(outputs: Outputs) -> Tensor:
    """Rate of each cell and lead, (N, leads, Y, X)."""
    share = outputs.scores[:, -1].float().softmax(dim=1)
    return outputs.window[:, -1:].float().clamp(max=0.0).exp() * share


def _by_square(cells: Tensor) -> Tensor:
    """Sums over squares of a kilometre."""
    return functional.avg_pool2d(cells, SQUARE) * SQUARE**2


def day_loss(
    outputs: Outputs, batch: dict[str, Tensor], cells: Tensor, total: Tensor | None = None
) -> Tensor:
    """Add to the loss of the window what the days say.

    With S(l) = exp(-cumulative hazard), a cell that burned between leads a and b has likelihood
    S(a - 1) - S(b): an observation censored to an interval. The loss of the window has counted it
    as 1 - S(H); here it is made up to that of the interval. Where the interval leaves the window,
    S(a - 1) remains: the cell had not burned before it. Where the label is unknown, nothing.

    Parameters
    ----------
    outputs : Outputs
        Of a network, with leads.
    batch : dict of Tensor
        Fields ``label``, ``lead``, ``starts`` and ``weight``.
    cells : Tensor
        ``(N, L, Y, X)`` from `losses.cell_weight`.
    total : Tensor, optional
        What the sum is divided by; default the sum of `cells`.

    Returns
    -------
    Tensor
        float32 scalar.
    """
    summed = _when_burned(outputs, batch) + STARTS_WEIGHT * _where_started(outputs, batch, cells)
    return summed / (cells.sum() if total is None else total).clamp(min=_LEAST)


def _when_burned(outputs: Outputs, batch: dict[str, Tensor]) -> Tensor:
    """Surprise of the intervals, beyond that of the window."""
    horizon, lead = outputs.leads, batch["lead"].long()
    bounded = (lead[:, 0] > 0) & (lead[:, 0] <= horizon)  # few cells: only these are looked at
    sample, row, column = bounded.nonzero(as_tuple=True)
    first, last = lead[sample, :, row, column].T
    odds = outputs.odds[sample, :, row, column].float()
    share = outputs.scores[sample, : odds.shape[1], :, row, column].float().softmax(dim=2)
    reached = functional.pad(share.cumsum(dim=2), (1, 0)).clamp(max=1.0)
    burning = functional.softplus(odds)[..., None] * reached  # (cells, L, 1 + leads)
    before, upto = (
        burning.take_along_dim(place[:, None, None].clamp(max=horizon), dim=2)[..., 0]
        for place in (first - 1, last)
    )
    event = batch["label"][sample, :, row, column] > 0
    inside = _log_chance(upto - before) - before - _log_chance(burning[..., -1])
    # known to have burned by the other process: this one is as the loss of the window sees it
    censored = before.where((last > horizon)[:, None], 0.0)
    surprise = torch.where(event & (last <= horizon)[:, None], -inside, censored)
    return (surprise * batch["weight"].float()[sample, None]).sum()


def _log_chance(hazard: Tensor) -> Tensor:
    """Logarithm of 1 - exp(-hazard)."""
    return torch.log(-torch.expm1(-hazard.clamp(min=_LEAST)))


def _where_started(outputs: Outputs, batch: dict[str, Tensor], cells: Tensor) -> Tensor:
    """Surprise of the counts of new fires, less what no forecast changes.

    They are counted over whole squares, and so is the rate, as in `starts`; squares of which no
    cell is known say nothing.
    """
    known = _by_square((cells[:, -1:] > 0).float()) > 0
    rate = starts(outputs)
    surprise = (rate - batch["starts"].float() * (rate + _LEAST).log()).where(known, 0.0)
    return (surprise * batch["weight"].float()[:, None, None, None]).sum()


def targets(batch: dict[str, Tensor], cells: Tensor, maps: int) -> tuple[Tensor, Tensor]:
    """Give the label of every map of the window, for a regression cell by cell.

    Parameters
    ----------
    batch : dict of Tensor
        Fields ``label`` and ``valid``; with ``starts`` where there is a map of them.
    cells : Tensor
        ``(N, L, Y, X)`` from `losses.cell_weight`.
    maps : int
        How many are wanted: L, or one more for the starts.

    Returns
    -------
    label, weight : Tensor
        ``(N, maps, Y, X)``. Of starts the label is each cell's part in its square kilometre's.
    """
    label = batch["label"].float()
    if maps == label.shape[1]:
        return label, cells
    counted = batch["starts"].float().sum(dim=1, keepdim=True) / SQUARE**2
    spread = counted.repeat_interleave(SQUARE, -1).repeat_interleave(SQUARE, -2)
    return torch.cat([label, spread], dim=1), torch.cat([cells, cells[:, -1:]], dim=1)


def usual_odds(rate: float, heads: int, *, starts: bool) -> Tensor:
    """Say what each map of the window says before anything is known.

    Parameters
    ----------
    rate : float
        Chance that a cell burns, shared by the heads.
    heads : int
        L.
    starts : bool
        Whether a map of the rate of new fires follows.

    Returns
    -------
    Tensor
        ``(maps,)``: log odds, then the logarithm of `START_RATE`.

    Raises
    ------
    ConfigError
        If the rate is no chance.
    """
    if not 0 <= rate < 1:
        raise ConfigError(f"model.prior={rate} is no chance that a cell burns: 0 to 1")
    odds = torch.logit(torch.full((heads,), rate / heads), eps=1e-7)
    return torch.cat([odds, torch.tensor([START_RATE]).log()]) if starts else odds
