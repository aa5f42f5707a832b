"""A recruiter's office with some hundred hard rows, made from a seed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ..core.words import FIRMS, person, story
from .recruit import Field, Module, Recruit

CANDIDATES = 450
LONG = '🚢 long, "quoted";' * 2_000
TIED = range(190, 215)
"""Candidates with one and the same Modified_Time, across a page's edge."""


def more_modules() -> list[Module]:
    """A further standard module, a custom one, and those that no table can be made of."""
    return [
        Module("Vendors", "Vendor", "vendor", [
            Field("Vendor_Name"), Field("Terms", "textarea"), Field("Contract_End", "date"), Field("Fee", "percent"),
        ]),
        Module("J1_Participants", "J1 Participant", "custommodule", [
            Field("Participant_No", "autonumber"), Field("Essay", "textarea"), Field("Remark"), Field("Visa_Until", "date"),
            Field("Flight_At", "datetime"), Field("Investment", "currency"), Field("Score", "double"),
            Field("Is_Hosted", "boolean"), Field("Hosts", "multiselectpicklist"), Field("Never_Filled", "date"),
            Field("Candidate", "lookup", lookup_module="Candidates"),
        ], generated_type="custom"),
        Module("J1_Candidates", "J1 Candidate", "custommodule", [Field("Name")], permitted=False, generated_type="custom"),
        Module("Home", "Home", "home", api_supported=False),
    ]  # fmt: skip


def fill(recruit: Recruit, seed: int = 0) -> None:
    random = Random(seed)
    candidates = [_candidate(recruit, random, number) for number in range(CANDIDATES)]
    recruit.unapproved |= {*candidates[5:9]}
    recruit.converted |= {*candidates[7:12]}
    clients = [
        _insert(recruit, "Clients", number, {
            "Client_Name": f"{random.choice(FIRMS)} {number}", "Website": f"https://example.com/?a={number};b",
            "Industry": None if number % 4 else "Ships; boats", "About": story(random, 8), "Contact_Number": f"00{number}",
        })
        for number in range(30)
    ]  # fmt: skip
    openings = [
        _insert(recruit, "Job_Openings", number, {
            "Job_Opening_ID": f"ZR_{number}_JOB", "Posting_Title": f"Keeper, {random.choice(FIRMS)} {number}",
            "Client_Name": recruit.lookup("Clients", random.choice(clients)), "Job_Description": story(random, 40),
            "Number_of_Positions": number % 4, "Salary": Decimal("123456.789") + number, "Remote_Job": number % 2 == 0,
            "Target_Date": date(2026, 2, 28) + timedelta(days=number), "Date_Opened": date(1969, 12, 31),
            "Job_Opening_Status": "In-progress",
        })
        for number in range(55)
    ]  # fmt: skip
    for number in range(520):
        _insert(recruit, "Applications", number, {
            "Application_ID": f"ZR_{number}_APP", "Candidate_Name": recruit.lookup("Candidates", random.choice(candidates)),
            "Job_Opening_Name": recruit.lookup("Job_Openings", random.choice(openings)),
            "Application_Status": ("New", "Hired; started", None)[number % 3], "Rating": number % 6 or None,
            "Comments": story(random, 6),
        })  # fmt: skip
    for number in range(130):
        at = recruit.now() + timedelta(hours=number)
        _insert(recruit, "Interviews", number, {
            "Interview_Name": f"Interview {number}, round “{number % 3}”",
            "Candidate_Name": recruit.lookup("Candidates", random.choice(candidates)),
            "Posting_Title": recruit.lookup("Job_Openings", random.choice(openings)), "Start_DateTime": at,
            "End_DateTime": at + timedelta(hours=1) if number % 5 else None, "Interview_Status": "Scheduled",
            "Interviewers": ["ada@example.com"] if number % 2 else None, "Schedule_Comments": story(random, 3),
        })  # fmt: skip

    _fill_more(recruit, random, candidates)


def _fill_more(recruit: Recruit, random: Random, candidates: list[str]) -> None:
    for module in more_modules():
        recruit.add_module(module)
    for number in range(12):
        _insert(recruit, "Vendors", number, {
            "Vendor_Name": f"{random.choice(FIRMS)} {number}", "Terms": story(random, 60) if number % 3 else None,
            "Contract_End": date(2026, 2, 28) + timedelta(days=number) if number % 2 else None,
            "Fee": Decimal("12.5") if number % 4 else 0,
        })  # fmt: skip
    for number in range(240):
        at = recruit.now() + timedelta(hours=number)
        _insert(recruit, "J1_Participants", number, {
            "Participant_No": f"{number:05d}", "Essay": LONG if number == 7 else story(random),
            # What looks like a time, a number or a list in a text stays a text.
            "Remark": ("2026-03-02T09:00:00+00:00", "soon 🎓", None, "007", "[]")[number % 5],
            "Visa_Until": date(1969, 12, 31) + timedelta(days=number * 90) if number % 4 else None,
            "Flight_At": at if number % 3 else None,
            "Investment": Decimal("1234567890123.123456789") if number % 2 else 0, "Score": number / 8 if number % 5 else None,
            "Is_Hosted": (True, False, None)[number % 3], "Hosts": ["Camp; one", "海の灯台"] if number % 2 else None,
            "Candidate": recruit.lookup("Candidates", random.choice(candidates)) if number % 3 else None,
        })  # fmt: skip


def _candidate(recruit: Recruit, random: Random, number: int) -> str:
    first, last = person(random)
    values = {
        "Candidate_ID": f"ZR_{number}_CAND", "First_Name": first, "Last_Name": f"{last} {number}",
        "Email": f"candidate{number}@example.com" if number % 9 else None, "Mobile": f"+00 {number:06d}",
        "City": random.choice(("Ærøskøbing", "Łódź", "東京", None)), "Experience_in_Years": number % 40 or None,
        "Expected_Salary": Decimal(number) * Decimal("1234.567"), "Candidate_Status": "New" if number % 3 else "Hired; started",
        "Skill_Set": story(random, 15), "Skills": ["SQL", "Rope; knots"] if number % 2 else None,
        "Email_Opt_Out": number % 7 == 0, "Date_of_Birth": date(1950, 1, 1) + timedelta(days=number * 40),
        "Rating": number / 8, "Source": None,
    }  # fmt: skip
    return _insert(recruit, "Candidates", number, values)


def _insert(recruit: Recruit, module: str, number: int, values: dict[str, Any]) -> str:
    placed = TIED.start if number in TIED else number
    at = recruit.now() - timedelta(days=400) + timedelta(hours=placed * 18, seconds=placed)
    return recruit.insert(module, values, modified_time=at)
