"""Arrays out of nested lists, whatever wrote them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firesat.benchmark.nested import Row, unnested
from firesat.errors import SampleError
from tests.canadafiresat_files import SHAPES, make_row, table

CUBE = np.arange(24, dtype="u1").reshape(2, 3, 4)
CELL = pa.array([CUBE.tolist()], pa.list_(pa.list_(pa.list_(pa.uint8()))))


def row_of(**columns: pa.Array) -> Row:
    batch = pa.RecordBatch.from_pydict(columns)
    return Row(file=Path("a.parquet"), number=7, batch=batch, place=0)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.list_(pa.uint8()))),
        pa.large_list(pa.large_list(pa.large_list(pa.int16()))),
        pa.list_(pa.list_(pa.list_(pa.float64(), 4), 3)),
        pa.list_(pa.list_(pa.list_(pa.bool_()))),
    ],
    ids=["lists", "large", "fixed", "bool"],
)
def test_lists_of_every_kind_become_arrays(kind: pa.DataType) -> None:
    wanted = CUBE > 0 if pa.types.is_boolean(kind.value_type.value_type.value_type) else CUBE
    found = unnested(pa.array([wanted.tolist()], kind))
    assert found.shape == (2, 3, 4)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("wrapped", [False, True, "arrow.py_extension_type"])
def test_files_of_old_and_new_writers_hold_the_same(tmp_path: Path, wrapped: Any) -> None:
    rows = [make_row(1), make_row(2)]
    pq.write_table(table(rows, "Yukon", wrapped=wrapped), tmp_path / "a.parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    (batch,) = file.iter_batches(columns=list(SHAPES))
    for place, given in enumerate(rows):
        row = Row(file=tmp_path, number=place, batch=batch, place=place)
        for name, (shape, kind) in SHAPES.items():
            found = row.array(name, shape)
            assert found.dtype == kind
            np.testing.assert_array_equal(found, given[name])


def test_arrays_of_a_library_that_is_there_are_read_too() -> None:
    # in one process with the writer the type is known, and arrays are wrapped
    given = make_row(3)
    (batch,) = table([given], "Yukon").to_batches()
    assert isinstance(batch.schema.field("10x").type, pa.BaseExtensionType)
    row = Row(file=Path("a.parquet"), number=0, batch=batch, place=0)
    np.testing.assert_array_equal(row.array("10x", (None, 4, 264, 264)), given["10x"])


def test_a_null_number_is_missing() -> None:
    found = row_of(a=pa.array([[[1, None], [3, 4]]])).array("a", (2, 2))
    np.testing.assert_array_equal(found, [[1, np.nan], [3, 4]])
    assert row_of(a=pa.array([[[None, None]]], pa.list_(pa.list_(pa.int8())))).array(
        "a", (1, 2)
    ).dtype == np.dtype("f8")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([[[1, 2], [3]]]), "has lists of different lengths"),
        (pa.array([[[1, 2], None]]), "has lists of different lengths"),
        (pa.array([[["a", "b"]]]), "holds string, expected numbers"),
        (pa.array([None], pa.list_(pa.list_(pa.int8()))), "is null"),
        (CELL, r"has shape \(2, 3, 4\), expected \(any, 2\)"),
        (pa.array([[[1, 2, 3]]]), r"has shape \(1, 3\), expected \(any, 2\)"),
    ],
)
def test_what_is_no_such_array_is_refused_by_file_row_and_column(
    column: pa.Array, words: str
) -> None:
    with pytest.raises(SampleError, match=rf"^a\.parquet, row 7: b {words}") as caught:
        row_of(b=column).array("b", (None, 2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        pa.array([datetime(2023, 7, 4, tzinfo=UTC)], pa.timestamp("s")),
        pa.array([datetime(2023, 7, 4, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
        pa.array([date(2023, 7, 4)], pa.date32()),
        pa.array([1688428800], pa.int64()),
    ],
)
def test_days_come_as_dates_times_or_seconds(value: pa.Array) -> None:
    assert row_of(date=value).day("date") == date(2023, 7, 4)


def test_a_word_that_may_not_be_is_refused() -> None:
    with pytest.raises(SampleError, match="file_id is 'HARD', expected POS or NEG"):
        row_of(file_id=pa.array(["HARD"])).kind("file_id", ("POS", "NEG"))
    with pytest.raises(SampleError, match="date is None, expected a date"):
        row_of(date=pa.array([None], pa.timestamp("s"))).day("date")
