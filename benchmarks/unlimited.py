"""The command without Zoho's limit of ten downloads a minute, for a benchmark of more than ten archives."""

from __future__ import annotations

from pipelines.zoho_crm.__main__ import main
from sources.zoho_crm import limits

limits.BULK_DOWNLOADS_PER_MINUTE = 1_000_000

if __name__ == "__main__":
    main()
