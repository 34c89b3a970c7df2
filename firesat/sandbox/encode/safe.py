"""Metadata of a Sentinel-2 L1C product, in the elements of its specification."""

from collections.abc import Mapping
from dataclasses import dataclass

from firesat.bands import SENTINEL2_BANDS

_PSD = "https://psd-14.sentinel2.eo.esa.int/PSD"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'


@dataclass(frozen=True, kw_only=True)
class ProductFacts:
    """What a product says of itself.

    Parameters
    ----------
    uri : str
        Name of its folder.
    tile_id : str
        Name of its granule, as the ground segment forms it.
    spacecraft : str
        Such as "Sentinel-2B".
    baseline : str
        Such as "05.09".
    sensed, produced : str
        ISO times, UTC.
    orbit : int
        Relative orbit.
    cloud : float
        Per cent.
    images : tuple of str
        Paths of the images within the folder, without ending.
    offset : int, optional
        Of all bands; None before baseline 04.00, which states none.
    quantification : int
        Numbers of reflectance 1.
    special : mapping of str to int
        Numbers that are no measurement.
    """

    uri: str
    tile_id: str
    spacecraft: str
    baseline: str
    sensed: str
    produced: str
    orbit: int
    cloud: float
    images: tuple[str, ...]
    offset: int | None
    quantification: int
    special: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class GranuleFacts:
    """What a granule says of its place.

    Parameters
    ----------
    tile_id : str
        Its name, as the ground segment forms it.
    sensed : str
        ISO time, UTC.
    epsg : int
        Code of its UTM zone.
    corner : tuple of int
        Left and top, metres.
    extent : tuple of int
        Metres from top to bottom and from left to right.
    cloud : float
        Per cent.
    quality : tuple of str
        Paths of the quality masks within the product, by band; empty before baseline 04.00.
    """

    tile_id: str
    sensed: str
    epsg: int
    corner: tuple[int, int]
    extent: tuple[int, int]
    cloud: float
    quality: tuple[str, ...] = ()


def encode_product_metadata(facts: ProductFacts) -> bytes:
    """Write ``MTD_MSIL1C.xml``.

    Parameters
    ----------
    facts : ProductFacts
        What it says.

    Returns
    -------
    bytes
        XML.
    """
    images = _lines("<IMAGE_FILE>{}</IMAGE_FILE>", facts.images)
    special = _lines(
        "<Special_Values>\n<SPECIAL_VALUE_TEXT>{0[0]}</SPECIAL_VALUE_TEXT>\n"
        "<SPECIAL_VALUE_INDEX>{0[1]}</SPECIAL_VALUE_INDEX>\n</Special_Values>",
        tuple(facts.special.items()),
    )
    offsets = ""
    if facts.offset is not None:
        line = f'<RADIO_ADD_OFFSET band_id="{{}}">{facts.offset}</RADIO_ADD_OFFSET>'
        inner = _lines(line, tuple(range(len(SENTINEL2_BANDS))))
        offsets = f"<Radiometric_Offset_List>\n{inner}</Radiometric_Offset_List>\n"
    bands = _lines(
        '<Spectral_Information bandId="{0[0]}" physicalBand="{0[1]}"/>',
        tuple(enumerate(name.replace("B0", "B") for name in SENTINEL2_BANDS)),
    )
    text = f"""{_HEAD}<n1:Level-1C_User_Product xmlns:n1="{_PSD}/User_Product_Level-1C.xsd">
<n1:General_Info>
<Product_Info>
<PRODUCT_START_TIME>{facts.sensed}</PRODUCT_START_TIME>
<PRODUCT_STOP_TIME>{facts.sensed}</PRODUCT_STOP_TIME>
<PRODUCT_URI>{facts.uri}</PRODUCT_URI>
<PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL>
<PRODUCT_TYPE>S2MSI1C</PRODUCT_TYPE>
<PROCESSING_BASELINE>{facts.baseline}</PROCESSING_BASELINE>
<GENERATION_TIME>{facts.produced}</GENERATION_TIME>
<Datatake>
<SPACECRAFT_NAME>{facts.spacecraft}</SPACECRAFT_NAME>
<DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
<DATATAKE_SENSING_START>{facts.sensed}</DATATAKE_SENSING_START>
<SENSING_ORBIT_NUMBER>{facts.orbit}</SENSING_ORBIT_NUMBER>
</Datatake>
<Product_Organisation>
<Granule_List>
<Granule granuleIdentifier="{facts.tile_id}" imageFormat="JPEG2000">
{images}</Granule>
</Granule_List>
</Product_Organisation>
</Product_Info>
<Product_Image_Characteristics>
{special}<QUANTIFICATION_VALUE unit="none">{facts.quantification}</QUANTIFICATION_VALUE>
{offsets}<Spectral_Information_List>
{bands}</Spectral_Information_List>
</Product_Image_Characteristics>
</n1:General_Info>
<n1:Quality_Indicators_Info>
<Cloud_Coverage_Assessment>{facts.cloud}</Cloud_Coverage_Assessment>
</n1:Quality_Indicators_Info>
</n1:Level-1C_User_Product>
"""
    return text.encode()


