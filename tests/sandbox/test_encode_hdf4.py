"""HDF4 with the structure of MODIS land products."""

from pathlib import Path

import numpy as np
from pyhdf.SD import SD

from firesat.sandbox.encode.hdf4 import MAGIC, EosGrid, ScienceDataSet, encode_hdf4

GRID = EosGrid(
    name="MODIS_Grid_16DAY_500m_VI",
    size=6,
    upper_left=(-6671703.118, 6671703.118),
    lower_right=(-5559752.598333, 5559752.598333),
)


def test_layers_keep_values_types_fills_and_attributes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ndvi = rng.integers(-2000, 10000, (6, 6)).astype("int16")
    rank = rng.integers(-1, 4, (6, 6)).astype("int8")
    bits = rng.integers(0, 65536, (6, 6)).astype("uint16")
    code = rng.integers(0, 256, (6, 6)).astype("uint8")
    attributes = {"units": "NDVI", "valid_range": [-2000, 10000], "scale_factor": 10000.0}
    layers = [
        ScienceDataSet(name="NDVI", values=ndvi, fill=-3000, attributes=attributes),
        ScienceDataSet(name="rank", values=rank, fill=-1),
        ScienceDataSet(name="bits", values=bits, fill=65535),
        ScienceDataSet(name="code", values=code, fill=255),
    ]
    path = tmp_path / "x.hdf"
    path.write_bytes(encode_hdf4(GRID, layers, {"CoreMetadata.0": "GROUP = X"}))
    assert path.read_bytes()[:4] == MAGIC
    file = SD(str(path))
    for layer in layers:
        found = file.select(layer.name)
        np.testing.assert_array_equal(found.get(), layer.values)
        assert found.get().dtype == layer.values.dtype
        assert found.attributes()["_FillValue"] == layer.fill
    found = file.select("NDVI").attributes()
    assert {key: found[key] for key in attributes} == attributes
    assert file.select("NDVI").dimensions() == {f"YDim:{GRID.name}": 6, f"XDim:{GRID.name}": 6}
    file.end()


def test_the_structure_says_where_the_pixels_are_as_a_real_file_does(
    tmp_path: Path, real_data: Path
) -> None:
    layer = ScienceDataSet(name="1 km 16 days NDVI", values=np.zeros((6, 6), "int16"), fill=-3000)
    path = tmp_path / "x.hdf"
    path.write_bytes(encode_hdf4(GRID, [layer], {}))
    structures = []
    real = real_data / "modis" / "MOD13A2.A2016145.h18v04.006.2016166145124.hdf"
    for name in (path, real):
        file = SD(str(name))
        structures.append(file.attributes()["StructMetadata.0"].strip("\0").split("\n"))
        file.end()
    ours, theirs = ([line.partition("=")[0] for line in lines] for lines in structures)
    assert ours[:20] == theirs[:20]  # to the first field: the same keys in the same order
    assert "\t\tUpperLeftPointMtrs=(-6671703.118000,6671703.118000)" in structures[0]
    assert '\t\t\t\tDataFieldName="1 km 16 days NDVI"' in structures[0]
    assert len(structures[0]) > 20
