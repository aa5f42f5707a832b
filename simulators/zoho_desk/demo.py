"""A help desk with some hundred hard rows, made from a seed."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from ..core.words import FIRMS, SUBJECTS, person, story
from .desk import Desk

TICKETS = 640
TIED = range(80, 115)
"""Tickets with one and the same time of modification, across a page's edge."""


def fill(desk: Desk, seed: int = 0) -> None:
    random = Random(seed)
    departments = [
        desk.insert("departments", {
            "name": name, "nameInCustomerPortal": name, "isEnabled": True, "isDefault": number == 0,
            "isVisibleInCustomerPortal": True, "hasLogo": False, "description": story(random),
        })
        for number, name in enumerate(("Lamps, lenses", "Bätes & Boats", "Büro 🗄️"))
    ]  # fmt: skip
    agents = _agents(desk, random, departments)
    products = [
        desk.insert("products", {
            "productName": f"{random.choice(FIRMS)} #{number}", "productCode": f"{number:05d}",
            "unitPrice": f"{random.randint(0, 10**9) / 100:.2f}" if number % 5 else None,
            "description": story(random), "departmentIds": departments[: 1 + number % 3], "ownerId": agents[0],
            "cf": {"cf_batch": None if number % 2 else f"B;{number}"},
        })
        for number in range(24)
    ]  # fmt: skip
    accounts = [
        desk.insert("accounts", {
            "accountName": f"{random.choice(FIRMS)} {number}", "website": f"https://example.com/?a={number};b=2,c",
            "annualrevenue": "12345678901.25" if number % 4 else None, "phone": f"00{number:04d}",
            "description": story(random), "ownerId": random.choice(agents), "cf": {"cf_tier": "A;B"},
        })
        for number in range(60)
    ]  # fmt: skip
    contacts = []
    for number in range(180):
        first, last = person(random)
        contacts.append(
            desk.insert("contacts", {
                "firstName": first, "lastName": last, "email": f"contact{number}@example.com" if number % 9 else None,
                "phone": f"+00 {number:06d}", "accountId": random.choice(accounts) if number % 7 else None,
                "ownerId": random.choice(agents), "description": story(random, 3), "isSpam": False,
                "isEndUser": number % 2 == 0, "cf": {"cf_score": None if number % 3 else str(number)},
            }, modified_time=desk.now() - timedelta(days=400 - number, seconds=number))
        )  # fmt: skip
    tickets = [
        _ticket(desk, random, number, (departments, agents, contacts, accounts, products))
        for number in range(TICKETS)
    ]
    for number in range(0, TICKETS, 4):
        _talk(desk, random, tickets[number], agents, number)
    for number in range(70):
        desk.insert("tasks", {
            "subject": random.choice(SUBJECTS), "description": story(random, 4), "status": "Completed" if number % 3 else None,
            "departmentId": random.choice(departments), "ticketId": random.choice(tickets) if number % 2 else None,
            "dueDate": desk.now() + timedelta(days=number), "ownerId": random.choice(agents),
        })  # fmt: skip


def _agents(desk: Desk, random: Random, departments: list[str]) -> list[str]:
    agents = []
    for number in range(9):
        first, last = person(random)
        agents.append(
            desk.insert("agents", {
                "firstName": first, "lastName": last, "name": f"{first or ''} {last}".strip(),
                "emailId": f"agent{number}@example.com", "status": "ACTIVE" if number else "DISABLED",
                "rolePermissionType": "Admin", "associatedDepartmentIds": departments[: 1 + number % 3],
                "timeZone": "Asia/Kolkata", "isConfirmed": True, "isLightAgent": number == 8, "zuid": str(70_000_000 + number),
            })
        )  # fmt: skip
    return agents


def _ticket(desk: Desk, random: Random, number: int, ids: tuple[list[str], ...]) -> str:
    departments, agents, contacts, accounts, products = ids
    closed = number % 3 == 0
    at = _modified(desk, number)
    values = {
        "ticketNumber": str(101 + number), "subject": f"{random.choice(SUBJECTS)} {number}", "description": story(random, 40),
        "status": ("Closed", "Open", "Waiting; on 'customer'")[number % 3],
        "statusType": ("Closed", "Open", "On Hold")[number % 3], "priority": ("High", None, "Low")[number % 3],
        "channel": ("Email", "Phone", "Web")[number % 3], "departmentId": random.choice(departments),
        "contactId": random.choice(contacts), "accountId": random.choice(accounts) if number % 5 else None,
        "productId": random.choice(products) if number % 4 == 0 else None,
        "assigneeId": random.choice(agents) if number % 6 else None, "email": f"contact{number % 180}@example.com",
        "dueDate": at + timedelta(days=2), "closedTime": at if closed else None, "commentCount": "0", "threadCount": "0",
        "isSpam": number % 50 == 7, "isArchived": False, "isEscalated": number % 8 == 0, "isOverDue": False,
        "resolution": story(random, 3) if closed else None, "language": "English", "webUrl": f"https://example.com/t/{number}",
        "cf": {"cf_serial": f"SN-{number:07d}", "cf_amount": "0.10", "cf_notes": story(random, 2), "cf_empty": None},
    }  # fmt: skip
    return desk.insert("tickets", values, modified_time=at)


def _modified(desk: Desk, number: int) -> datetime:
    placed = TIED.start if number in TIED else number
    return desk.now() - timedelta(days=300) + timedelta(hours=placed * 11, milliseconds=placed)


def _talk(desk: Desk, random: Random, ticket: str, agents: list[str], number: int) -> None:
    row = desk.tables["tickets"][ticket]
    for count in range(number % 5):
        desk.add_comment(
            ticket, story(random, 5) or "", isPublic=count % 2 == 0, contentType="html", commenterId=random.choice(agents)
        )  # fmt: skip
    for count in range(number % 7):
        desk.add_thread(
            ticket, channel="EMAIL", direction=("in", "out")[count % 2], status="SUCCESS", summary=story(random, 1),
            content=story(random, 20), contentType="text/html", fromEmailAddress="a@example.com", to="b@example.com",
            hasAttach=False, attachmentCount="0", attachments=[],
        )  # fmt: skip
    # The conversation happened then, not now.
    for kind in ("comments", "threads"):
        for child in desk.rows(kind, ticket):
            child.created = child.modified = row.created
    row.modified = row.created
