"""The page's style sheet and icon."""

from pathlib import Path

from tenfold.console.palette import FAINT, IDLE, INK, MUTED, RULE, WARN

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="3" y="3" width="12" height="12" rx="3" '
    'fill="#4863d8"/><rect x="17" y="3" width="12" height="12" rx="3" fill="#0d9488"/><rect x="3" y="17" width="12" '
    'height="12" rx="3" fill="#4863d8"/><rect x="17" y="17" width="12" height="12" rx="3" fill="#e07b26"/></svg>'
)

_TOKENS = f":root{{--ink:{INK};--muted:{MUTED};--faint:{FAINT};--rule:{RULE};--idle:{IDLE};--warn:{WARN}}}"

_RULES = Path(__file__).with_name("console.css").read_text()

STYLE = f"<style>{_TOKENS}{_RULES}</style>"
