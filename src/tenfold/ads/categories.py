"""What may not be advertised at all, and what a person must look at first, told by the words of what is sold."""

import re

_BANNED = {
    "tobacco": r"tobacco|cigarettes?|cigars?|vap(?:e|es|ing)|e-?cigarettes?|nicotine|snus",
    "weapons": r"firearms?|handguns?|rifles?|pistols?|shotguns?|ammunition|switchblades?|silencers?|explosives?",
    "drugs": r"cannabis|marijuana|thc|cocaine|psilocybin|steroids?|kratom",
    "prescription medicine": r"prescription|antibiotics?|opioids?|viagra|ozempic|semaglutide|botox",
    "adult": r"porn\w*|escorts?|sex toys?|xxx|erotic\w*",
    "counterfeits": r"counterfeits?|replica (?:watch|bag|shoe)\w*|knock-?offs?|fake (?:ids?|passports?)",
    "hacking": r"spyware|keyloggers?|stalkerware|fake followers",
}
_REGULATED = {
    "alcohol": r"alcohol\w*|wines?|beers?|whisk(?:e)?ys?|vodka|gin|rum|brandy|champagne|liqueurs?|spirits",
    "gambling": r"casinos?|gambl\w+|betting|poker|lotter(?:y|ies)|sportsbook",
    "finance": r"loans?|mortgages?|credit cards?|crypto\w*|bitcoin|forex|invest(?:ing|ments?)|insurance|trading app",
    "health": (
        r"medicines?|medical|supplements?|vitamins?|weight[- ]loss|slimming|detox\w*|cbd|cures?|"
        r"fat[- ]burn\w*|lose (?:up to )?\d+ ?(?:kgs?|kilos?|lbs?|pounds?)|therap(?:y|ies)|"
        r"hearing aids?|contact lenses|probiotics?|diet pills?"
    ),
    "politics": r"election|ballot|candidate for|political (?:party|campaign)|vote for",
    "housing, work and credit": r"apartments? for rent|homes? for (?:sale|rent)|job (?:offers?|vacanc\w+)|hiring now",
    "dating": r"dating (?:app|site|service)s?|find singles",
    "children": r"infant formula|baby formula",
}


def _compiled(categories: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in categories.items()}


_BANNED_WORDS = _compiled(_BANNED)
_REGULATED_WORDS = _compiled(_REGULATED)


def banned(text: str) -> str:
    """The category of what may not be advertised; empty if there is none in the text."""
    return next((name for name, words in _BANNED_WORDS.items() if words.search(text)), "")


def regulated(text: str) -> str:
    """The category that a person must look at before it is shown; empty if there is none in the text."""
    return next((name for name, words in _REGULATED_WORDS.items() if words.search(text)), "")
