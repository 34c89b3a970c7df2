"""What instruments and agencies would see of a world: arrays and tables, no files, no sockets."""
