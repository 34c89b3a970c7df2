"""CanadaFireSat's files, small and made up: the published names, types, nesting and shapes.

What the library `datasets` writes: nested lists, snappy, dictionaries; and in the schema the shapes
of its own array types, under names that only that library knows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Row = dict[str, Any]

MEANS = {
    "tab_era5": [
        "relative_humidity_2m_mean", "skin_temperature_mean", "temperature_2m_mean",
        "total_precipitation_sum_mean", "vapor_pressure_2m_mean",
        "volumetric_soil_water_layer_1_mean", "wind_speed_10m_mean",
    ],
    "tab_modis": ["EVI", "Fpar_500m", "LST_Day_1km_mean", "Lai_500m", "NDVI"],
    "tab_cds": ["drtcode_mean", "fwinx_mean"],
    "env_era5": ["temperature_2m_mean", "wind_speed_10m_mean"],
    "env_modis11": ["LST_Day_1km_max", "LST_Day_1km_mean", "LST_Day_1km_min"],
    "env_modis13_15": ["EVI", "Fpar_500m", "Lai_500m", "NDVI"],
    "env_cds": ["drtcode_mean", "fwinx_mean"],
}  # fmt: skip
"""meta_hf.json; the data set has maxima and minima too, so that columns must be found by name."""
NAMES = MEANS | {
    column: [*MEANS[column], *(name.replace("_mean", "_max") for name in MEANS[column])]
    for column in ("tab_era5", "tab_cds", "env_era5")
}

TILES = {"env_era5": (32, 11132.0), "env_cds": (4, 27830.0), "env_modis11": (16, 1000.0),
         "env_modis13_15": (32, 500.0)}  # fmt: skip
"""Column to the side of its tile and of its pixels in metres."""

SHAPES: dict[str, tuple[tuple[int | None, ...], str]] = {
    "10x": ((None, 4, 264, 264), "uint8"),
    "20x": ((None, 6, 132, 132), "uint8"),
    "60x": ((None, 3, 44, 44), "uint8"),
    "loc": ((2, 264, 264), "float32"),
    "labels": ((264, 264), "uint8"),
    **{name: ((8, len(NAMES[name])), "float64") for name in ("tab_cds", "tab_modis", "tab_era5")},
    **{name: ((8, len(NAMES[name]), side, side), "float32") for name, (side, _) in TILES.items()},
    **{f"{name}_loc": ((side, side, 2), "float32") for name, (side, _) in TILES.items()},
}
WORDS = ("region", "tile_id", "file_id")
COLUMNS = (
    "doy", "10x", "20x", "60x", "loc", "labels", *WORDS, "fwi", "tab_cds", "tab_modis", "tab_era5",
    "env_cds", "env_cds_loc", "env_modis11", "env_modis11_loc", "env_modis13_15",
    "env_modis13_15_loc", "env_era5", "env_era5_loc", "env_doy",
)  # fmt: skip


def grid(side: int, metres: float, lon: float, lat: float) -> NDArray[np.float32]:
    """Longitude and latitude of the pixels around a place, shape (side, side, 2)."""
    offset = (np.arange(side) - (side - 1) / 2) * metres
    east = lon + offset / (111_320 * np.cos(np.deg2rad(lat)))
    north = lat - offset / 111_320
    return np.stack(np.meshgrid(east, north), axis=-1).astype("f4")


def make_row(seed: int, *, positive: bool = True, day: date = date(2021, 7, 4)) -> Row:
    """A random sample: 3 to 7 looks, a burnt disc, a missing day of weather, gaps in MODIS."""
    rng = np.random.default_rng(seed)
    lon, lat = -110 + rng.random(), 55 + rng.random()
    first, looks = 60, int(rng.integers(3, 8))
    ages = np.sort(rng.choice(np.arange(1, first), looks, replace=False))[::-1]
    row: Row = {
        "date": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "doy": [_doy(day, int(age)) for age in ages],
        "env_doy": [_doy(day, 8 * step) for step in range(8, 0, -1)],
        "tile_id": str(seed), "file_id": "POS" if positive else "NEG", "fwi": 20 * rng.random(),
        "loc": np.moveaxis(grid(264, 10, lon, lat), -1, 0),
        "labels": _disc(rng) if positive else np.zeros((264, 264), "u1"),
    }  # fmt: skip
    for column, (bands, side) in {"10x": (4, 264), "20x": (6, 132), "60x": (3, 44)}.items():
        coarse = rng.integers(5, 90, (looks, bands, 11, 11), "u1")
        row[column] = coarse.repeat(side // 11, -1).repeat(side // 11, -2)
    for column in ("tab_cds", "tab_modis", "tab_era5"):
        row[column] = 5 + rng.random((8, len(NAMES[column])))
    row["tab_era5"][0] = np.nan
    for column, (side, metres) in TILES.items():
        tile = np.broadcast_to(
            rng.random((8, len(NAMES[column]), 1, 1), "f4"), SHAPES[column][0]
        ).copy()
        tile[0, :, : side // 2] = np.nan
        row[column] = tile
        row[f"{column}_loc"] = grid(side, metres, lon, lat)
    return row


def _doy(day: date, back: int) -> int:
    return (day - timedelta(days=back)).timetuple().tm_yday


def _disc(rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x = np.ogrid[:264, :264]
    row, col = rng.integers(40, 220, 2)
    return ((y - row) ** 2 + (x - col) ** 2 < 40**2).astype("u1")


class _Array(pa.ExtensionType):  # type: ignore[misc]
    """An array of the library `datasets`, as other libraries see it: a name they do not know."""

    def __init__(self, shape: Sequence[int | None], kind: str, name: str) -> None:
        self._said = json.dumps([list(shape), kind]).encode()
        storage = pa.from_numpy_dtype(np.dtype(kind))
        for _ in shape:
            storage = pa.list_(storage)
        super().__init__(storage, name)

    def __arrow_ext_serialize__(self) -> bytes:
        return self._said

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, said: bytes) -> "_Array":
        shape, kind = json.loads(said)
        return cls(shape, kind, _word(shape))


def _word(shape: Sequence[int | None]) -> str:
    return f"datasets.features.features.Array{len(shape)}DExtensionType"


def nested(arrays: Sequence[NDArray[Any] | None]) -> pa.Array:
    """One nested list for each array, of any lengths; null for None."""
    given = [array for array in arrays if array is not None]
    flat = pa.array(np.concatenate([array.reshape(-1) for array in given]))
    for axis in range(given[0].ndim - 1, 0, -1):
        number = [(array.shape[axis], int(np.prod(array.shape[:axis]))) for array in given]
        flat = _lists([length for length, times in number for _ in range(times)], flat)
    gone = pa.array([array is None for array in arrays])
    return _lists([0 if array is None else len(array) for array in arrays], flat, gone)


def _lists(lengths: Sequence[int], values: pa.Array, gone: pa.Array | None = None) -> pa.Array:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=gone)


def table(
    rows: Sequence[Row], region: str, *, wrapped: bool | str = True, dated: bool = True
) -> pa.Table:
    """Rows as a table of the published types.

    Parameters
    ----------
    rows : sequence of dict
        From `make_row`, changed at will: a column that no row has is left out.
    region : str
        Province or territory.
    wrapped : bool or str
        Whether arrays have the type of `datasets` (its name, if it is to be another one).
    dated : bool
        Whether there is a column with the date of T.
    """
    named = [name for name in COLUMNS if name == "region" or name in rows[0]]
    dates = ["date"] if dated else []
    return pa.table({name: _column(name, rows, region, wrapped) for name in [*named, *dates]})


def _column(name: str, rows: Sequence[Row], region: str, wrapped: bool | str) -> pa.Array:
    values = [region if name == "region" else row[name] for row in rows]
    if name not in SHAPES:
        return pa.array(values, _SIMPLE.get(name, pa.string()))
    if any(isinstance(value, list) for value in values):
        return pa.array(values)
    shape, kind = SHAPES[name]
    stored = nested(values)
    array = _Array(shape, kind, wrapped if isinstance(wrapped, str) else _word(shape))
    if not wrapped or stored.type != array.storage_type:
        return stored
    return pa.ExtensionArray.from_storage(array, stored)


_SIMPLE = {
    "fwi": pa.float64(), "date": pa.timestamp("s"), "doy": pa.list_(pa.int64()),
    "env_doy": pa.list_(pa.int64()),
}  # fmt: skip


def write_files(
    folder: Path,
    regions: Mapping[str, Mapping[str, Sequence[Sequence[Row]]]],
    *,
    rows_in_group: int = 2,
    **how: Any,
) -> Path:
    """Write a data set.

    Parameters
    ----------
    folder : Path
        Where.
    regions : mapping
        Province to kind of file ("train", "validation", "test", "test_hard") to the rows of each.
    rows_in_group : int
        Rows of a row group.
    **how : dict
        As for `table`.

    Returns
    -------
    Path
        `folder`.
    """
    for region, kinds in regions.items():
        (folder / region).mkdir(parents=True, exist_ok=True)
        for kind, files in kinds.items():
            for number, rows in enumerate(files):
                name = f"{kind}-{number:05}-of-{len(files):05}.parquet"
                pq.write_table(
                    table(rows, region, **how), folder / region / name, row_group_size=rows_in_group
                )
    (folder / "meta_hf.json").write_text(json.dumps(NAMES))
    return folder


Kinds = dict[str, list[list[Row]]]


def make_set() -> dict[str, Kinds]:
    """Two provinces: 12 + 5 samples to train, 2 + 1 to validate, 3 + 2 to test, harder ones."""
    numbers = iter(range(1000))

    def some(year: int, *fires: bool) -> list[Row]:
        first = date(year, 6, 2)
        return [
            make_row(next(numbers), positive=fire, day=first + timedelta(days=8 * place))
            for place, fire in enumerate(fires)
        ]

    return {
        "Alberta": {
            "train": [some(2020, *[True, False] * 3, True), some(2021, *[False, True] * 2, False)],
            "validation": [some(2022, True, False)],
            "test": [some(2023, True, False, True)],
            "test_hard": [some(2023, True, False, False)],
        },
        "British Columbia": {
            "train": [some(2021, *[False, True] * 2, False)],
            "validation": [some(2022, True)],
            "test": [some(2023, False, True)],
            "test_hard": [some(2023, False)],
        },
    }


def sign(row: Row) -> float:
    """What tells a sample from all others, in its file and in a batch (`fwi`)."""
    return float(np.float32(row["tab_cds"][-1, NAMES["tab_cds"].index("fwinx_mean")]))
