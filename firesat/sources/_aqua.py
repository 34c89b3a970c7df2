"""Aqua's products, which are Terra's by another name, and those of both satellites.

The guides are the same (MOD11, MOD13, MOD15 of collection 6.1, lpdaac.usgs.gov). Aqua's 16-day
composites lie in the gaps of Terra's: from day 9 of a year on, the last one into the next year.
"""

from firesat.sources._modis_products import PRODUCTS

ALL_PRODUCTS = {
    **PRODUCTS,
    **{n.replace("MOD", "MYD"): each for n, each in PRODUCTS.items() if n.startswith("MOD")},
    "MCD15A2H": PRODUCTS["MOD15A2H"],
}
"""Terra's, Aqua's and both satellites' products."""

_FROM_DAY_9 = ("MYD13A1", "MYD13A2")


def first_day_of(product: str) -> int:
    """Tell when a product's first composite of a year begins.

    Parameters
    ----------
    product : str
        Its name.

    Returns
    -------
    int
        Day of the year.
    """
    return 9 if product in _FROM_DAY_9 else 1
