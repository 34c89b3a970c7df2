"""What receipts of finished blocks remark, such as rows of a table that were left out."""

from collections import Counter

from firesat.manifest.receipt import Receipt
from firesat.manifest.table import Table

# In SQL, so that the receipts of a country's images are not parsed to find that they say nothing.
_REMARKING = (
    "SELECT line FROM blocks WHERE group_name = ? AND status IN ('done', 'empty') "
    'AND instr(line, CAST(\'"reason":""\' AS BLOB)) = 0'
)


def remarks(table: Table, group: str) -> Counter[str]:
    """Collect what the receipts of a group's finished blocks remark.

    Parameters
    ----------
    table : Table
        Of a cube's blocks.
    group : str
        Name of the group.

    Returns
    -------
    Counter
        Remark to the number of blocks, such as "fires.csv: 2 of 90 rows left out: ..." to 12.
    """
    with table.database() as database:
        receipts = [Receipt.parse(line) for (line,) in database.execute(_REMARKING, (group,))]
    return Counter(receipt.reason for receipt in receipts if receipt is not None)
