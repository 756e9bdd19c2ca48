"""The replay's page in the console: what the last runs of ``tenfold replay`` compared, or how to make one."""

from collections.abc import Mapping
from pathlib import Path

from tenfold.page import shelf

SHELF = "replays"
_NOTHING = """<div class="lead"><h1>No replay yet</h1>
<p>A replay plays a recorded week of requests and jobs again under several policies: how many requests each would have
answered in time, and how much training it would have done beside them.</p></div>
<div class="card"><h2>Make the first one</h2><p>With a week that ships with Tenfold:</p>
<pre>tenfold replay example week
tenfold replay week/week.toml --policy all</pre>
<p>With your own week: <code>docs/replay.md</code> says what its three files hold. The comparison then appears here.</p>
</div>"""


def html(home: Path, query: Mapping[str, str]) -> str:
    """Make the page of what runs left in a pool's home."""
    return shelf.show(home / SHELF, query, _NOTHING)
