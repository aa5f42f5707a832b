"""How many API credits an account has a day, by Zoho's published formula; no call tells it."""

from __future__ import annotations

# API limits of Zoho CRM, v8: base, for each user licence, ceiling. Credits that were bought are not known.
EDITIONS: dict[str, tuple[int, int, int | None]] = {
    "free": (5_000, 0, 5_000),
    "standard": (50_000, 250, 100_000),
    "professional": (50_000, 500, 3_000_000),
    "enterprise": (50_000, 1_000, 5_000_000),
    "zohoone": (50_000, 1_000, 5_000_000),
    "ultimate": (50_000, 2_000, None),
    "crmplus": (50_000, 2_000, None),
}


def credits_a_day(edition: str | None, licenses: int | None) -> int | None:
    """None for an edition that the formula does not name."""
    known = EDITIONS.get("".join(letter for letter in (edition or "").casefold() if letter.isalnum()))
    if known is None or (licenses is None and known[1]):
        return None
    base, each, ceiling = known
    credits = base + each * (licenses or 0)
    return credits if ceiling is None else min(credits, ceiling)


def share(credits: int, limit: int) -> str:
    """`0.7%`; of next to nothing that it is less than a tenth of one."""
    return f"{credits / limit:.1%}" if credits * 1000 >= limit else "less than 0.1%"
