"""How a group is laid out on disk: coordinates, arrays, attributes."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from firesat.bands import BANDS
from firesat.blocks import Layout, Variable, cells_per_block
from firesat.cube.hierarchy import Draft
from firesat.cube.shards import CODECS, Pattern
from firesat.errors import CubeError
from firesat.grid import TILE_SIZE, Grid, crs_of
from firesat.window import DAY_START

INNER_CHUNK = 250  # cells: small enough for a chip, large enough to compress
NEVER = int(np.iinfo("int64").min)  # the integer that xarray decodes as NaT
Attrs = dict[str, Any]  # whatever JSON can hold
LEAD_WORDS = "from the reference time to the end of the fire day"
_MOMENTS = {"units": "seconds since 1970-01-01T00:00:00", "calendar": "proleptic_gregorian"}


def record(layout: Layout, times: NDArray[np.datetime64]) -> Attrs:
    """What must not change once a group has been made."""
    days = times.astype("datetime64[s]").astype(np.int64)
    dates = np.datetime_as_string(times, unit="D")
    span = f"{len(dates)} from {dates[0]} to {dates[-1]}"
    finer = {} if layout.side == TILE_SIZE else {"side": layout.side}
    return {
        **finer,
        "level": layout.level,
        "steps": layout.steps,
        "whole_box": layout.whole_box,
        "stream": layout.stream,
        "variables": {v.name: _stored(v) for v in layout.variables},
        "times": f"{span} ({hashlib.sha256(days.tobytes()).hexdigest()[:16]})",
    }


def _stored(variable: Variable) -> list[Any]:
    """What must not change of an array; lead times only where there are any."""
    leads = [list(variable.leads)] if variable.leads else []
    return [variable.dtype, variable.scale, variable.fill, list(variable.bands), *leads]


def check_same(group: str, attrs: Attrs, wanted: Attrs) -> None:
    """Refuse another layout under an old name, saying what differs."""
    found = attrs.get("firesat_layout")
    if not isinstance(found, dict):
        raise CubeError(f"{group} was not made by firesat: take another cube.path")
    changed = differences(found, wanted)
    if changed:
        raise CubeError(
            f"the cube's group {group} was made with other settings ({changed}): take another "
            "cube.path, or put the settings back"
        )


def differences(found: Attrs, wanted: Attrs) -> str:
    """Say in a few words what has changed; "" if nothing has.

    Parameters
    ----------
    found, wanted : dict
        Names and values, there and now.

    Returns
    -------
    str
        Such as "steps: 3 there, 5 now".
    """
    words = []
    for key in dict.fromkeys([*found, *wanted]):
        there, now = found.get(key, "nothing"), wanted.get(key, "nothing")
        if isinstance(there, dict) and isinstance(now, dict):
            inner = differences(there, now)
            words.extend([f"{key}.{inner}"] if inner else [])
        elif there != now:
            words.append(f"{key}: {there} there, {now} now")
    return "; ".join(words)


def group_files(
    layout: Layout, grid: Grid, times: NDArray[np.datetime64], record: Attrs
) -> dict[str, bytes]:
    """Make a group: its coordinates, its empty arrays, its attributes."""
    draft = Draft()
    cells = grid.box(layout.level)
    root = zarr.create_group(draft.store, zarr_format=3)
    attrs = {**geo_attrs(cells), **layout.attrs, "firesat_layout": record}
    group = root.create_group(layout.group, attributes=attrs)
    _time_axis(group, times, layout)
    coordinates(group, cells)
    tiles = (1, 1) if layout.whole_box else _tile_counts(layout, cells)
    _plain(
        group,
        "available_time",
        np.full((len(times), *tiles), NEVER, dtype="int64"),
        ("time", "tile_y", "tile_x"),
        {**_MOMENTS, "long_name": "available since"},
        fill=NEVER,
    )
    for variable in layout.variables:
        _data(group, layout, variable, cells, len(times))
    return draft.files(f"{layout.group}/")


def pattern_of(layout: Layout, variable: Variable, cells: GeoBox) -> Pattern:
    """How an array's shards are cut: one block each, grown to whole chunks.

    Parameters
    ----------
    layout : Layout
        How its group is stored.
    variable : Variable
        Which array.
    cells : GeoBox
        All cells of the group.

    Returns
    -------
    Pattern
        The same for creating and for writing.
    """
    sides = cells.shape if layout.whole_box else (cells_per_block(layout),) * 2
    inner = tuple(min(INNER_CHUNK, side) for side in sides)
    outer = tuple(-(-side // n) * n for side, n in zip(sides, inner, strict=True))
    first = (layout.steps, *variable.inner.values())
    return Pattern(
        shard=(*first, *outer), chunk=(*first, *inner), variable=variable, codec=layout.codec
    )


def _tile_counts(layout: Layout, cells: GeoBox) -> tuple[int, int]:
    """Rows and columns of blocks."""
    side = cells_per_block(layout)
    return cells.shape[0] // side, cells.shape[1] // side


def _time_axis(group: zarr.Group, times: NDArray[np.datetime64], layout: Layout) -> None:
    """Write time, and of forecasts the reference times."""
    day_start = int(layout.attrs.get("day_start", DAY_START))
    seconds = times.astype("datetime64[s]").astype(np.int64)
    if "cycle" in layout.attrs:
        _plain(
            group,
            "reference_time",
            seconds + 3600 * int(layout.attrs["cycle"]),
            ("time",),
            {**_MOMENTS, "standard_name": "forecast_reference_time"},
        )
    _plain(
        group,
        "time",
        seconds,
        ("time",),
        {
            **_MOMENTS,
            "standard_name": "time",
            "comment": "date of reference_time"
            if "cycle" in layout.attrs
            else f"fire day: begins at {day_start:02d}:00 UTC of this date",
        },
    )


def coordinates(group: zarr.Group, cells: GeoBox) -> None:
    """Write y, x and spatial_ref.

    Parameters
    ----------
    group : zarr.Group
        Where.
    cells : GeoBox
        Its cells.
    """
    for dim in ("y", "x"):
        _plain(
            group,
            dim,
            np.asarray(cells.coordinates[dim].values, dtype="float64"),
            (dim,),
            {"units": "m", "standard_name": f"projection_{dim}_coordinate", "axis": dim.upper()},
        )
    a = cells.affine
    _plain(
        group,
        "spatial_ref",
        np.asarray(0, dtype="int32"),
        (),
        {
            **crs_of(cells).proj.to_cf(),
            "GeoTransform": f"{a.c} {a.a} {a.b} {a.f} {a.d} {a.e}",
        },
    )


def geo_attrs(cells: GeoBox) -> Attrs:
    """Give GeoZarr's proj: and spatial: attributes.

    Parameters
    ----------
    cells : GeoBox
        Of a group.

    Returns
    -------
    dict
        CRS, extent, transform and shape.
    """
    box, a = cells.boundingbox, cells.affine
    return {
        "proj:code": str(cells.crs),
        "spatial:dimensions": ["y", "x"],
        "spatial:transform": [a.a, a.b, a.c, a.d, a.e, a.f],
        "spatial:bbox": [box.left, box.bottom, box.right, box.top],
        "spatial:shape": list(cells.shape),
        "spatial:registration": "pixel",
    }


def _plain(
    group: zarr.Group,
    name: str,
    values: NDArray[np.generic],
    dims: Sequence[str],
    attrs: Attrs,
    fill: int | None = None,
) -> None:
    """Write a small array in one chunk."""
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape or "auto",
        dimension_names=list(dims),
        fill_value=0 if fill is None else fill,
        compressors=[ZstdCodec(), Crc32cCodec()],
        attributes=dict(attrs),
    )
    array[...] = values


def _data(group: zarr.Group, layout: Layout, variable: Variable, cells: GeoBox, steps: int) -> None:
    """Make an empty array whose shard is one block."""
    pattern = pattern_of(layout, variable, cells)
    group.create_array(
        variable.name,
        shape=(steps, *variable.inner.values(), *cells.shape),
        dtype=variable.dtype,
        chunks=pattern.chunk,
        shards=pattern.shard,
        dimension_names=["time", *variable.inner, "y", "x"],
        fill_value=pattern.fill,
        compressors=[
            BloscCodec(cname=pattern.codec, clevel=CODECS[pattern.codec], shuffle="shuffle"),
            Crc32cCodec(),  # any reader then refuses a chunk with a flipped bit
        ],
        attributes=_cf_attrs(variable),
    )
    if variable.bands and "band" not in group:
        _plain(
            group,
            "band",
            np.arange(len(variable.bands), dtype="int32"),
            ("band",),
            {"band_names": list(variable.bands)},
        )
    if variable.leads and "lead_time" not in group:
        _plain(
            group,
            "lead_time",
            np.array(variable.leads, dtype="int32"),
            ("lead_time",),
            {"units": "hours", "standard_name": "forecast_period", "long_name": LEAD_WORDS},
        )


def _cf_attrs(variable: Variable) -> Attrs:
    """CF attributes of an array on disk."""
    described = BANDS.get(variable.bands[0] if variable.bands else variable.name)
    attrs: Attrs = dict(described.attrs) if described else {}
    attrs.pop("valid_range", None)  # CF reads it in packed units, where it would mislead
    if variable.bands:
        attrs["band_names"] = list(variable.bands)
        attrs["long_name"] = variable.name
    if variable.packed:
        attrs["scale_factor"] = variable.scale
        attrs["_FillValue"] = variable.fill
    return {**attrs, **variable.attrs, "grid_mapping": "spatial_ref"}