def encode_granule_metadata(facts: GranuleFacts) -> bytes:
    """Write ``MTD_TL.xml``.

    Parameters
    ----------
    facts : GranuleFacts
        What it says.

    Returns
    -------
    bytes
        XML.
    """
    height, width = facts.extent
    left, top = facts.corner
    sizes = _lines(
        '<Size resolution="{0[0]}">\n<NROWS>{0[1]}</NROWS>\n<NCOLS>{0[2]}</NCOLS>\n</Size>',
        tuple((metres, height // metres, width // metres) for metres in (10, 20, 60)),
    )
    places = _lines(
        '<Geoposition resolution="{0}">\n'
        f"<ULX>{left}</ULX>\n<ULY>{top}</ULY>\n"
        "<XDIM>{0}</XDIM>\n<YDIM>-{0}</YDIM>\n</Geoposition>",
        (10, 20, 60),
    )
    inner = _lines(
        '<MASK_FILENAME bandId="{0[0]}" type="MSK_QUALIT">{0[1]}</MASK_FILENAME>',
        tuple(enumerate(facts.quality)),
    )
    masks = f"<Pixel_Level_QI>\n{inner}</Pixel_Level_QI>\n" if facts.quality else ""
    text = f"""{_HEAD}<n1:Level-1C_Tile_ID xmlns:n1="{_PSD}/S2_PDI_Level-1C_Tile_Metadata.xsd">
<n1:General_Info>
<TILE_ID metadataLevel="Brief">{facts.tile_id}</TILE_ID>
<SENSING_TIME metadataLevel="Standard">{facts.sensed}</SENSING_TIME>
</n1:General_Info>
<n1:Geometric_Info>
<Tile_Geocoding metadataLevel="Brief">
<HORIZONTAL_CS_NAME>WGS84 / UTM zone {facts.epsg % 100}N</HORIZONTAL_CS_NAME>
<HORIZONTAL_CS_CODE>EPSG:{facts.epsg}</HORIZONTAL_CS_CODE>
{sizes}{places}</Tile_Geocoding>
</n1:Geometric_Info>
<n1:Quality_Indicators_Info metadataLevel="Standard">
<Image_Content_QI>
<CLOUDY_PIXEL_PERCENTAGE>{facts.cloud}</CLOUDY_PIXEL_PERCENTAGE>
</Image_Content_QI>
{masks}</n1:Quality_Indicators_Info>
</n1:Level-1C_Tile_ID>
"""
    return text.encode()


def _lines(pattern: str, values: tuple[object, ...]) -> str:
    """A line for each value."""
    return "".join(f"{pattern.format(value)}\n" for value in values)
