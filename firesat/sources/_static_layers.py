"""Which static layers there are: how each is stored, and which files may hold it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from firesat.blocks import Variable
from firesat.classes import NALCMS, TABLES, flags
from firesat.errors import ConfigError
from firesat.sources._from_vectors import is_vector
from firesat.window import parse_day

LAYERS = (
    "elevation", "fuel", "water", "road_distance", "land_cover", "settlement_distance", "lightning",
)  # fmt: skip
_TERRAIN = ("elevation", "slope", "northness", "eastness")
_STORED = {
    "fuel": Variable(name="fuel", dtype="uint8", fill=255),
    "land_cover": Variable(name="land_cover", dtype="uint8", fill=255),
    "water": Variable(name="water", dtype="uint8", scale=0.01, fill=255),
}
_DRAWN = ("water", "road_distance", "settlement_distance")  # that may come from features


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One layer that a config names.

    Parameters
    ----------
    name : str
        Of `LAYERS`.
    href : str
        Its file.
    since : str
        Day from which it holds, and is known.
    """

    name: str
    href: str
    since: str

    @property
    def drawn(self) -> bool:
        """Whether its file holds features, from which it is made.

        Returns
        -------
        bool
            By the file's ending.
        """
        return is_vector(self.href)


def check_chosen(chosen: Mapping[str, Chosen], since: Mapping[str, str]) -> None:
    """Refuse layers that no file of that kind can hold, and days for layers that are not there.

    Parameters
    ----------
    chosen : mapping of str to Chosen
        By name.
    since : mapping of str to str
        Layer to day, as the config has them.

    Raises
    ------
    ConfigError
        Naming the first.
    WindowError
        If a day is none.
    """
    if not chosen:
        raise ConfigError("the static source names no file: give one of " + ", ".join(LAYERS))
    for name in since:
        if name not in chosen:
            raise ConfigError(
                f"since names {name!r}, of which the static source has no file: it has "
                f"{', '.join(chosen)}"
            )
    for layer in chosen.values():
        if layer.drawn and layer.name not in _DRAWN:
            raise ConfigError(
                f"{layer.name} cannot be made from features ({layer.href}): give a raster, "
                f"unpacked; {', '.join(_DRAWN)} can"
            )
        parse_day(layer.since)


def variables(chosen: Mapping[str, Chosen], fuel_table: str, reach_km: float) -> list[Variable]:
    """List the arrays of the layers.

    Parameters
    ----------
    chosen : mapping of str to Chosen
        By name.
    fuel_table : str
        Name of the table of fuel codes; "" = the maker's own.
    reach_km : float
        Distance beyond which nothing is looked for.

    Returns
    -------
    list of Variable
        Each with its age (``valid_from``), its file, and what its codes mean.
    """
    found = []
    for name in (*_TERRAIN, *LAYERS[1:]):
        layer = chosen.get("elevation" if name in _TERRAIN else name)
        if layer is None:
            continue
        attrs: dict[str, str | list[int]] = {"valid_from": layer.since, "file": layer.href}
        if name == "fuel" and fuel_table:
            attrs |= flags(TABLES[fuel_table])
        if name == "land_cover":
            attrs |= flags(NALCMS)
        if layer.drawn and name != "water":
            attrs["comment"] = f"between centres of cells; {reach_km:g} km stands for farther, too"
        found.append(replace(_STORED.get(name, Variable(name=name)), attrs=attrs))
    return found
