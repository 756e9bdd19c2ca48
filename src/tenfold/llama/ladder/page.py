"""The ladder's page in the console: what ``tenfold ladder predict`` and ``score`` left last."""

from collections.abc import Mapping
from pathlib import Path

from tenfold.page import shelf

SHELF = "ladders"
_NOTHING = """<div class="lead"><h1>No ladder yet</h1>
<p>A ladder of small training runs says what a model with ten times the compute will reach, how it should be shaped, and
what it takes. The prediction is registered before the run, and the run is scored against it.</p></div>
<div class="card"><h2>Climb the first one</h2><p>Train rungs here, or bring runs of your own:</p>
<pre>tenfold ladder run
tenfold ladder predict --times 10</pre>
<pre>tenfold ladder predict runs.csv --times 10</pre>
<p>The file has the columns run, params, tokens, flops, loss. <code>docs/ladder.md</code> explains.</p></div>"""


def html(home: Path, query: Mapping[str, str]) -> str:
    """Make the page of what runs left in a pool's home."""
    return shelf.show(home / SHELF, query, _NOTHING)
