"""``report.html`` of a run: its curves, what it is, and where it stands, in one file that asks nothing of a network."""

import logging
import time
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from tenfold.core.errors import TenfoldError
from tenfold.core.paths import replace_file
from tenfold.llama.charts import Curve, loss_chart, norm_chart, rate_chart, speed_chart, workers_chart
from tenfold.llama.checkpoint import RunMeta
from tenfold.llama.compare import Comparison, Mark
from tenfold.llama.curve import stretches
from tenfold.llama.journal import EVALUATIONS_FILE, STEPS_FILE, read_evaluations, read_steps
from tenfold.llama.numerics import mixed
from tenfold.llama.runs import read_run
from tenfold.llama.standing import Standing, standing_of
from tenfold.page.figures import amount
from tenfold.page.sheet import amount_data, data, document, footer, header, pair, percent_data, section, tiles

REPORT_FILE = "report.html"
FIRST_S = 10.0
COST_SHARE = 0.01
"""Of the coordinator's time that drawing may take: a long run's page is drawn anew more seldom."""

ABOUT_LOSS = (
    "Nats per token along the tokens trained on: the line is the mean of the steps, the band holds 80% of them, rings "
    "are measured on documents that are never trained on. The first 2% are cut off where they are higher."
)
ABOUT_LEFT_OUT = " Dots above are steps whose update was left out."

log = logging.getLogger(__name__)


