"""The ledger beside a cube: what is in it, block by block, and who is writing.

Workers leave a receipt for each block they have written and synced; the one coordinator folds
receipts into packs, and both are what the table of blocks is made from. A receipt that was never
folded counts as finished work, so a killed run loses nothing; a table that is lost or damaged is
made again. ::

    canada.ledger/
        receipts/            one file per block, not folded yet
        packs/               folded receipts, never changed
        manifest.sqlite      the table: one row per block (of a bucket: in the user's cache)
        groups/              each group's settings, and the checksums of its metadata
        lease/               who has written the cube, numbered; the last one may be at work
        parts/               files being written
"""

from firesat.manifest.lease import LEASE_EXPIRES, Claim
from firesat.manifest.ledger import Manifest
from firesat.manifest.receipt import FileSum, Receipt, leave_receipt
from firesat.store import refuse_unwritable, sync_folder, write_json

__all__ = [
    "LEASE_EXPIRES",
    "Claim",
    "FileSum",
    "Manifest",
    "Receipt",
    "leave_receipt",
    "refuse_unwritable",
    "sync_folder",
    "write_json",
]
