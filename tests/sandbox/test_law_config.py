"""Settings that cannot be are refused in one line."""

from typing import Any

import pytest

from firesat.errors import ConfigError
from firesat.sandbox.config import WorldConfig


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"region": (0.0, 0.0, 5000.0, 20000.0)}, "5000 x 20000 m"),
        ({"region": (0.0, 0.0, 20050.0, 20000.0)}, "kilometre lines"),
        ({"seasons": ()}, "seasons are"),
        ({"seasons": (2022, 2021)}, "rising"),
        ({"first_day": "06-31"}, "month and day"),
        ({"first_day": "09-01", "last_day": "06-01"}, "after last_day"),
        ({"first_day": "03-01"}, "simulated months"),
        ({"cloudiness": 1.0}, "cloudiness is 1.0"),
        ({"fire_activity": -0.5}, "fire_activity is -0.5"),
    ],
)
def test_an_impossible_setting_is_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        WorldConfig(**setting)
    assert "\n" not in str(caught.value)


def test_the_default_is_the_region_of_the_demo() -> None:
    config = WorldConfig()
    assert config.region == (10_000.0, 620_000.0, 70_000.0, 680_000.0)
    assert config.first_date(2023).isoformat() == "2023-05-01"
    assert config.last_date(2023).isoformat() == "2023-09-30"
