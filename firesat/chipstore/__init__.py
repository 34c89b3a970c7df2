"""Chips on disk: one sample is one contiguous read of each field.

A plain Zarr v3 hierarchy, one array per field of :mod:`firesat.batch` with the chip first, and
beside it a table with one row per chip::

    chips.zarr/sentinel2    (chip, look, band, y, x)  uint16   chunk = 1 chip, shard = 64
    chips.parquet           split, stratum, pi, tile, row, col, reference_time, fires, ...

::

    fields     what is stored of a batch, and how
    write      chips to disk, all of them or none
    shards     one array read without Zarr
    store      all of them, as batches

Zarr itself writes; any Zarr reads. Training does not, being ten times faster without.
"""

from firesat.chipstore.fields import EVERYTHING, FIELDS, SHARD, unpack
from firesat.chipstore.shards import ShardedArray
from firesat.chipstore.store import ChipStore
from firesat.chipstore.write import write_chips

__all__ = ["EVERYTHING", "FIELDS", "SHARD", "ChipStore", "ShardedArray", "unpack", "write_chips"]
