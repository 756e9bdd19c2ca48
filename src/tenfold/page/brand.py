"""The mark of Tenfold, and its colours by name, by day and by night: for pages that are whole by themselves."""

from pathlib import Path

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" aria-hidden="true"><rect x="3" y="3" width="12" '
    'height="12" rx="3" fill="#4863d8"/><rect x="17" y="3" width="12" height="12" rx="3" fill="#0d9488"/><rect x="3" '
    'y="17" width="12" height="12" rx="3" fill="#4863d8"/><rect x="17" y="17" width="12" height="12" rx="3" '
    'fill="#e07b26"/></svg>'
)
TOKENS = Path(__file__).with_name("tokens.css").read_text()
