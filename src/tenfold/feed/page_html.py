"""The parts of the feed's page as HTML: pure functions of what the API gave."""

from html import escape

from tenfold.feed.contract import Card, Feed, Known

_LATEST = 10


def said_html(found: Feed) -> str:
    """Who chose this page."""
    if not found.cards:
        return "nothing is left to show"
    if found.by == "popular":
        return f"chosen by popularity ({escape(found.because)})"
    version = f", version {escape(found.snapshot[:24])}" if found.snapshot else ""
    return f"chosen by the ranking model{version}"


def card_html(card: Card) -> str:
    """A card's picture, title, reason, and what its place is made of."""
    title = escape(card.title)
    picture = f'<img src="{escape(card.poster)}" alt="" loading="lazy" width="240" height="340">'
    # A drawn poster has the title in it; a picture that a team gave has not.
    is_drawn = card.poster.startswith("/v1/feed/posters/")
    heading = f'<h2 class="{"unseen" if is_drawn else "feed-title"}">{title}</h2>'
    by = f'<p class="feed-author">{escape(card.author)}</p>' if card.author else ""
    if card.sponsored is not None:
        return _ad(card)
    return f"{picture}{heading}{by}<p>{escape(card.reason)}</p>{_terms(card)}"


def _ad(card: Card) -> str:
    """An ad: what it says and where it leads; loading it tells its advertiser that it was seen."""
    told = {name: escape(str(value)) for name, value in (card.sponsored or {}).items()}
    picture = f'<img src="{escape(card.poster)}" alt="" loading="lazy">' if card.poster else ""
    seen = f'<img class="feed-ad-seen" src="{told["seen"]}" alt="" width="1" height="1">' if "seen" in told else ""
    lead = (
        f'<a class="feed-ad-link" href="{told["click"]}" target="_blank" rel="noopener sponsored">'
        f"{told.get('call_to_action') or 'See more'}</a>"
        if "click" in told
        else ""
    )
    return (
        f'{picture}<span class="feed-ad">Ad</span><h2 class="feed-title">{escape(card.title)}</h2>'
        f'<p>{told.get("text", "")}</p>{lead}<p class="feed-author">{escape(card.reason)}</p>{seen}'
    )


def history_html(known: Known | None) -> str:
    """What the feed knows of the person, the latest first: what the reasons of the cards rest on."""
    if known is None or not known.watched:
        return '<p class="feed-nothing">Nothing is known of this person yet. Watch or like something.</p>'
    latest = list(reversed(known.watched))[:_LATEST]
    posters = "".join(
        f'<li title="{escape(card.title)}"><img src="{escape(card.poster)}" alt="{escape(card.title)}" width="36" '
        'height="51"></li>'
        for card in latest
    )
    less = f", less like {len(known.less)}" if known.less else ""
    blocked = f", {len(known.blocked)} not wanted" if known.blocked else ""
    return f"<p>Known, from all surfaces: <b>{len(known.watched)}</b> chosen{blocked}{less}</p><ul>{posters}</ul>"


def _terms(card: Card) -> str:
    if not card.terms:
        return ""
    rows = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{value:.3g}</td></tr>" for name, value in card.terms.items()
    )
    return f'<details class="feed-terms"><summary>Why this place</summary><table>{rows}</table></details>'
