"""What a reading has to say beside its rows: refused fields, values that did not fit, repairs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class ExtractNotes:
    """One per module; filled by the extractors, printed by the report. Nothing is left out silently."""

    refused: dict[str, str] = field(default_factory=dict)  # field -> why it did not come with the others
    empty: dict[str, str] = field(default_factory=dict)  # of these, fields whose column holds nothing
    rejected: Counter[str] = field(default_factory=Counter)  # column -> values that did not fit it
    repairs: Counter[str] = field(default_factory=Counter)  # what was read again -> how often
    remarks: list[str] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)  # ids of rows that do not pass the filters
    converted_unnamed: bool = False  # the query could not name converted records, so they may be left out
    refusals: dict[tuple[str, str], str] = field(default_factory=dict)  # API and field -> why, for later runs
    failures: dict[str, str] = field(default_factory=dict)  # API that failed again and again -> why
    read_as_of: datetime | None = None  # rows may be as old as this: they come from jobs of an earlier run

    def add(self, more: ExtractNotes) -> None:
        """Add what a later reading of the same table has to say."""
        self.refused.update(more.refused)
        self.empty.update(more.empty)
        self.refusals.update(more.refusals)
        self.failures.update(more.failures)
        self.rejected.update(more.rejected)
        self.repairs.update(more.repairs)
        self.remarks += [remark for remark in more.remarks if remark not in self.remarks]

    def lines(self) -> list[str]:
        """The notes as sentences, in a fixed order."""
        return [
            *self.remarks,
            *(f"field {name} left out: {why}" for name, why in self.refused.items()),
            *(f"field {name} is empty: {why}" for name, why in self.empty.items()),
            *(
                f"{count:,} value(s) of {column} do not fit its type; they are in rejected_values"
                for column, count in sorted(self.rejected.items())
            ),
            *(f"{what}: {count:,}" for what, count in sorted(self.repairs.items())),
        ]
