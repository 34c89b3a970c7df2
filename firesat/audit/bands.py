"""Bands that are the truth, and statistics of chips that training must not know."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.audit.evidence import Chip, Evidence
from firesat.audit.result import Check, Leaks
from firesat.audit.watcher import Fields
from firesat.scaling import Moments, Scaler

_ROUNDED = 0.02  # standard deviations by which storing may move moments; other chips are farther


class Truths:
    """Ask whether any input is the truth, by name or by value.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    burnt_from : float
        Burned fraction from which a cell counts as burnt.
    """

    def __init__(self, evidence: Evidence, burnt_from: float) -> None:
        self._evidence, self._burnt_from = evidence, burnt_from
        self._names: dict[str, list[str]] = evidence.store.attrs["names"]
        # truth, field and channel to the extremes of the channel inside and outside the truth
        self._extremes: dict[tuple[str, str, int], NDArray[np.float64]] = {}
        self._mixed: dict[str, list[int]] = {"at_risk_truth": [], "label": []}

    def see(self, chip: Chip, fields: Fields) -> None:
        """Keep the extremes of every mask-like input inside and outside what the truth says.

        Parameters
        ----------
        chip : Chip
            Which one.
        fields : mapping of ndarray
            All of them.
        """
        labels = self._evidence.labels(chip)
        burnt = labels["fraction"] >= self._burnt_from
        truths = {
            "at_risk_truth": burnt & (labels["latest"] < chip.day.astype(int)),
            "label": fields["label"].astype(bool).any(axis=0),
        }
        for name, truth in truths.items():
            if not truth.any() or truth.all():
                continue
            self._mixed[name].append(int(truth.sum()))
            for field, channel, values in _masklike(fields):
                seen = np.array(
                    [values[truth].min(), values[truth].max(), values[~truth].min(),
                     values[~truth].max()], dtype=np.float64,
                )  # fmt: skip
                key = name, field, channel
                before = self._extremes.get(key, np.array([np.inf, -np.inf, np.inf, -np.inf]))
                self._extremes[key] = np.where(
                    [True, False, True, False], np.minimum(before, seen), np.maximum(before, seen)
                )

    def _called(self) -> Iterator[str]:
        """Inputs that are named after a truth."""
        for field, names in self._names.items():
            for name in sorted(self._evidence.truths & set(names)):
                yield f"band {field}/{name} is a truth, and no input may be"

    def _equal(self) -> Iterator[str]:
        """Inputs that tell a truth's cells from all others, in every chip that has both."""
        for (truth, field, channel), (low, high, below, above) in self._extremes.items():
            chips = self._mixed[truth]
            # a few cells may agree by chance
            if len(chips) >= 2 and sum(chips) >= 50 and (low > above or high < below):
                names = self._names.get(field, [])
                band = names[channel] if channel < len(names) else str(channel)
                yield (
                    f"band {field}/{band} tells {truth} in all {len(chips)} chips that have cells "
                    "of both kinds"
                )

    def check(self) -> Check:
        """Answer.

        Returns
        -------
        Check
            Named "at_risk_truth".
        """
        leaks = Leaks()
        leaks.extend([*self._called(), *self._equal()])
        number = len({(field, channel) for _, field, channel in self._extremes})
        found = f"{number} mask-like bands against {sum(map(len, self._mixed.values()))} truths"
        return leaks.check("at_risk_truth", "truth among the inputs, by name or by value", found)


class Statistics:
    """Ask whether the scaler was fitted on the training chips, and on no others.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._stored = Scaler.from_record(evidence.store.attrs["scaler"])
        self._train, self._all = Moments(self._stored.names), Moments(self._stored.names)
        self._number = 0

    def see(self, chip: Chip, fields: Fields) -> None:
        """Add a chip to the moments.

        Parameters
        ----------
        chip : Chip
            Which one.
        fields : mapping of ndarray
            All of them.
        """
        self._all.add(fields)
        if chip.split == "train":
            self._train.add(fields)
            self._number += 1

    def check(self) -> Check:
        """Answer.

        Returns
        -------
        Check
            Named "statistics".
        """
        train, everything = self._train.scaler(), self._all.scaler()
        off, worst = _distance(self._stored, train)
        off_all, _ = _distance(self._stored, everything)
        leaks = Leaks()
        if off > _ROUNDED or (off > _ROUNDED / 10 and off > off_all):
            whose = "all splits" if off_all < _ROUNDED else "other chips"
            leaks.add(
                f"band {worst}: the scaler is off by {off:.3g} standard deviations from that of "
                f"the training chips, by {off_all:.3g} from that of all: it was fitted on {whose}"
            )
        return leaks.check(
            "statistics",
            "a scaler fitted outside the training chips",
            f"{self._number} training chips, off by {off:.1e} standard deviations",
        )


def _masklike(fields: Fields) -> Iterator[tuple[str, int, NDArray[Any]]]:
    """Inputs on 100 m cells that could be a mask; spectra may well tell burnt ground."""
    for name in ("fire", "static", "clear"):
        for channel, values in enumerate(fields[name]):
            if np.isfinite(values).all():
                yield name, channel, values


def _distance(one: Scaler, other: Scaler) -> tuple[float, str]:
    """Largest difference of two scalers in standard deviations, and the band that has it."""
    worst, band = 0.0, "none"
    for field, names in one.names.items():
        mean, std = np.array(one.mean[field]), np.array(one.std[field])
        scale = np.array(other.std[field])
        off = np.maximum(abs(mean - np.array(other.mean[field])), abs(std - scale)) / scale
        # half-precision fields are rounded by 2**-11 of their size
        off = off - np.minimum(off, 5e-4 * abs(mean) / scale)
        if off.size and off.max() > worst:
            worst, band = float(off.max()), f"{field}/{names[int(off.argmax())]}"
    return worst, band
