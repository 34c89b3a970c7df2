"""The words on every map, in English and French: decided here, never phrased afresh by callers."""

from datetime import datetime, timedelta
from math import floor, log10
from typing import Literal

from firesat.products.strips import State

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

NOTICE: dict[Language, str] = {
    "en": (
        "Experimental statistical forecast, {start} to {end}. Not an official fire danger rating; "
        "not for evacuation or public-safety decisions. Says nothing of intensity, smoke or values "
        "at risk. Suppression only as in past years. Official sources: CIFFC, CWFIS, your agency."
    ),
    "fr": (
        "Prévision statistique expérimentale, {start} au {end}. Ne remplace ni l'indice officiel "
        "de danger d'incendie ni les avis d'évacuation ou de sécurité publique. N'indique ni "
        "l'intensité, ni la fumée, ni les valeurs menacées. Suppression : seulement comme par le "
        "passé. Sources officielles : CIFC, SCIFV, votre organisme."
    ),
}

RESOLUTION: dict[Language, str] = {
    "en": "100 m cells; weather resolved at about 10 km",
    "fr": "Cellules de 100 m ; météo résolue à environ 10 km",
}

PROBABILITIES: dict[str, dict[Language, str]] = {
    "p_fire": {
        "en": "probability that the cell burns within the window",
        "fr": "probabilité que la cellule brûle pendant la période",
    },
    "p_growth": {
        "en": "probability that the cell burns by a fire that had started at the reference time",
        "fr": "probabilité que la cellule brûle par un feu déjà actif à l'heure de référence",
    },
    "p_new": {
        "en": "probability that the cell burns by a fire that starts after the reference time",
        "fr": "probabilité que la cellule brûle par un feu qui débute après l'heure de référence",
    },
}

STATES: dict[State, dict[Language, str]] = {
    State.FORECAST: {"en": "forecast", "fr": "prévision"},
    State.CANNOT_BURN: {"en": "cannot burn", "fr": "ne peut pas brûler"},
    State.ALREADY_BURNT: {"en": "already burnt this season", "fr": "déjà brûlé cette saison"},
    State.SNOW_COVERED: {"en": "snow-covered", "fr": "couvert de neige"},
    State.NOT_EVALUATED: {"en": "not evaluated", "fr": "non évalué"},
    State.ABSTAINED: {
        "en": "abstained: inputs too poor",
        "fr": "abstention : données insuffisantes",
    },
}

_MONTHS: dict[Language, tuple[str, ...]] = {
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December"),
    "fr": ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
           "octobre", "novembre", "décembre"),
}  # fmt: skip


def moment(time: datetime, utc_offset: int, language: Language = "en") -> str:
    """Write a moment in UTC and in local standard time.

    Parameters
    ----------
    time : datetime
        UTC.
    utc_offset : int
        Local standard time minus UTC, whole hours.
    language : {"en", "fr"}
        Language.

    Returns
    -------
    str
        Such as "5 July 2023 12:00 UTC (06:00 UTC-6)"; the local date too where it differs.
    """
    local = time + timedelta(hours=utc_offset)
    day = _date(time, language)
    other = "" if local.date() == time.date() else _date(local, language) + " "
    zone = f"UTC{utc_offset:+d}"
    return f"{day} {_clock(time, language)} UTC ({other}{_clock(local, language)} {zone})"


def _date(time: datetime, language: Language) -> str:
    """Day, month in letters, year."""
    day = "1er" if time.day == 1 and language == "fr" else str(time.day)
    return f"{day} {_MONTHS[language][time.month - 1]} {time.year}"


def _clock(time: datetime, language: Language) -> str:
    """Hours and minutes: 06:00, or 6 h 00."""
    return f"{time:%H:%M}" if language == "en" else f"{time.hour} h {time:%M}"


def notice(
    valid_time: tuple[datetime, datetime], utc_offset: int, language: Language = "en"
) -> str:
    """Give the sentences that stand on every file and page.

    Parameters
    ----------
    valid_time : tuple of datetime
        Start and end of the forecast, UTC.
    utc_offset : int
        Local standard time minus UTC, whole hours.
    language : {"en", "fr"}
        Language.

    Returns
    -------
    str
        With the start and the end of the forecast filled in.
    """
    start, end = (moment(time, utc_offset, language) for time in valid_time)
    return NOTICE[language].format(start=start, end=end)


def chance(probability: float, normal: float | None = None, language: Language = "en") -> str:
    """Put a cell's probability in words that show how small it is.

    Parameters
    ----------
    probability : float
        0 to 1.
    normal : float, optional
        What is normal for the place and date, same scale.
    language : {"en", "fr"}
        Language.

    Returns
    -------
    str
        "1.2 in 10 000 (0.012 %), 4 x normal" / "1,2 sur 10 000 (0,012 %), 4 fois la normale".
    """
    if probability <= 0:
        return "0"
    denominator = 10 ** max(1, -int(f"{probability:.1e}"[4:]))  # after rounding: 9.99e-5 is 1e-4
    among = f"{denominator:,}".replace(",", " ")
    joint, times = {"en": ("in", "{} x normal"), "fr": ("sur", "{} fois la normale")}[language]
    words = f"{probability * denominator:.2g} {joint} {among} ({_plain(100 * probability)} %)"
    if normal is not None and normal > 0:
        words += ", " + times.format(_plain(probability / normal))
    return words.replace(".", ",") if language == "fr" else words


def _plain(value: float) -> str:
    """Two significant digits, never in exponent form."""
    digits = max(0, 1 - floor(log10(value)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
