"""The table of published runs is complete, sourced and physically possible."""

from collections import Counter
from pathlib import Path

import pytest

from tenfold.compute.published import PublishedRow, published_runs
from tenfold.compute.run import check_fits

DOCS = Path(__file__).parents[2] / "docs"


def test_there_are_more_than_forty_runs_with_different_names():
    names = [known.row.run for known in published_runs()]
    assert len(names) == len(set(names)) >= 40


def test_documents_tell_how_many_rows_are_from_memory():
    counts = Counter(known.row.provenance for known in published_runs())
    told = " ".join((DOCS / "compute.md").read_text().split())
    said = (
        f"figures of {counts['looked up']} were looked up, those of {counts['memory']} are from memory of their source"
    )
    assert said in told and f"those of {counts['project notes']} from notes" in told
    assert (
        f"341 published runs ({counts['memory']} from memory of their source)"
        in (DOCS.parent / "README.md").read_text()
    )
    assert counts.total() == 341


@pytest.mark.parametrize("known", published_runs(), ids=lambda known: known.row.run)
def test_a_run_is_sourced_dated_fits_in_memory_and_does_not_exceed_the_peak(known):
    assert known.row.source
    assert known.row.source_date >= known.row.date[:4]
    check_fits(known.run)
    # Of the peak of its own format: shorter ones are faster than the 16 bits that utilisation is a share of.
    own = known.run.accelerator.peak_flops(known.run.precision) if known.run.precision in ("fp8", "fp4") else 0.0
    assert 0.03 < known.utilisation < 0.75 * max(1.0, own / known.run.accelerator.peak_16bit_flops)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("Llama 2 7B", 184320),
        ("Llama 2 70B", 1720320),
        ("Llama 3.1 8B", 1.46e6),
        ("Llama 3.1 405B", 30.84e6),
        ("Llama 4 Scout", 5e6),
        ("Llama 4 Maverick", 2.38e6),
        ("DeepSeek-V3", 2.664e6),
    ],
)
def test_hours_are_those_of_the_model_cards(name, hours):
    (known,) = (each for each in published_runs() if each.row.run == name)
    assert known.accelerator_hours == hours


def test_a_row_needs_exactly_one_figure():
    row = published_runs()[0].row.model_dump()
    with pytest.raises(ValueError, match="exactly one"):
        PublishedRow.model_validate({**row, "tokens_per_s": 1.0, "model_tflops": 1.0})
