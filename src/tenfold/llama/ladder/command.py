"""``tenfold ladder``: from small runs to the model with ten times the compute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, amount, whole
from tenfold.core.errors import UsageError
from tenfold.core.paths import home_dir

if TYPE_CHECKING:
    from tenfold.llama.ladder.prediction import Outcome, Prediction
    from tenfold.llama.ladder.runs_table import RunsTable

app = App(name="ladder")

Runs = Annotated[Path | None, Parameter(help="CSV of runs; default: those that 'tenfold ladder run' trained.")]


@app.command
def run(
    *,
    budgets: Annotated[str, Parameter(help="FLOPs of the rungs, separated by commas.")] = "1e12,2e12,4e12",
    sizes: Annotated[int, whole("Sizes trained for each budget.", least=1)] = 3,
    prediction: Annotated[
        str | None, Parameter(help="Train the run of this prediction in place of rungs, and score it.")
    ] = None,
    data: Annotated[Path | None, Parameter(help="Prepared data; default: Python's own source text.")] = None,
    workers: Annotated[int, whole("Processes that compute gradients, each with one thread.", least=1)] = 1,
    seed: Annotated[int, whole("Seed of all of it.")] = 0,
    here: Annotated[bool, Parameter(help="Train in this process, though a pool is up.", negative="")] = False,
    json: Json = False,
) -> None:
    """Train the rungs of a ladder, or the run of a prediction: on the slots of the pool that is up, or else here.

    The same command goes on where it was stopped.
    """
    from tenfold.llama.ladder import climb_command

    climb_command.run(_amounts("--budgets", budgets), sizes, prediction, data, workers, seed, home_dir(), here, json)


def _amounts(option: str, written: str) -> list[float]:
    from tenfold.core.written import number

    found = [number(part.strip()) for part in written.split(",") if part.strip()]
    if not found or not all(isinstance(value, int | float) and value > 0 for value in found):
        raise UsageError(f"{option} {written!r} are no amounts", next_step=f"write them as in {option} 1e12,4e12")
    return sorted({float(value) for value in found if isinstance(value, int | float)})


@app.command
def fit(runs: Runs = None, *, json: Json = False) -> None:
    """Fit loss by parameters and tokens to runs: run, params, tokens, flops, loss."""
    from tenfold.llama.ladder import show
    from tenfold.llama.ladder.huber import fit_huber
    from tenfold.llama.ladder.vpnls import fit_vpnls

    table, _ = _load(runs)
    show.fit(table, fit_vpnls(table), fit_huber(table), json)


@app.command
def predict(
    runs: Runs = None,
    *,
    times: Annotated[float, amount("Compute of the predicted run over the largest of the runs.")] = 10.0,
    flops: Annotated[float | None, amount("Or its training FLOPs.")] = None,
    name: Annotated[str | None, Parameter(help="Name of the predicted run; default: by its FLOPs.")] = None,
    accelerator: Annotated[str, Parameter(help="What it will run on; 'tenfold compute accelerators' lists.")] = "h100",
    facility: Annotated[str, Parameter(help="Where: hyperscale, colocation or office.")] = "hyperscale",
    total_params: Annotated[float | None, amount("All its parameters, if it has experts.")] = None,
    context: Annotated[int | None, whole("Tokens per sequence.", least=1)] = None,
    owned_tokens: Annotated[
        float | None, amount("Different tokens that there are; default: those of the ladder trained here.")
    ] = None,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="Write the prediction here; default: the pool's home.")
    ] = None,
    json: Json = False,
) -> None:
    """Predict the best loss of a larger run with its shape, cost and data, and register that before it starts."""
    from tenfold.llama.ladder import show
    from tenfold.llama.ladder.library import prediction_path, read_owned
    from tenfold.llama.ladder.pages import leave_page
    from tenfold.llama.ladder.predicting import Asked, make
    from tenfold.llama.ladder.prediction import register
    from tenfold.llama.ladder.runs_table import sha256_of_runs

    table, text = _load(runs)
    budget = flops if flops is not None else times * float(table.flops_R.max())
    if not 0 < budget < float("inf"):
        raise UsageError(f"a budget of {budget:g} FLOPs cannot be", next_step="give --times 10, or --flops 1e21")
    if owned_tokens is None and runs is None:
        owned_tokens = read_owned(home_dir())
    asked = Asked(name or f"next-{budget:.3g}", budget, accelerator, facility, total_params, context, owned_tokens)
    told, found = make(table, sha256_of_runs(text), asked)
    path = output or prediction_path(home_dir(), told.name)
    register(told, text, path)
    leave_page(path, table, found)
    show.prediction(told, found, str(path), json)


@app.command
def score(
    prediction: str,
    run: Annotated[str | None, Parameter(help="The run that was trained; default: the one it was made for.")] = None,
    *,
    loss: Annotated[float | None, amount("Or the loss that it reached, of a run trained elsewhere.")] = None,
    json: Json = False,
) -> None:
    """Score a run against its registered prediction (a file, or the name of one of this home), and keep the score."""
    from tenfold.llama.ladder import show
    from tenfold.llama.ladder.library import find_prediction
    from tenfold.llama.ladder.pages import keep_outcome
    from tenfold.llama.ladder.prediction import load_prediction

    path = find_prediction(home_dir(), prediction)
    told = load_prediction(path)
    scored = keep_outcome(path, loss) if loss is not None else _scored(run or told.name, path)
    show.outcome(*scored, json)


def _scored(name: str, path: Path) -> "tuple[Prediction, Outcome]":
    """Score a run of this home that has ended."""
    from tenfold.llama.ladder.pages import score_run
    from tenfold.llama.runs import read_run, train_folder

    home = home_dir()
    run = read_run(train_folder(home, name))
    if run is None:
        raise UsageError(f"there is no run {name!r} in {home}", next_step="name one, or give its --loss")
    scored = score_run(home, name, run.recipe, path)
    if scored is None:
        raise UsageError(f"run {name!r} has not ended yet", next_step="score it when it has, or give its --loss")
    return scored


def _load(runs: Path | None) -> "tuple[RunsTable, str]":
    """Runs, and the text that they were read from."""
    from tenfold.core.show import talk
    from tenfold.llama.ladder.library import runs_path
    from tenfold.llama.ladder.runs_table import parse_runs, shown, text_of_runs

    path = runs or runs_path(home_dir())
    if runs is None and not path.exists():
        raise UsageError(
            f"no runs were trained in {home_dir()} yet",
            next_step="train some with 'tenfold ladder run', or give a runs.csv",
        )
    text = text_of_runs(path)
    table = parse_runs(text, str(path))
    if table.left_out:
        talk.print("\n".join(["left out:", *shown(table.left_out)]), style="dim", markup=False, soft_wrap=True)
    return table, text
