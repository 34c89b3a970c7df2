"""How a group of the cube is stored: its arrays, its level, its blocks' extent."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from firesat.grid import TILE_SIZE


@dataclass(frozen=True, kw_only=True)
class Variable:
    """How one array of a group is stored.

    Parameters
    ----------
    name : str
        Name of the array; of the lexicon where it has no `bands`.
    dtype : str
        NumPy type on disk. Floats keep NaN for missing; integers keep `fill`.
    bands : tuple of str
        Names along the array's band dimension; empty = the array has none.
    scale : float
        Value of one integer step; 1 for floats.
    fill : int
        Integer that means missing; unused for floats.
    leads : tuple of int
        Lead times along a dimension ``lead_time``, in hours, for forecasts whose time steps are
        reference times; empty = the array has none. Without `bands`.
    attrs : dict
        Attributes of the array beside those of its band, such as what its codes mean.
    """

    name: str
    dtype: str = "float32"
    bands: tuple[str, ...] = ()
    scale: float = 1.0
    fill: int = 0
    leads: tuple[int, ...] = ()
    attrs: dict[str, str | list[int]] = field(default_factory=dict)

    @property
    def inner(self) -> dict[str, int]:
        """The dimension between time and rows, if there is one.

        Returns
        -------
        dict
            Its name, "band" or "lead_time", and its length.
        """
        found = {"band": len(self.bands), "lead_time": len(self.leads)}
        return {name: length for name, length in found.items() if length}

    @property
    def packed(self) -> bool:
        """Whether values are stored as scaled integers.

        Returns
        -------
        bool
            False for floats.
        """
        return np.dtype(self.dtype).kind in "iu"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a source's group is stored.

    Parameters
    ----------
    group : str
        Name in the cube.
    level : int
        Cell size in metres, one of `grid.LEVELS`.
    variables : tuple of Variable
        Its arrays.
    steps : int
        Time steps in a block.
    whole_box : bool
        Whether a block spans the region's box, as for weather, or one tile.
    side : int
        Metres of a block's side, where it is not the whole box: a tile's, or a divisor of it.
    span : int
        Days that a time step stands for: nothing of it is published before they have passed.
    attrs : dict
        Attributes of the group: source, provider, licence, latency.
    codec : {"zstd", "lz4"}
        Compressor: zstd for archives, lz4 for what is read more often than it is kept.
    """

    group: str
    level: int
    variables: tuple[Variable, ...]
    steps: int = 1
    whole_box: bool = False
    side: int = TILE_SIZE
    span: int = 1
    attrs: dict[str, str | float] = field(default_factory=dict)
    codec: Literal["zstd", "lz4"] = "zstd"

    @property
    def stream(self) -> str:
        """Which version of the product it holds.

        Returns
        -------
        str
            "nrt" as served soon after, or "final".
        """
        return str(self.attrs.get("stream", "final"))


def beside(layout: Layout, stream: str) -> Layout:
    """Give another version of a layer its own group, beside that of the one served in operation.

    Parameters
    ----------
    layout : Layout
        Of the version that is served in operation.
    stream : {"final", "nrt"}
        The other one.

    Returns
    -------
    Layout
        The same under another name, such as "era5_land_final": it cannot write over what a forecast
        was made from.
    """
    attrs = {**layout.attrs, "stream": stream}
    return replace(layout, group=f"{layout.group}_{stream}", attrs=attrs)
