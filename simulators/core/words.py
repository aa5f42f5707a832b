"""Texts that a loader has to carry over unharmed, for the demos of the smaller services."""

from __future__ import annotations

from random import Random

FIRST = (
    "Anaïs",
    "Øystein",
    "Zoë",
    "محمد",
    "李",
    "O'Brien",
    "Mary-Jane",
    "Łukasz",
    "Иван",
    "Renée",
    "null",
    "José",
)
LAST = (
    "Núñez",
    "van der Berg",
    "Smith, Jr.",
    'Said "Sid"',
    "Ærø",
    "العربي",
    "小林",
    "D’Angelo",
    "Müller",
    "Ng",
)
FIRMS = (
    "Harbour & Sons, Ltd.", 'The "Blue" Lamp Co.', "Łódź Optyka; sp. z o.o.", "海の灯台", "Ça & Là", "منارة الشرق",
    "Ropes\tand Tar", "N/A", "Fog 🌫️ Signals", "1e5 Instruments", "O'Hara's", "=SUM(A1)", "Keeper's Rest", "<b>Bold</b>",
)  # fmt: skip
SUBJECTS = (
    "The lamp is out 🚨", "Re: Re: invoice, “overdue”", "Can't log in; again", "Ünïcödé in the\tsubject",
    "مرحبا: سؤال", "質問があります", "Refund?", 'Broken "seal" on pump', "RE: FW: 0", "Line\\break \\N",
)  # fmt: skip
LINES = (
    "Hello,\r\n\r\nthe lamp went out at 03:15.\r\n\tRegards", "One line, no end",
    '"Quoted", and; delimited | by \\ everything', "<div>HTML &amp; <br/>more</div>", "Emoji 👩‍🚒🇵🇱 and e\u0301 combined",
    "שלום עולם\nsecond line", "  leading and trailing blanks  ", "NULL", "a\u2028b\u00a0c", "{\"json\": [1, null]}",
)  # fmt: skip


def person(random: Random) -> tuple[str | None, str]:
    """A first name, which may be missing, and a last name."""
    return (None if random.random() < 0.1 else random.choice(FIRST)), random.choice(LAST)


def story(random: Random, lines: int = 12) -> str | None:
    """A text of several lines, at times long, at times none."""
    if random.random() < 0.15:
        return None
    return "\n".join(random.choice(LINES) for _ in range(random.randint(1, lines)))
