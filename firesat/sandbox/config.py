"""The settings of a sandbox world."""

from dataclasses import dataclass
from datetime import date

from firesat.errors import ConfigError

KILOMETRE = 1000.0
SMALLEST = 10_000.0  # metres: two cells of weather
FIRST_MONTH_DAY, LAST_MONTH_DAY = "04-02", "10-30"


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """What makes one sandbox world: the same settings give the same world.

    Parameters
    ----------
    seed : int
        Seed of everything random, 0 or more.
    region : tuple of float
        x0, y0, x1, y1 in metres in `crs`, multiples of 1 km, at least 10 km wide and high.
    crs : str
        A metric CRS; EPSG:3979 by default.
    seasons : tuple of int
        Years, rising. Scars of one season are there in the next.
    first_day, last_day : str
        Month and day (MM-DD) of the first and the last day on which fires can start, within
        2 April and 30 October.
    cloudiness : float
        Mean cloud fraction at the satellites' overpass, 0.05 to 0.95.
    fire_activity : float
        Factor on the rates of ignition, 0 or more; 1 gives about 60 mapped fires a season on
        60 x 60 km, some twenty times nature's.
    s2_blind : bool
        Whether Sentinel-2 shows nothing of what burns beyond the served maps: a world in which a
        model must not gain by it. Everything else stays as it is.

    Raises
    ------
    ConfigError
        If a setting is impossible.
    """

    seed: int = 7
    region: tuple[float, float, float, float] = (10_000.0, 620_000.0, 70_000.0, 680_000.0)
    crs: str = "EPSG:3979"
    seasons: tuple[int, ...] = (2021, 2022, 2023)
    first_day: str = "05-01"
    last_day: str = "09-30"
    cloudiness: float = 0.45
    fire_activity: float = 1.0
    s2_blind: bool = False

    def __post_init__(self) -> None:
        """Refuse worlds that cannot be."""
        if self.seed < 0:
            raise ConfigError(f"sandbox seed is {self.seed}: give 0 or more")
        _check_region(self.region)
        if not self.seasons or list(self.seasons) != sorted(set(self.seasons)):
            raise ConfigError(f"sandbox seasons are {self.seasons}: give years, rising, each once")
        for year in self.seasons:
            _check_days(year, self.first_day, self.last_day)
        if not 0.05 <= self.cloudiness <= 0.95:
            raise ConfigError(f"sandbox cloudiness is {self.cloudiness}: give 0.05 to 0.95")
        if not 0.0 <= self.fire_activity <= 100.0:
            raise ConfigError(f"sandbox fire_activity is {self.fire_activity}: give 0 to 100")

    def first_date(self, year: int) -> date:
        """Give the first day of a season.

        Parameters
        ----------
        year : int
            The season's year.

        Returns
        -------
        date
            The first day on which fires can start.
        """
        return date.fromisoformat(f"{year}-{self.first_day}")

    def last_date(self, year: int) -> date:
        """Give the last day of a season.

        Parameters
        ----------
        year : int
            The season's year.

        Returns
        -------
        date
            The last day on which fires can start.
        """
        return date.fromisoformat(f"{year}-{self.last_day}")


def _check_region(region: tuple[float, float, float, float]) -> None:
    """Refuse regions that are empty, tiny or off the kilometre lines."""
    x0, y0, x1, y1 = region
    if x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        raise ConfigError(
            f"sandbox region is {x1 - x0:g} x {y1 - y0:g} m: "
            "give x0, y0, x1, y1 with at least 10000 m each way"
        )
    if any(edge % KILOMETRE for edge in region):
        raise ConfigError(f"sandbox region {region} is off the kilometre lines: use whole km")


def _check_days(year: int, first: str, last: str) -> None:
    """Refuse days that do not exist, are reversed or lie outside the simulated months."""
    try:
        begin, end = (date.fromisoformat(f"{year}-{day}") for day in (first, last))
    except ValueError:
        raise ConfigError(
            f"sandbox days are {first!r} and {last!r}: write month and day as 05-01"
        ) from None
    if begin > end:
        raise ConfigError(f"sandbox first_day {first} is after last_day {last}: swap them")
    if first < FIRST_MONTH_DAY or last > LAST_MONTH_DAY:
        raise ConfigError(
            f"sandbox days {first} to {last} leave the simulated months: "
            f"stay within {FIRST_MONTH_DAY} and {LAST_MONTH_DAY}"
        )
