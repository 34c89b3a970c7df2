"""A list of fires in one schema: what is in it, and what was left out."""

from pathlib import Path

import numpy as np
from pyogrio.errors import DataSourceError

from firesat.errors import ConfigError, ProductError
from firesat.sources.fire_records import FireRecords, read_records


def check_output(output: Path) -> None:
    """Refuse an output before the work that would be lost.

    Parameters
    ----------
    output : Path
        GeoPackage to write.

    Raises
    ------
    ConfigError
        If it is none, or in a folder that is not there.
    """
    if output.suffix.lower() != ".gpkg":
        raise ConfigError(f"{output} is no GeoPackage: let -o end in .gpkg")
    if output.is_dir() or not output.parent.is_dir():
        raise ConfigError(f"{output} cannot be written: give -o a file in a folder that is there")


def normalise(path: Path, output: Path | None) -> tuple[FireRecords, dict[str, object]]:
    """Read a list of fires, and write it in the schema if asked to.

    Parameters
    ----------
    path : Path
        The list.
    output : Path, optional
        GeoPackage to write; what stands there is replaced once the new one is whole.

    Returns
    -------
    records : FireRecords
        What was read.
    report : dict
        As JSON can hold it: every refused and doubtful row with its reason.

    Raises
    ------
    ConfigError
        If there is no such file.
    CorruptFileError
        If it is damaged or empty, lacks a column, or no row of it can be used.
    GridError
        If a file of shapes has no CRS, or not that of its coordinates.
    ProductError
        If the output cannot be written.
    """
    records = read_records(path)
    if output is not None:
        _write(records, output)
    return records, _report(path, records, output)


def _write(records: FireRecords, output: Path) -> None:
    """Write a GeoPackage whole or not at all."""
    part = output.with_name(f".{output.stem}.part.gpkg")  # the driver insists on the ending
    part.unlink(missing_ok=True)
    try:
        records.fires.to_file(part, layer="fires", engine="pyogrio")
        part.rename(output)
    except (OSError, DataSourceError) as error:
        part.unlink(missing_ok=True)
        raise ProductError(f"{output} cannot be written ({error}): change -o") from error


def _report(path: Path, records: FireRecords, output: Path | None) -> dict[str, object]:
    """What is in a list."""
    fires, refused = records.fires, records.refused
    start = fires["start"].to_numpy().astype("datetime64[s]")
    return {
        "file": str(path),
        "maker": records.maker,
        "rows": refused.total,
        "fires": len(fires),
        "first": str(np.min(start)),
        "last": str(np.max(start)),
        "hectares": round(float(fires["hectares"].sum()), 2),
        "causes": fires["cause"].value_counts().to_dict(),
        "refused": refused.counts,
        "refused_rows": [{"row": row, "reason": why} for row, why in refused.rows],
        "doubtful": {why: len(rows) for why, rows in records.doubtful.items()},
        "doubtful_rows": [
            {"row": row, "reason": why} for why, rows in records.doubtful.items() for row in rows
        ],
        "notes": list(records.notes),
        "output": None if output is None else str(output),
    }
