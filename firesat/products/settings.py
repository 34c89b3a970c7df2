"""Settings of a forecast run: the `predict` section of a project."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from firesat.errors import ConfigError
from firesat.products.base import Product
from firesat.products.probability import Probability
from firesat.window import parse_day


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """Which days are forecast, by what, into which products.

    Parameters
    ----------
    output : Path
        Folder of the maps.
    days : tuple of str
        Issue days, ISO 8601.
    checkpoint : Path, optional
        A trained forecaster.
    chip : int, optional
        Cells of a chip's side; default that of the training, or where the network reaches no
        farther than its halo that which covers the map with least work: it is then the same from
        chips of any size (but for the last of a line, see docs/adr/0025). To be tried out for
        attention.
    stride : int, optional
        Cells between chips, a multiple of 10; default the chip without its halo. Smaller is slower
        and smoother.
    halo : int, optional
        Cells dropped along a chip's side; default what the network declares.
    batch_size : int
        Chips at once, at most; fewer where they are large.
    precision : {"auto", "float32", "bfloat16"}
        How the network computes; auto: what the first chips show to be quicker on this machine, if
        there are enough to come. Forecasts differ by at most 5 % of the odds.
    compile : {"auto", "never"}
        auto: ten minutes of forecasting or more are worth compiling the network, which takes a
        minute or two and a C++ compiler; kept where it is quicker and forecasts differ as little.
    min_looks : int
        Clear Sentinel-2 looks under which the forecaster abstains from a cell; 0 = never.
    products : list of Product
        What is written for each day.
    note : str
        What who reads the maps must know; stands in every file.

    Raises
    ------
    ConfigError
        If a day is no day, or there is nothing to write.
    """

    output: Path
    days: tuple[str, ...] = ()
    checkpoint: Path | None = None
    chip: int | None = None
    stride: int | None = None
    halo: int | None = None
    batch_size: int = 16
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: Literal["auto", "never"] = "auto"
    min_looks: int = 1
    products: list[Product] = field(default_factory=lambda: [Probability()])
    note: str = ""

    @property
    def by_day(self) -> bool:
        """Whether a product shows the days one by one.

        Returns
        -------
        bool
            The network must then tell them apart.
        """
        return any(getattr(product, "by_day", False) for product in self.products)

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        for day in self.days:
            parse_day(day)
        if self.batch_size < 1 or self.min_looks < 0:
            raise ConfigError(
                "predict needs batch_size >= 1 and min_looks >= 0, "
                f"got {self.batch_size} and {self.min_looks}"
            )
        if not self.products:
            raise ConfigError(
                "predict.products is empty: leave it out for the probability map alone"
            )
