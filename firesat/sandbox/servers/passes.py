"""The passes of a world's satellites, each worked out once."""

import threading
from datetime import UTC, date, datetime, time, timedelta

from firesat.sandbox.observe import sentinel2
from firesat.sandbox.observe.sentinel2 import Acquisition
from firesat.sandbox.world import World


class Passes:
    """Acquisitions by day.

    Parameters
    ----------
    world : World
        What is seen.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._days: dict[date, list[Acquisition]] = {}
        self._lock = threading.Lock()

    def between(self, start: datetime, end: datetime) -> list[Acquisition]:
        """List the passes of a period.

        Parameters
        ----------
        start, end : datetime
            With time zones, both included; a day is worked out when it is first asked for.

        Returns
        -------
        list of Acquisition
            By time.
        """
        seasons = self._world.config.seasons
        day = max(start.astimezone(UTC).date(), date(seasons[0], 1, 1))
        last = min(end.astimezone(UTC).date(), date(seasons[-1], 12, 31))
        found: list[Acquisition] = []
        while day <= last:
            found += [each for each in self._on(day) if start <= each.time <= end]
            day += timedelta(days=1)
        return found

    def _on(self, day: date) -> list[Acquisition]:
        """The passes of a day."""
        with self._lock:
            if day not in self._days:
                begin = datetime.combine(day, time(), UTC)
                almost = timedelta(days=1, microseconds=-1)
                self._days[day] = sentinel2.acquisitions(self._world, begin, begin + almost)
            return self._days[day]
