"""The plan's page in the console: what ``tenfold plan solve`` and ``simulate`` found last, or how to make a plan."""

from collections.abc import Mapping
from pathlib import Path

from tenfold.page import shelf

SHELF = "plans"
_NOTHING = """<div class="lead"><h1>No plan yet</h1>
<p>A plan says which sites, phases and accelerators to commit to now, which to keep as options, and which demand takes
an option up; with what it costs and what can go wrong.</p></div>
<div class="card"><h2>Make the first one</h2><p>From an example that ships with Tenfold, in less than a minute:</p>
<pre>tenfold plan solve two-racks</pre>
<p>Or from a study of your own: take one as a start, put in your demand, sites and offers, and solve it.</p>
<pre>tenfold plan example meta-2024-07 &gt; study.yaml
tenfold plan solve study.yaml</pre>
<p>The plan then appears here, and so does what <code>tenfold plan simulate study.yaml</code> finds.
<code>docs/plan.md</code> explains each key of a study.</p></div>"""


def html(home: Path, query: Mapping[str, str]) -> str:
    """Make the page of what runs left in a pool's home."""
    return shelf.show(home / SHELF, query, _NOTHING)
