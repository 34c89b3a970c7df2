"""Zip archives in memory."""

import io
import zipfile
from collections.abc import Mapping

_DATE = (2024, 1, 1, 0, 0, 0)  # a fixed one, so that the same content gives the same bytes


def encode_zip(members: Mapping[str, bytes]) -> bytes:
    """Pack files into a zip.

    Parameters
    ----------
    members : mapping of str to bytes
        Name and content of each file.

    Returns
    -------
    bytes
        The archive, deflated.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()
