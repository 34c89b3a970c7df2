"""Batch: the fields every network sees, and their sizes.

A batch is a plain dict of tensors, so that anything may read it and a missing input is a mask,
never a fake value. N samples, K looks, Y and X cells of 100 m, y and x cells of a coarser level.
A benchmark may show Sentinel-2 in pixels of 10 m, a margin around the cells included; and it may
have one head alone, any fire, where its labels do not tell the two processes apart.

=================  ==================  =======================================================
field              shape               content
=================  ==================  =======================================================
``sentinel2``      (N, K, 13, Y, X)    reflectance of the K latest clear looks, newest first
``age``            (N, K, Y, X)        days from each look to T
``clear``          (N, K, Y, X)        1 where there is a look, else 0
``modis``          (N, Tm, V, y, x)    500 m cells, oldest first
``modis_mask``     (N, Tm, V, y, x)    1 where good
``weather``        (N, S, V, y, x)     days at 1 km cells, bilinear from 10 km; past, then horizon
``weather_mask``   (N, S, V)           1 where known at T
``around``         (N, S, V, b, a)     the same days on their own 10 km cells: those that hold the
                                       chip and a margin of `Channels.around`, if there is one
``around_mask``    (N, S, V, b, a)     1 where known at T
``off_centre``     (N, 2)              rows and columns of 100 m from the middle of `around` to the
                                       chip's: 0 where a chip lies in the middle
``fire``           (N, F, Y, X)        active and burnt as known at T
``fire_mask``      (N, F)              1 where hotspots are known at all, burning or not
``static``         (N, S0, Y, X)       terrain, water, roads, fuel classes one by one
``season``         (N, 2)              sine and cosine of the day of the year
``label``          (N, L, Y, X)        1 burns, 0 does not, in (T, T + horizon]; heads as `HEADS`
``valid``          (N, L, Y, X)        1 where the label is known and the cell at risk and burnable
``lead``           (N, 2, Y, X)        first and last lead on which the cell may burn, 1 to horizon;
                                       horizon + 1 = later or never, 0 = not known
``starts``         (N, H, y, x)        fires that start in each 1 km cell on each lead
``weight``         (N,)                1 / inclusion probability of the chip
=================  ==================  =======================================================
"""

from dataclasses import dataclass

HEADS = ("growth", "new")
"""Fires that had started by T, and fires that start after it: two processes, kept apart."""

INPUTS = ("sentinel2", "modis", "weather", "fire", "static", "season")
"""Fields that a network may read; `masks` names what tells missing from present."""

MASKS = {
    "sentinel2": "clear",
    "modis": "modis_mask",
    "weather": "weather_mask",
    "fire": "fire_mask",
}
"""Input field to the field that is 1 where it is present."""


WIDE = 100
"""Cells of 100 m along the side of a cell of `around`."""


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Sizes that a network is built for, known from the chips.

    Parameters
    ----------
    looks : int
        K, Sentinel-2 looks.
    sentinel2 : int
        Sentinel-2 bands.
    modis_steps, modis : int
        MODIS time steps and variables.
    weather_steps, weather : int
        Weather days and variables.
    fire : int
        As-of fire layers.
    static : int
        Static layers.
    heads : int
        L, maps to forecast: as `HEADS`, or 1 for any fire.
    leads : int
        H, days of the window that are forecast one by one; 0 = the window as a whole alone.
    size : int
        Y and X, cells of a chip's side.
    pixels : int
        Sentinel-2 pixels along the side of a cell: 1 at 100 m, 10 at 10 m.
    around : int
        Weather cells of 10 km on each side of a cell's own that its forecast may see; 0 = none.
    """

    looks: int
    sentinel2: int
    modis_steps: int
    modis: int
    weather_steps: int
    weather: int
    fire: int
    static: int
    heads: int = len(HEADS)
    leads: int = 0
    size: int = 80
    pixels: int = 1
    around: int = 0

    @property
    def maps(self) -> int:
        """Maps of the window as a whole.

        Returns
        -------
        int
            The heads, and with leads the rate of new fires.
        """
        return self.heads + (self.leads > 0)

    @property
    def outputs(self) -> int:
        """Maps that a network gives.

        Returns
        -------
        int
            Those of the window, then how each is shared among the leads: see `firesat.hazard`.
        """
        return self.maps * (1 + self.leads)
