"""Data leaves here, and only here: maps a GIS opens, and how to read them."""
