"""HDF-EOS2 bytes: an HDF4 file with one grid, as MODIS land products are delivered."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyhdf.SD import SD, SDC

Attribute = str | int | float | Sequence[int]

MAGIC = b"\x0e\x03\x13\x01"
RADIUS = 6371007.181  # metres: the sphere of the MODIS sinusoidal grid
_BLOCK = 32000  # characters: HDF-EOS pads its structure metadata to this
_TYPES = {
    "int8": (SDC.INT8, "DFNT_INT8"),
    "uint8": (SDC.UINT8, "DFNT_UINT8"),
    "int16": (SDC.INT16, "DFNT_INT16"),
    "uint16": (SDC.UINT16, "DFNT_UINT16"),
}
_LOCK = threading.Lock()  # the HDF4 library is not safe between threads


@dataclass(frozen=True, kw_only=True)
class ScienceDataSet:
    """One layer of a grid.

    Parameters
    ----------
    name : str
        The layer's name in the file.
    values : ndarray, shape (Y, X)
        int8, uint8, int16 or uint16.
    fill : int
        Value that means missing.
    attributes : dict
        Text, integers (one: int32; several: of the layer's type) and floats (float64).
    """

    name: str
    values: NDArray[Any]
    fill: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EosGrid:
    """Where the pixels of a sinusoidal grid are.

    Parameters
    ----------
    name : str
        The grid's name in the file.
    size : int
        Pixels of a side.
    upper_left, lower_right : tuple of float
        Outer corners in metres, x and y.
    """

    name: str
    size: int
    upper_left: tuple[float, float]
    lower_right: tuple[float, float]


def encode_hdf4(
    grid: EosGrid, layers: Sequence[ScienceDataSet], attributes: Mapping[str, str]
) -> bytes:
    """Write a grid as an HDF4 file.

    Parameters
    ----------
    grid : EosGrid
        Its pixels.
    layers : sequence of ScienceDataSet
        What it holds, each of the grid's size.
    attributes : mapping of str to str
        Further attributes of the file, such as ``CoreMetadata.0``.

    Returns
    -------
    bytes
        The file, each layer deflated.
    """
    with tempfile.TemporaryDirectory() as folder, _LOCK:
        path = Path(folder) / "granule.hdf"  # the library writes to disk only
        file = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
        for layer in layers:
            _add_layer(file, grid, layer)
        structure = _structure(grid, layers).ljust(_BLOCK, "\0")
        everything = {"HDFEOSVersion": "HDFEOS_V2.19", "StructMetadata.0": structure, **attributes}
        for name, text in everything.items():
            file.attr(name).set(SDC.CHAR, text)
        file.end()
        return path.read_bytes()


def _add_layer(file: SD, grid: EosGrid, layer: ScienceDataSet) -> None:
    """Write one layer with its attributes."""
    kind = _TYPES[layer.values.dtype.name][0]
    data = file.create(layer.name, kind, layer.values.shape)
    for axis, letter in enumerate("YX"):
        data.dim(axis).setname(f"{letter}Dim:{grid.name}")
    data.setfillvalue(layer.fill)  # an attribute set by name would not be stored
    data.setcompress(SDC.COMP_DEFLATE, 1)
    for name, value in layer.attributes.items():
        data.attr(name).set(_attribute_type(value, kind), value)
    data[:] = np.ascontiguousarray(layer.values)
    data.endaccess()


def _attribute_type(value: Attribute, kind: int) -> int:
    """HDF4 type of an attribute: numbers of a list are of the layer's own type."""
    if isinstance(value, str):
        return int(SDC.CHAR)
    if isinstance(value, float):
        return int(SDC.FLOAT64)
    return int(SDC.INT32) if isinstance(value, int) else kind


def _structure(grid: EosGrid, layers: Sequence[ScienceDataSet]) -> str:
    """The ``StructMetadata.0`` text, from which readers take the pixels' place."""
    corners = {"UpperLeftPointMtrs": grid.upper_left, "LowerRightMtrs": grid.lower_right}
    lines = [
        "GROUP=SwathStructure",
        "END_GROUP=SwathStructure",
        "GROUP=GridStructure",
        "\tGROUP=GRID_1",
        f'\t\tGridName="{grid.name}"',
        f"\t\tXDim={grid.size}",
        f"\t\tYDim={grid.size}",
        *(f"\t\t{key}=({x:.6f},{y:.6f})" for key, (x, y) in corners.items()),
        "\t\tProjection=GCTP_SNSOID",
        f"\t\tProjParams=({RADIUS:.6f},0,0,0,0,0,0,0,86400,0,0,0,0)",
        "\t\tSphereCode=-1",
        "\t\tGridOrigin=HDFE_GD_UL",
        "\t\tGROUP=Dimension",
        "\t\tEND_GROUP=Dimension",
        "\t\tGROUP=DataField",
    ]
    for number, layer in enumerate(layers, start=1):
        lines += [
            f"\t\t\tOBJECT=DataField_{number}",
            f'\t\t\t\tDataFieldName="{layer.name}"',
            f"\t\t\t\tDataType={_TYPES[layer.values.dtype.name][1]}",
            '\t\t\t\tDimList=("YDim","XDim")',
            f"\t\t\tEND_OBJECT=DataField_{number}",
        ]
    lines += [
        "\t\tEND_GROUP=DataField",
        "\t\tGROUP=MergedFields",
        "\t\tEND_GROUP=MergedFields",
        "\tEND_GROUP=GRID_1",
        "END_GROUP=GridStructure",
        "GROUP=PointStructure",
        "END_GROUP=PointStructure",
        "END",
        "",
    ]
    return "\n".join(lines)
