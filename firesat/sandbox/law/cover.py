"""Land cover codes, shared by the truth and by the served fuel map."""

from enum import IntEnum


class Cover(IntEnum):
    """Land cover codes, of the truth and of the served fuel map alike."""

    WATER = 0
    CONIFER = 1
    DECIDUOUS = 2
    MIXED = 3
    GRASS = 4
    WETLAND = 5
    ROCK = 6
    SCAR = 7  # burnt in the last 20 years
    HARVEST = 8  # cut in the last 15 years
    BUILT = 9
