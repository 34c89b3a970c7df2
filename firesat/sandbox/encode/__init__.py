"""Arrays and tables into the bytes of the file formats that providers deliver."""
