"""Read CSV files into typed columns.

- The first line of each file is its header; all files have the same; names are not empty and not
  repeated; every row has as many fields as the header.
- A column whose every filled field is a finite number is numeric; any other is categorical.
- A refusal names the row and what is wrong with its form, never a value.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_CATEGORIES = 100
# Exit codes that the workload turns into words.
ARGUMENTS, DATA, TARGET, COLUMNS, ROWS = 64, 65, 66, 67, 68


class TableError(Exception):
    """The data cannot be a table to learn from; says the row, no values.

    `exit_code` tells the owner where to look: what is printed stays in the machine (workload/README.md).
    """

    def __init__(self, problem: str, exit_code: int = DATA) -> None:
        super().__init__(problem)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Table:
    """Column names and rows of text, as read."""

    names: list[str]
    rows: list[list[str]]

    def column(self, name: str) -> list[str]:
        """Give a column's fields by its name."""
        at = self.names.index(name)
        return [row[at] for row in self.rows]


def read_tables(directory: Path) -> Table:
    """Read every CSV file under a directory as one table. Raises TableError."""
    names: list[str] = []
    rows: list[list[str]] = []
    files = sorted(file for file in directory.rglob("*") if file.suffix.lower() == ".csv" and file.is_file())
    if not files:
        raise TableError("no .csv file in the dataset")
    for number, file in enumerate(files, 1):
        lines = _lines(file, number)
        header = next(lines, [])
        _check_header(header, names, number)
        names = header
        rows.extend(lines)
    if not rows:
        raise TableError("a header and no rows", ROWS)
    return Table(names, rows)


def numbers(fields: list[str]) -> list[float] | None:
    """Give a column as floats (an empty field as NaN), or None when it is not numeric."""
    found = []
    for field in fields:
        try:
            value = float(field) if field.strip() else math.nan
        except ValueError:
            return None
        if field.strip() and not math.isfinite(value):
            return None
        found.append(value)
    return found if any(not math.isnan(value) for value in found) else None


def _lines(file: Path, number: int) -> Iterator[list[str]]:
    width = 0
    with file.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.reader(source, strict=True)
        try:
            for row, fields in enumerate(reader, 1):
                if not fields:
                    continue
                width = width or len(fields)
                if len(fields) != width:
                    got = f"{len(fields)} fields, expected {width}"
                    raise TableError(f"file {number}, row {row}: {got}")
                yield fields
        except (csv.Error, UnicodeDecodeError) as error:
            problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not CSV"
            raise TableError(f"file {number}, near row {reader.line_num + 1}: {problem}") from error


def _check_header(header: list[str], earlier: list[str], number: int) -> None:
    if not header:
        raise TableError(f"file {number}: empty")
    if len(header) < 2 or "" in header or len(set(header)) != len(header):
        raise TableError(f"file {number}: the header needs two or more different names")
    if numbers(header) is not None:
        raise TableError(f"file {number}: the first row holds numbers; a header is needed")
    if earlier and header != earlier:
        raise TableError(f"file {number}: another header than the first file's")
