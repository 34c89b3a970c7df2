"""Whether the chips are those of the config, drawn with the chances that they claim."""

from typing import Any

import numpy as np

from firesat.audit.evidence import Chip, Evidence
from firesat.audit.result import Check, Leaks
from firesat.errors import SampleError
from firesat.samples import SampleSettings
from firesat.sampling import FIRE, STRATA

Rates = dict[tuple[str, str, int, int], float]
"""Share taken of each bin: split, stratum, season or fire weather, land cover."""

_HOUR = np.timedelta64(1, "h")


def check_settings(evidence: Evidence, settings: SampleSettings) -> None:
    """Refuse chips that were made with other settings.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    settings : SampleSettings
        Of the config.

    Raises
    ------
    SampleError
        Naming the first difference, or a stratum that is none today.
    """
    attrs = evidence.store.attrs
    strange = {row["stratum"] for row in attrs["design"]} - set(STRATA)
    if strange:
        raise SampleError(
            f"the chips at {evidence.store.path} were drawn by an older firesat, from the stratum "
            f"{min(strange)}: run firesat sample again"
        )
    wanted = {
        **{f"inputs.{key}": value for key, value in settings.inputs.record.items()},
        "chip": settings.chip,
        "stride": settings.stride,
        "issue_step": settings.issue_step,
        "growth": settings.growth,
        "seed": settings.seed,
    }
    found = {
        **{f"inputs.{key}": value for key, value in attrs["inputs"].items()},
        "chip": attrs["channels"]["size"],
        **{key: attrs.get(key) for key in ("stride", "issue_step", "growth", "seed")},
    }
    for key in wanted | found:  # a setting at rest is in neither, or in one of them
        value = wanted.get(key, False)
        if _plain(found.get(key, False)) != _plain(value):
            raise SampleError(
                f"the chips at {evidence.store.path} were made with sample.{key} {found.get(key)}, "
                f"the config says {value}: run firesat sample again"
            )


def _plain(value: object) -> object:
    """A value as JSON gives it back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def check_design(evidence: Evidence, settings: SampleSettings) -> Check:
    """Work out the chance of every chip from the numbers of the draw; look for chips drawn twice.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    settings : SampleSettings
        Periods and matching.

    Returns
    -------
    Check
        Named "design".
    """
    table, leaks = evidence.store.table, Leaks()
    rates: Rates = {
        (row["split"], row["stratum"], row["season_or_fwi"], row["fuel"]): (
            row["taken"] / row["frame"]
        )
        for row in evidence.store.attrs["design"]
        if row["frame"]
    }
    periods = {
        **settings.splits,
        **{name: settings.splits[of] for name, of in settings.hard.items()},
    }
    days = {split: {str(d) for p in some for d in p.days} for split, some in periods.items()}
    for chip, row in zip(evidence.chips, table.itertuples(), strict=True):
        expected = _chance(chip, row, rates, settings)
        if not 0 < chip.pi <= 1 or abs(chip.pi - expected) > 1e-9:
            leaks.add(f"{chip}: pi is {chip.pi:.6g}, by the design {expected:.6g}")
        window = chip.day + np.arange(settings.inputs.window.horizon)
        if not set(window.astype(str)) <= days.get(chip.split, set()):
            leaks.add(f"{chip}: its window leaves the periods of {chip.split}")
    twice = table.duplicated(["split", "tile", "row", "col", "reference_time"])
    leaks.extend(f"{evidence.chips[number]}: taken twice" for number in np.flatnonzero(twice))
    weight = {str(split): (1 / some["pi"]).sum() for split, some in table.groupby("split")}
    found = ", ".join(f"{split} stands for {total:.0f}" for split, total in weight.items())
    return leaks.check("design", "chances other than those of the draw", f"chips of {found}")


def _chance(chip: Chip, row: Any, rates: Rates, settings: SampleSettings) -> float:  # noqa: ANN401
    """Inclusion probability of a chip, from the rates of its split's draws."""
    if chip.stratum in (*FIRE, "near_fire"):
        return rates.get((chip.split, chip.stratum, 0, 0), 0.0)
    fwi = int(settings.match.fwi_class(row.fwi))
    bins = (
        ("random", 0, 0),
        ("matched", settings.match.season(str(chip.day)), int(row.fuel)),
        ("hard", fwi, int(row.fuel)),
    )
    return 1 - float(np.prod([1 - rates.get((chip.split, *name), 0.0) for name in bins]))


def check_clock(evidence: Evidence, groups: tuple[str, ...]) -> Check:
    """Compare the cube's times of arrival with the receipts, and both with the latencies.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    groups : tuple of str
        Those that the chips are made of.

    Returns
    -------
    Check
        Named "clock".
    """
    leaks, vouched = Leaks(), 0
    for group in groups:
        if group not in evidence.there:
            continue
        opened = evidence.open(group)
        cube = opened["available_time"].values.astype("datetime64[s]")
        steps = int(opened.attrs["firesat_layout"]["steps"])
        receipts = evidence.receipts(group, cube.shape, steps)
        days = opened["time"].values.astype("datetime64[s]")
        if receipts is not None:
            vouched += int((~np.isnat(receipts)).sum())
            early = ~np.isnat(cube) & ~(receipts <= cube)
            leaks.extend(
                f"{group} of {days[t].astype('datetime64[D]')}, tile row {r} column {c}: the cube "
                f"says {cube[t, r, c]}, its receipt {receipts[t, r, c]}"
                for t, r, c in np.argwhere(early)
            )
        if "latency_hours" not in opened.attrs:
            continue
        latency = np.timedelta64(round(float(opened.attrs["latency_hours"]) * 3600), "s")
        start = days + int(opened.attrs.get("day_start", 0)) * _HOUR
        if "detection_latency_hours" in opened.attrs:  # what a day published, when it was over
            start = start + 24 * _HOUR
        if "reference_time" in opened.coords:  # of a forecast, whose run is what must be over
            start = opened["reference_time"].values.astype("datetime64[s]")
        soon = ~np.isnat(cube) & (cube < (start + latency)[:, None, None])
        leaks.extend(
            f"{group} of {days[t].astype('datetime64[D]')} is available {cube[t, r, c]}, before "
            f"its latency of {latency.astype('timedelta64[h]')} has passed"
            for t, r, c in np.argwhere(soon)
        )
    found = f"{vouched} receipts" if vouched else "no receipts: the cube's own times are taken"
    return leaks.check("clock", "times of arrival that the receipts or latencies contradict", found)