class Reporter:
    """Keeps a run's report up to date while the run goes; a page that cannot be written costs the run nothing."""

    def __init__(self, folder: Path, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._name, self._clock = folder, name, clock
        self._due = clock() + FIRST_S

    def stepped(self) -> None:
        """A step is finished: draw if it is time."""
        if self._clock() >= self._due:
            self.draw()

    def draw(self) -> None:
        """Draw now."""
        began = self._clock()
        try:
            write_report(self._folder, self._name)
        except (TenfoldError, OSError) as error:
            log.warning("there is no new page of run %s: %s", self._name, error)
        ended = self._clock()
        self._due = ended + max(FIRST_S, (ended - began) / COST_SHARE)


def write_report(folder: Path, name: str) -> Path:
    """Draw the run in a folder into its ``report.html``.

    Raises:
        AssetError: ``run.json`` is damaged.
        OSError: the page cannot be written.
    """
    run = read_run(folder)
    assert run is not None, "a run that is drawn has a run.json"
    path = folder / REPORT_FILE
    replace_file(path, report(standing_of(name, folder, run.recipe), run).encode())
    return path


def fresh_report(folder: Path, name: str) -> Path:
    """The run's page, drawn anew if the run has gone on since; raises as ``write_report`` does."""
    path = folder / REPORT_FILE
    if path.exists():
        sources = [each for each in (folder / STEPS_FILE, folder / EVALUATIONS_FILE) if each.exists()]
        if all(each.stat().st_mtime <= path.stat().st_mtime for each in sources):
            return path
    return write_report(folder, name)


def report(standing: Standing, run: RunMeta) -> str:
    """The page of one run."""
    steps, recipe = stretches(read_steps(standing.folder)), run.recipe
    curve = Curve(standing.name, steps, read_evaluations(standing.folder))
    shape = recipe.model.model_dump(exclude={"vision"})
    vision = recipe.model.vision.model_dump() if recipe.model.vision is not None else None
    how = recipe.model_dump(exclude={"model"})
    charts = [
        section("Loss", ABOUT_LOSS + (ABOUT_LEFT_OUT if standing.skipped else ""), loss_chart([curve]), "full"),
        pair(
            section("Speed", "Tokens per second.", speed_chart(steps)),
            section("Workers", "Processes that computed gradients.", workers_chart(steps)),
        ),
        pair(
            section("Learning rate", "Of each update.", rate_chart(steps)),
            section(
                "Gradient",
                "Its norm before it is cut to the dashed line; median of each stretch, logarithmic.",
                norm_chart(steps, recipe.gradient_norm_limit),
            ),
        ),
    ]
    body = [
        header(f"Training run {standing.name}", f"{_state(standing)}, {standing.end}"),
        tiles(_tiles(standing)),
        *(charts if steps else [section("Loss", "No step is finished yet.", "")]),
        pair(
            section("Model", "Sizes, named as in Hugging Face's Llama 4.", _table(shape)),
            section("Training", _about_bits(standing), _table(how)),
        ),
        section("Images", "The part that reads images.", _table(vision)) if vision else "",
        section("Data", "What it is trained on.", _table(_data(standing))),
        footer([f"Run {escape(run.run)}, recipe and data {run.identity[:16]}, in {escape(str(standing.folder))}."]),
    ]
    return document(f"Training run {standing.name}", _style(), "\n".join(body))


def comparison(found: Comparison) -> str:
    """The page of two runs."""
    curves = [
        Curve(each.name, stretches(read_steps(each.folder)), read_evaluations(each.folder))
        for each in (found.a, found.b)
    ]
    names = escape(found.a.name), escape(found.b.name)
    rows = "".join(
        f"<tr><td>{escape(each.key)}</td><td>{escape(str(each.a))}</td><td>{escape(str(each.b))}</td></tr>"
        for each in found.differs
    )
    head = f"<thead><tr><th scope=col>key</th><th scope=col>{names[0]}</th><th scope=col>{names[1]}</th></tr></thead>"
    shown = f"<table>{head}<tbody>{rows}</tbody></table>" if rows else "<p>Nothing: recipe, shape and data are one.</p>"
    body = [
        header(
            f"{found.a.name} and {found.b.name}",
            " · ".join(f"{each.name}: {_state(each)}" for each in (found.a, found.b)),
        ),
        section("Loss", "Nats per token; rings are held out.", loss_chart(curves), "full"),
        pair(
            section("What differs", "Recipe, shape and data.", shown),
            section("What came of it", "Mean training loss since the row before.", _marks(found.marks, names)),
        ),
        section("Held out", "Where both were evaluated.", _marks(found.held_out, names)) if found.held_out else "",
    ]
    return document(f"{found.a.name} and {found.b.name}", _style(), "\n".join(body))


def _about_bits(standing: Standing) -> str:
    """Under which condition recipe and data give these bits again."""
    told = mixed(standing.numerics)
    if told:
        return f"{told[0].upper()}{told[1:]}."
    by = f", computed by {standing.numerics[0].what}," if standing.numerics else ""
    return f"The recipe: the same one and the same data{by} give the same bits."


def _style() -> str:
    return Path(__file__).with_name("report.css").read_text()


def _state(standing: Standing) -> str:
    return {
        "running": "in training",
        "finished": "finished",
        "diverged": f"diverged: the updates of its last steps were left out, {standing.skipped} in all",
        "stopped": "stopped",
    }[standing.state]


def _tiles(standing: Standing) -> list[tuple[str, str, str]]:
    held = standing.evaluation_loss
    speed, loss = standing.tokens_per_s, standing.loss
    used = f"{percent_data(standing.mfu)} of the measured peak" if standing.mfu is not None else "at the end"
    return [
        ("Step", data(standing.step, f"{standing.step:,}"), f"of {standing.steps:,}" if standing.steps else "no end"),
        ("Tokens", amount_data(standing.tokens), f"{amount(standing.flops)} FLOP"),
        ("Loss", data(loss, f"{loss:.4f}") if loss is not None else "none", "mean of the last steps, nats per token"),
        (
            "Held out",
            data(held, f"{held:.4f}") if held is not None else "none",
            f"at step {standing.evaluated_at:,}" if standing.evaluated_at is not None else "not evaluated yet",
        ),
        ("Tokens per second", amount_data(speed) if speed is not None else "none", used),
    ]


def _data(standing: Standing) -> Mapping[str, object]:
    if standing.data is None:
        return {"data": "not written down"}
    return standing.data.model_dump(exclude_defaults=True)


def _table(table: Mapping[str, object]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(key)}</th><td>{escape(_words(value))}</td></tr>" for key, value in table.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def _marks(marks: tuple[Mark, ...], names: tuple[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{amount_data(each.tokens)}</td><td>{data(each.a, f'{each.a:.4f}')}</td>"
        f"<td>{data(each.b, f'{each.b:.4f}')}</td><td>{each.b - each.a:+.4f}</td></tr>"
        for each in marks
    )
    head = "".join(f"<th scope=col>{name}</th>" for name in ("tokens", *names, "difference"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
