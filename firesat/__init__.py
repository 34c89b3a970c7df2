"""Wildfire probability forecasts for Canada at 100 m, 8 days ahead."""

from firesat.errors import FiresatError

__version__ = "0.1.0"

__all__ = ["FiresatError", "__version__"]
