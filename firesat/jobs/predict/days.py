"""Which days can be forecast from what a cube holds."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firesat.cube import groups, open_cube
from firesat.errors import CubeError
from firesat.samples import Inputs

_DAY = np.timedelta64(1, "D")


def check_days(days: Iterable[str], cube_path: Path, inputs: Inputs) -> None:
    """Refuse days for which the cube has no weather.

    A day needs the weather of the day before; in hindsight that of the window too; in operation,
    where the latest days are never there yet, that of any of the days it looks back on.

    Parameters
    ----------
    days : iterable of str
        Issue days.
    cube_path : Path
        The cube.
    inputs : Inputs
        What the forecaster reads.

    Raises
    ------
    CubeError
        For the first such day, naming the last one that can be forecast.
    """
    known = _weather_days(cube_path, "era5_land" if inputs.weather else "fire_weather")
    possible = _rule(set(known.tolist()), inputs)
    for day in days:
        if not possible(np.datetime64(day, "D")):
            raise CubeError(
                f"{day} cannot be forecast: {cube_path.name} has weather from {known[0]} to "
                f"{known[-1]}{', with gaps' if _gaps(known) else ''}. The last possible day is "
                f"{_last(known, possible, inputs)}. Run firesat ingest for later days"
            )


def _weather_days(cube_path: Path, group: str) -> NDArray[np.datetime64]:
    """Days whose weather is in the cube, whenever it became available."""
    if group in groups(cube_path):
        with open_cube(cube_path, group) as weather:
            written = ~np.isnat(weather.available_time.values).all(axis=(1, 2))
            days: NDArray[np.datetime64] = weather.time.values[written].astype("datetime64[D]")
        if days.size:
            return days
    raise CubeError(f"{cube_path} holds no weather ({group}) yet: run firesat ingest")


def _rule(known: set[object], inputs: Inputs) -> Callable[[np.datetime64], bool]:
    """Whether a day can be forecast."""
    past = range(-inputs.weather_days, 0)
    needed = range(-1, inputs.window.horizon) if inputs.regime == "hindsight" else range(-1, 0)

    def possible(day: np.datetime64) -> bool:
        """Look the days up."""
        if inputs.regime == "operational":
            return any((day + n * _DAY).item() in known for n in past)
        return all((day + n * _DAY).item() in known for n in needed)

    return possible


def _gaps(known: NDArray[np.datetime64]) -> bool:
    """Whether days are missing in between."""
    return bool((np.diff(known) > _DAY).any())


def _last(
    known: NDArray[np.datetime64], possible: Callable[[np.datetime64], bool], inputs: Inputs
) -> str:
    """The last day that can be forecast, or "none"."""
    reach = known[-1] + inputs.weather_days * _DAY
    candidates = np.arange(reach, known[0], -_DAY)
    return next((str(day) for day in candidates if possible(day)), "none")
