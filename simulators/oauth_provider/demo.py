"""Some hard projects and tasks, made from a seed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random

from ..core.words import FIRMS, SUBJECTS, person, story
from ..zoho_crm.clock import Clock
from .provider import Provider


def demo_provider(seed: int = 0, clock: Clock | None = None) -> Provider:
    provider, random = Provider(clock=clock), Random(seed)
    for number in range(130):
        at = provider.now() - timedelta(days=200) + timedelta(hours=number * 7)
        project = provider.insert("projects", {
            "name": f"{random.choice(FIRMS)} {number}", "description": story(random), "status": "open; paused",
            "budget": Decimal(random.randint(1, 10**9)) / 1000 if number % 5 else None,
            "tags": ["a;b", "c,d"] if number % 2 else [], "owner": {"name": person(random)[1], "id": number},
        }, modified_time=at)  # fmt: skip
        for count in range(number % 9 if number != 4 else 120):
            provider.insert("tasks", {
                "title": f"{random.choice(SUBJECTS)} {count}", "notes": story(random, 4), "done": count % 2 == 0,
                "hours": Decimal("0.25") * count, "assignee": None,
            }, parent=project, modified_time=at)  # fmt: skip
    return provider
