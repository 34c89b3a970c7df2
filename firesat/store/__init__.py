"""Where bytes rest: whole objects under keys, on a disk or in a bucket.

Whoever writes here gets one of two things: the whole object, durable under its name, or an error
and no object. Nothing in between is ever seen under a final name, whatever fails and when. ::

    disk      a part beside, fsync, rename, fsync of the folder; exclusive creation by a hard link
    bucket    one PUT; exclusive creation by a conditional PUT

Neither rests on file locks, so a network disk will do.
"""

from firesat.store.base import Buffer, Store
from firesat.store.disk import DiskStore
from firesat.store.files import refuse_unwritable, sync_folder, write_json
from firesat.store.holder import Holder
from firesat.store.place import address, exists, in_bucket, store_of

__all__ = [
    "Buffer",
    "DiskStore",
    "Holder",
    "Store",
    "address",
    "exists",
    "in_bucket",
    "refuse_unwritable",
    "store_of",
    "sync_folder",
    "write_json",
]
