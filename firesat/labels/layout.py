"""How labels rest in the cube."""

from firesat.blocks import Layout, Variable

VARIABLES = ("fraction", "fire_id", "burn_day", "earliest", "latest", "fire_start")

LAYOUT = Layout(
    group="labels",
    level=100,
    variables=tuple(Variable(name=name) for name in VARIABLES),
    attrs={
        "title": "burn dates of NBAC perimeters by nearest hotspots",
        "source": "derived from nbac and hotspots",
        "comment": "days since 1970-01-01, fire days of 12-12 UTC; fraction NaN = unknown",
    },
)
"""One block is a tile of one season; float32 holds days and numbers of fires exactly to 2**24."""
