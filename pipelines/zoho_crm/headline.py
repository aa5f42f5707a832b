"""One sentence about all tables, which `status`, `report` and the page say in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .attempts import stopped_words
from .console import counted
from .freshness import Freshness, Word, span
from .log import PastRun
from .looking import Look

WORST_FIRST: tuple[Word, ...] = ("failing", "stale", "differs")
FEW = 5  # names in a sentence


@dataclass(frozen=True)
class Headline:
    """The word of the worst table, and what is to be said of all."""

    word: Word
    sentence: str

    def __str__(self) -> str:
        return f"{self.word.capitalize()}: {self.sentence}"

    def facts(self, look: Look) -> dict[str, Any]:
        """For a program."""
        at = look.now.isoformat(timespec="seconds")
        return {"state": self.word, "headline": self.sentence, "place": look.place, "at": at}


def headline(tables: Sequence[Freshness], stopped: PastRun | None = None) -> Headline:
    """The worst first; a count that may just be late, and what Zoho took away, are said but are no fault.

    `stopped` is the last run, if it ended before its tables could.
    """
    of = {word: [t for t in tables if t.word == word] for word in (*WORST_FIRST, "fresh", "skipped")}
    fresh = len(of["fresh"])
    parts = [_trouble(word, of[word]) for word in WORST_FIRST if of[word]]
    parts.append(f"{counted(fresh, 'table')} {'is' if fresh == 1 else 'are'} fresh")
    stop = stopped.stop if stopped else None
    sentences = [f"{stopped_words(stop).rstrip('.')}."] if stop else []
    sentences.append(f"{'; '.join(parts)}.")
    if late := [t for t in tables if t.difference and t.word == "fresh"]:
        sentences.append(
            f"In {_names(late)} the CRM's count differs from the table:"
            " the count may be late, and the next run counts again."
        )
    if of["skipped"]:
        sentences.append(f"Zoho no longer offers {_names(of['skipped'])}.")
    word: Word = next((word for word in WORST_FIRST if of[word]), "fresh")
    return Headline("failing" if stop else word, " ".join(sentences))


def _trouble(word: Word, tables: Sequence[Freshness]) -> str:
    one, names = len(tables) == 1, _names(tables)
    if word == "failing":
        return f"{names} {'is' if one else 'are'} failing"
    if word == "differs":
        return f"{names} {'differs' if one else 'differ'} from the CRM's count, which the next run looks into"
    newest = min((t.age for t in tables if t.age is not None), default=None)
    time = "ever" if newest is None else f"for {span(newest)}{'' if one else ' or longer'}"
    return f"{names} had no good run {time}"


def _names(tables: Sequence[Freshness]) -> str:
    names = [table.module for table in tables]
    if len(names) <= FEW:
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{', '.join(names[: FEW - 1])} and {counted(len(names) - FEW + 1, 'more table')}"
