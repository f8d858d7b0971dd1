"""A table in CSV form: encodings, separators and headings as found; ids exactly as they stand there, or refused."""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from hbac import hms
from hbac.errors import InputError, brief, one_line
from hbac.files import read_text

SEPARATORS = ",;\t"
ID_COLUMNS = ("eeg_id", "spectrogram_id", "patient_id")
ID = re.compile(r"0*([0-9]{1,19})(\.0+)?")  # pandas writes .0 where a column has gaps
IDS_END, FLOATS_END = 2**63, 2**53  # int64 holds what is below; float64 holds each whole number below


@dataclass(frozen=True)
class CsvFile:
    """A text in CSV form and where it is from."""

    path: Path
    text: str

    @cached_property
    def separator(self) -> str:
        """The one that its first line holds most of."""
        first = self.text.lstrip().partition("\n")[0]
        return max(SEPARATORS, key=first.count)

    @cached_property
    def headings(self) -> list[str]:
        """As they stand in the first line that is not blank."""
        return next((row for _, row in self._rows()), [])

    def line(self, row: int) -> int:
        """The line of a row of the table, which is 0 below the headings."""
        number, _ = next(islice(self._rows(), row + 1, None))
        return number

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line numbers and rows, without blank lines, which pandas leaves out too."""
        reader = csv.reader(io.StringIO(self.text), delimiter=self.separator)
        return ((reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip())

    def table(self, needed: Sequence[str]) -> pd.DataFrame:
        """The whole table; columns that are known by the letters and digits of their headings have our names.

        Others are named by number and heading, `3: note`.

        Raises:
            InputError: not in CSV form, a needed column is missing, a known one comes twice, or there are no rows.
        """
        try:
            names = [KNOWN.get(_plain(text), f"{i}: {text}") for i, text in enumerate(self.headings)]
            self._check_headings(names, needed)
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                # Without index_col=False a value too many in a row shifts the columns, unnoticed.
                table = pd.read_csv(
                    io.StringIO(self.text),
                    sep=self.separator,
                    names=names or None,
                    header=0,
                    index_col=False,
                    dtype=dict.fromkeys(set(names).intersection(ID_COLUMNS), str),
                )
        except (ValueError, csv.Error, pd.errors.ParserWarning) as error:  # ValueError: damaged or empty tables
            raise InputError(f"{self.path}: expected a table in CSV form, received {one_line(error)}") from error
        if not len(table):
            raise InputError(f"{self.path}: expected one row or more, received none")
        return table.assign(**{name: self._ids(table[name]) for name in ID_COLUMNS if name in table.columns})

    def _check_headings(self, names: list[str], needed: Sequence[str]) -> None:
        if not names:
            return  # pandas says what that is
        received = brief(self.headings)
        missing = [name for name in needed if name not in names]
        if missing:
            raise InputError(f"{self.path}: expected columns {list(needed)}, missing {missing}, received {received}")
        twice = [name for name, count in Counter(names).items() if count > 1 and name in KNOWN.values()]
        if twice:
            raise InputError(f"{self.path}: expected each column once, received {', '.join(twice)} twice: {received}")

    def _ids(self, column: "pd.Series[str]") -> pd.Series:
        """A column of texts as exact integers; only an eeg_id must be there."""
        missing = column.isna().to_numpy()
        numbers = [0 if empty else _number(text) for empty, text in zip(missing, column)]
        bad = [number is None or (empty and column.name == hms.ID_COLUMN) for empty, number in zip(missing, numbers)]
        if any(bad):
            row = bad.index(True)
            received = column.iloc[row]
            hint = "; a spreadsheet may have rounded it" if re.fullmatch(r".*[0-9][eE]\+?[0-9]+", str(received)) else ""
            raise InputError(
                f"{self.path}, line {self.line(row)}: expected whole numbers from 0 as {column.name}, "
                f"received {brief(received, quote=False)}{hint}"
            )
        return pd.Series(pd.arrays.IntegerArray(np.array(numbers, np.int64), missing), column.index)


def read_csv(path: Path) -> CsvFile:
    """A table's text.

    Raises:
        InputError: it is not there, cannot be read, or is in another encoding than UTF-8 and UTF-16.
    """
    try:
        text = read_text(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: expected this table, found none") from error
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: expected a table in CSV form, received {one_line(error)}") from error
    if "\0" in text:
        raise InputError(
            f"{path}: expected a table in CSV form, received NUL characters, as in UTF-16 without its mark"
        )
    return CsvFile(path, text)


def _number(text: str) -> int | None:
    """The id that a text states exactly; None if it states none."""
    match = ID.fullmatch(text.strip())
    number = int(match[1]) if match else IDS_END
    return number if match and number < (FLOATS_END if match[2] else IDS_END) else None


def _plain(heading: str) -> str:
    return re.sub(r"[^a-z0-9]", "", heading.casefold())


KNOWN = {_plain(name): name for name in hms.TRAIN_COLUMNS}
