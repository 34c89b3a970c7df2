"""Your own files: rasters under the lexicon's names, and perimeters of fires."""

from firesat.sources.local_rasters import LocalRasters
from firesat.sources.local_vectors import LocalVectors

__all__ = ["LocalRasters", "LocalVectors"]
