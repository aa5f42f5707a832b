"""Names and texts of the demo company, with characters that break careless loaders."""

from __future__ import annotations

FIRST_NAMES = (
    "Ada", "Zoë", "Søren", "Łucja", "José", "Nguyễn", "Björk", "محمد", "שירה", "雷", "Анна", "Ann \"Nan\"",
    "Jean-Luc", "D'Arcy", "Mary Ann", "🦊", None,
)  # fmt: skip
LAST_NAMES = (
    "Keeper", "O'Neil", "van der Berg", "Müller", "Smith, Jr.", "García; y López", "الليثي", "לוי", "李",
    "Ивáнова", "Fresnel", "NULL", "None", "N/A", "true", "007", "1e5", "Two\nLines", "Tab\there", "Ünïcødé 👩‍🚀",
    "=SUM(A1:A2)", "Robert'); DROP TABLE leads;--", "-", "0",
)  # fmt: skip
COMPANIES = (
    "Lumen & Sons", "Fog, Horn and Daughters", "Beacon \"Bright\" GmbH", "Øresund Lys A/S", "منارة الخليج",
    "מגדלור בע\"מ", "灯台株式会社", "Wick; Wax; Wonder", "Eddystone Trust", "Société d'Éclairage", "ACME, Inc.",
    "First line\nsecond line", "🚨 Siren Supplies", "'Quoted' Ltd", "  outer blanks  ",
)  # fmt: skip
CITIES = ("Bremerhaven", "São Paulo", "Łódź", "New York, NY", "東京", "حيفا", "St. John's", "Reykjavík")
COUNTRIES = ("Germany", "Brazil", "Poland", "USA", "Japan", "Iceland")
PRODUCTS = (
    "Fresnel lens, 1st order", "Lamp oil (5 l)", "Fog horn \"Old Ben\"", "Spare wick; cotton", "Brass polish",
    "Log book, ruled", "Storm glass", "Keeper's cap 🧢", "Spiral stair, cast iron", "Signal flags – set of 40",
)  # fmt: skip
SUBJECTS = (
    "Call back about the lens", "Send offer, then wait", "Visit the \"dark\" tower", "Order wicks;\noil;\npolish",
    "Renew contract", "צלצל", "👀 check the beam",
)  # fmt: skip
INDUSTRIES = ("Shipping", "Fishing; coastal", "Tourism, leisure", 'Harbour "authority"', "Research")
SOURCES = ("Trade fair", "Web; organic", "Referral, partner", "Cold call", "-None of these-")
STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Closed Won", "Closed Lost")
STORY = (
    "<div>The keeper wrote: &ldquo;the light went out at 03:12&rdquo;, and then nothing, for <b>nine nights</b>."
    "<br>\nOn the tenth the lamp burned again; nobody had climbed the stairs. 🗼</div>\n"
)
LONG_STORY = "".join(f"<p>Night {night}. {STORY}</p>" for night in range(1, 10))
