"""The page of faults names tests that there are, with counts that they have."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| [A-Z]\d ", line)
]


def functions(path: str) -> dict[str, str]:
    """Test functions of a file, each with its decorators as text."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name: " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_row_has_its_tests(row: list[str]) -> None:
    assert len(row) == 6
    names = re.findall(r"`([^`]+)::(\w+)`", row[5])
    assert names
    decorators = ""
    for path, name in names:
        there = functions(path)
        assert name in there, f"{path} has no {name}"
        decorators += there[name]
    # where a test's cases carry the row's name, their counts are those of the page
    counts = set(re.findall(rf"'{row[0]}-(\d+)'", decorators))
    told = {number for cell in row[3:5] for number in re.findall(r"\d+", cell)}
    assert counts <= told


def test_no_row_is_told_twice() -> None:
    names = [row[0] for row in ROWS]
    assert len(names) >= 19
    assert len(set(names)) == len(names)
