"""Your own rasters, under the lexicon's names."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS, band
from firesat.blocks import Block, Layout, Variable
from firesat.errors import ConfigError
from firesat.sources._layers import empty, hours, latest, layer
from firesat.sources._local import OnDisk
from firesat.sources._rasters import read_bands, stack_bands
from firesat.sources.base import Scene
from firesat.window import fire_day


@dataclass(frozen=True, kw_only=True)
class LocalRasters(OnDisk):
    """Rasters on disk, one tile and fire day a block.

    Parameters
    ----------
    group : str
        Name in the cube.
    files : dict of str to str
        Path below `root`: when it was taken, ISO 8601 UTC.
    bands : dict of str to int
        Name of the lexicon: number in the file, from 1.
    stack : str
        Name of one array that holds all bands, such as "reflectance"; "" = an array for each.
    clear : {"", "observed", "masked"}
        Whether to add an array ``clear``, the share of each cell that shows the ground: where every
        band was observed, as in a composite without clouds; or by firesat's own cloud mask, which
        needs all 13 bands of a Level 1C image in the order of the lexicon. The group ``sentinel2``
        needs it, beside ``stack: reflectance``.
    level : int
        Cell size at which they are stored, in metres.
    scale, offset : float
        Physical value = number * scale + offset; 1 and 0 = by what the file itself says.
    nodata : float, optional
        Number that means missing; None = what the file says.
    crs : str, optional
        To assume where a file names none.
    latency_hours : float
        From the observation to its availability.
    comment : str
        What readers of the cube must know of the files; an attribute of the group.
    root : str
        Folder of the files.
    root_env : str
        Environment variable that names another folder; "" = none.
    """

    group: str
    files: dict[str, str]
    bands: dict[str, int]
    stack: str = ""
    clear: Literal["", "observed", "masked"] = ""
    level: int = 100
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    crs: str | None = None
    latency_hours: float = 24.0
    comment: str = ""

    def __post_init__(self) -> None:
        """Refuse unknown bands and times before any file is opened."""
        for name in self.bands:
            band(name)
        for path in self.files:
            self._taken(path)
        self._check_clear()

    def _check_clear(self) -> None:
        """Refuse arrays that a forecast could not read, and masks that need other bands."""
        if self.group == "sentinel2" and not (self.clear and self.stack == "reflectance"):
            raise ConfigError(
                "local rasters as group sentinel2 need stack: reflectance and clear: observed or "
                "masked"
            )
        whole = self.stack == "reflectance" and tuple(self.bands) == SENTINEL2_BANDS
        if self.clear == "masked" and not whole:
            raise ConfigError(
                f"clear: masked needs stack: reflectance and the bands {', '.join(SENTINEL2_BANDS)}"
                " in this order: give them, or clear: observed"
            )

    def _taken(self, path: str) -> np.datetime64:
        """When a file was taken."""
        try:
            return np.datetime64(self.files[path].removesuffix("Z"), "s")
        except ValueError:
            raise ConfigError(
                f"{self.files[path]!r} of {path} is no time: write it as 2023-07-05T18:20:00"
            ) from None

    @property
    def layout(self) -> Layout:
        """How its group is stored.

        Returns
        -------
        Layout
            float32, under the lexicon's names or stacked along a band axis; `clear` in per cent.
        """
        names = tuple(self.bands)
        stacked = (Variable(name=self.stack, bands=names),)
        arrays = stacked if self.stack else tuple(Variable(name=name) for name in names)
        share = (Variable(name="clear", dtype="uint8", scale=0.01, fill=255),)
        return Layout(
            group=self.group,
            level=self.level,
            variables=(*arrays, *(share if self.clear else ())),
            attrs={
                "source": "local rasters",
                "provider": "",
                "licence": "as stated by the makers of the files",
                "latency_hours": self.latency_hours,
                **({"comment": self.comment} if self.comment else {}),
            },
        )

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Choose its time axis.

        Parameters
        ----------
        days : ndarray of datetime64[D]
            Fire days of the project.

        Returns
        -------
        ndarray of datetime64[D]
            Those on which a file was taken.
        """
        taken = fire_day(np.array([self._taken(path) for path in self.files]))
        return np.intersect1d(taken, days.astype("datetime64[D]"))

    def search(self, block: Block) -> list[Scene]:
        """List the files of a block's day.

        Parameters
        ----------
        block : Block
            A tile and a fire day.

        Returns
        -------
        list of Scene
            In order of time.
        """
        day = block.times[0].astype("datetime64[D]")
        latency = hours(self.latency_hours)
        return [
            Scene(id=path, source=self.group, observed=taken, available=taken + latency)
            for path in sorted(self.files, key=self._taken)
            if fire_day(taken := self._taken(path)) == day
        ]

    def read(self, path: Path) -> xr.Dataset:
        """Read a raster.

        Parameters
        ----------
        path : Path
            Of a format that holds its own pixels: GeoTIFF, JP2, ENVI, ASCII grid, ...

        Returns
        -------
        xr.Dataset
            float32 in the lexicon's units, NaN where missing; dims ``(y, x)``, or ``(band, y, x)``
            where stacked; with ``clear (y, x)`` if all that was observed is clear. Where it is to
            be masked, the attribute ``mask`` says by what.

        Raises
        ------
        CorruptFileError
            If it is damaged or lacks a band.
        GridError
            If it has no CRS and none is configured.
        """
        rule = partial(read_bands, scale=self.scale, offset=self.offset, nodata=self.nodata)
        dataset = rule(path, self.bands, crs=self.crs)
        fine = abs(dataset.odc.geobox.resolution.x) < self.level
        if self.clear == "observed":
            dataset = dataset.assign(clear=self._observed(dataset, fine))
        if not self.stack:
            return dataset
        mask = {"mask": "sentinel2"} if self.clear == "masked" else {}
        return stack_bands(dataset, list(self.bands), self.stack, fine=fine).assign_attrs(mask)

    def _observed(self, dataset: xr.Dataset, fine: bool) -> xr.DataArray:
        """1 where every band is there, 0 elsewhere."""
        seen = np.logical_and.reduce([np.isfinite(dataset[name].values) for name in self.bands])
        attrs = {"units": "1", "resampling": "average" if fine else "nearest"}
        return dataset[next(iter(self.bands))].copy(data=seen.astype("float32")).assign_attrs(attrs)

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Mosaic the files of a day; later ones fill what earlier ones lack or saw less clearly.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            Aligned to the block's cells.
        block : Block
            A tile and a fire day.

        Returns
        -------
        xr.Dataset
            The layout's variables, ``(time, [band,] y, x)``.
        """
        arrays = {each.name: empty(block, len(each.bands)) for each in self.layout.variables}
        for _, dataset in scenes:
            clearer = self._clearer(arrays, dataset)
            for name, values in arrays.items():
                better = np.isnan(values[0]) if clearer is None else clearer
                values[0] = np.where(better, dataset[name].values, values[0])
        available = latest(scene.available for scene, _ in scenes)
        return layer(arrays, block, np.array([available]))

    def _clearer(
        self, arrays: dict[str, NDArray[np.float32]], dataset: xr.Dataset
    ) -> NDArray[np.bool_] | None:
        """Where a file shows more of a cell than those before it; None if nothing tells."""
        if not self.clear:
            return None
        share = dataset["clear"].values
        # a NaN before is always worse
        return np.asarray(np.isfinite(share) & ~(share <= arrays["clear"][0]))
