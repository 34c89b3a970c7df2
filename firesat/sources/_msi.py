"""What both ways to Sentinel-2 share: one group of the cube, and how a day is mosaicked."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block, Layout, Variable
from firesat.sources._layers import empty, georeferenced, latest, layer
from firesat.sources.base import Scene

SCALE = 1e-4  # reflectance of one stored step
FILL = 65535


_SIDES = {10: 25_000, 20: 50_000, 100: 100_000}  # metres of a block by level: all of 100 MB or less


def msi_layout(provider: str, latency_hours: float, day_start: int, level: int = 100) -> Layout:
    """Give the layout of the group ``sentinel2``.

    Parameters
    ----------
    provider : str
        Who serves it.
    latency_hours : float
        From the overpass to its publication.
    day_start : int
        Hour UTC at which days begin.
    level : {10, 20, 100}
        Metres of a cell.

    Returns
    -------
    Layout
        Reflectance of 13 bands and the clear fraction, packed.
    """
    return Layout(
        group="sentinel2",
        level=level,
        side=_SIDES[level],
        variables=(
            Variable(
                name="reflectance", dtype="uint16", bands=SENTINEL2_BANDS, scale=SCALE, fill=FILL
            ),
            Variable(name="clear", dtype="uint8", scale=0.01, fill=255),
        ),
        attrs={
            "source": "Sentinel-2 MSI L1C, harmonised top-of-atmosphere reflectance",
            "provider": provider,
            "licence": "contains modified Copernicus Sentinel data",
            "day_start": day_start,
            "latency_hours": latency_hours,
        },
    )


def msi_scene(
    reflectance: np.ndarray,
    observed: np.ndarray,
    cells: GeoBox,
    rule: str,
    *,
    clear: np.ndarray | None = None,
) -> xr.Dataset:
    """Dress the pixels of a scene.

    Parameters
    ----------
    reflectance : ndarray of float32, shape (13, Y, X)
        NaN where there are no data.
    observed : ndarray of float32, shape (Y, X)
        Share of each pixel that was observed, 0 to 1.
    cells : GeoBox
        The pixels.
    rule : str
        How they may be resampled.
    clear : ndarray of float32, shape (Y, X), optional
        Share of what was observed that is clear, where clouds have been masked already.

    Returns
    -------
    xr.Dataset
        Without `clear`, clouds are still there: the attribute ``mask`` says which mask to apply.
    """
    attrs = {"units": "1", "resampling": rule}
    variables: dict[str, xr.DataArray] = {
        "reflectance": xr.DataArray(
            reflectance,
            dims=("band", "y", "x"),
            coords={"band": list(SENTINEL2_BANDS)},
            attrs=attrs,
        ),
        "observed": xr.DataArray(observed, dims=("y", "x"), attrs=attrs),
    }
    if clear is not None:
        variables["clear"] = xr.DataArray(clear, dims=("y", "x"), attrs=attrs)
        return georeferenced(variables, cells)
    return georeferenced(variables, cells).assign_attrs(mask="sentinel2")


def clearest(scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
    """Mosaic the scenes of a day: each cell from the clearest.

    Parameters
    ----------
    scenes : sequence of (Scene, xr.Dataset)
        Aligned to the block's cells, with ``clear (y, x)`` from a cloud mask; without it, all that
        was observed counts as clear.
    block : Block
        A tile and a fire day.

    Returns
    -------
    xr.Dataset
        ``reflectance (time, band, y, x)`` and ``clear (time, y, x)``, 0 = cloudy; NaN where nobody
        looked.
    """
    reflectance, clear = empty(block, len(SENTINEL2_BANDS)), empty(block)
    for _, dataset in scenes:
        share = dataset["clear" if "clear" in dataset else "observed"].values
        better = np.isfinite(share) & ~(share <= clear[0])  # a NaN there is always worse
        better &= dataset["observed"].values > 0
        clear[0][better] = share[better]
        reflectance[0][:, better] = dataset["reflectance"].values[:, better]
    available = latest(scene.available for scene, _ in scenes)
    return layer({"reflectance": reflectance, "clear": clear}, block, np.array([available]))
