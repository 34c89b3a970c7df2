"""Small pieces of HTML."""

from html import escape


def figure(source: str, alt: str, caption: str) -> str:
    """Put a chart and its words together.

    Parameters
    ----------
    source : str
        Address of the picture.
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        How to read it.

    Returns
    -------
    str
        HTML.
    """
    return (
        f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{escape(caption)}'
        "</figcaption></figure>"
    )
