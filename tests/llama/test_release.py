"""A released model is the one that was trained, in others' software: llama.cpp answers as our network does."""

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch.nn import functional

from released.llama_cpp import LlamaCpp
from tenfold.cli.main import main
from tenfold.core.errors import Damaged, UsageError
from tenfold.core.gguf import Gguf, write_gguf
from tenfold.core.paths import replace_file
from tenfold.core.sound import write_record
from tenfold.llama.checkpoint import StateVectors, write_checkpoint
from tenfold.llama.data.index import read_index
from tenfold.llama.data.tokenizer import IMAGE_MARKS, SEPARATOR
from tenfold.llama.ladder.library import prediction_path, write_outcome
from tenfold.llama.ladder.prediction import Prediction, load_outcome, outcome_path
from tenfold.llama.model import LlamaForCausalLM, LlamaForConditionalGeneration
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.release.card import Card, write
from tenfold.llama.release.gguf import check_loadable, dense_weights
from tenfold.llama.release.release import Trained, release, write_model
from tenfold.llama.release.tokens import read_tokens
from tenfold.llama.run_data import keep_data
from tenfold.llama.runs import open_run, train_folder
from tenfold.llama.shape import ModelShape, VisionShape
from tenfold.llama.vectors import initial_parameters, layout_of

SAMPLE = "def f(x):\n    return x  + 12.5 # it's naïve — 你好\n\n\nclass A:\n"
DENSE = {"use_qk_norm": False, "no_rope_layer_interval": 0, "tie_word_embeddings": True}


@pytest.fixture
def home(recipe, text, tmp_path) -> Path:
    """A home with a run that has a checkpoint; its matrices are larger than at a start, so that all layers matter."""
    return make_run(tmp_path, recipe, text, bias=0.0)


def make_run(home: Path, recipe: Recipe, text: Path, *, bias: float) -> Path:
    folder = train_folder(home)
    folder.mkdir(parents=True)
    layout = layout_of(recipe.model)
    parameters_P = initial_parameters(recipe, layout)
    for span in layout.spans:
        parameters_P[span.part] = {"norm": 1.0, "balance": bias}.get(span.kind, 5 * parameters_P[span.part])
    zeros_P = np.zeros_like(parameters_P)
    progress = TrainProgress()
    for loss in (5.5, 4.5, 3.25):
        progress = progress.after(loss, recipe.step_tokens)
    run = open_run(folder, recipe, read_index(text).sha256)
    write_checkpoint(folder, run, progress, layout.spans, StateVectors(parameters_P, zeros_P, zeros_P))
    return home


def model_of(folder: Path, shape: ModelShape) -> LlamaForCausalLM:
    model = LlamaForCausalLM(shape)
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()}, strict=False)
    return model


def farthest(folder: Path, file: str, shape: ModelShape) -> float:
    """The greatest difference between llama.cpp's log-probabilities and our network's, whose tokens must be equal."""
    engine = LlamaCpp(folder / file)
    tokens = engine.split(SAMPLE)
    assert tokens == Tokenizer.from_file(str(folder / "tokenizer.json")).encode(SAMPLE).ids
    places = list(range(3, 31, 5))
    with torch.no_grad():
        logits_TV = model_of(folder, shape)(torch.tensor([tokens]))[0]
    ours = torch.log_softmax(logits_TV.double(), -1).numpy()[[place - 1 for place in places]]
    assert ours.std() > 0.2, "all tokens are alike: nothing is compared"
    return float(np.abs(engine.log_probabilities(tokens, shape.vocab_size, places) - ours).max())


def test_a_run_is_released_and_llama_cpp_answers_as_it_would(home, recipe, text, monkeypatch, capsys):
    monkeypatch.setenv("TENFOLD_HOME", str(home))
    target = home / "out"
    main(["llama", "release", "main", "-o", str(target), "--data", str(text), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["step"] == 3
    assert told["parameters"] == sum(
        weight.size for weight in safetensors.numpy.load_file(target / "model.safetensors").values()
    )
    assert told["active_parameters"] < told["parameters"]
    assert farthest(target, "main-F32.gguf", recipe.model) < 1e-4
    sums = dict(reversed(line.split("  ")) for line in (target / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {path.name for path in target.iterdir()} - {"SHA256SUMS"}
    assert all(hashlib.sha256((target / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    card = (target / "README.md").read_text()
    assert read_index(text).sha256 in card
    assert f"| 3 | {3 * recipe.step_tokens:,} | 3.2500 |" in card
    assert "No prediction was registered" in card
    assert "license: apache-2.0" in card
    assert (target / "Modelfile").read_text().startswith("FROM ./main-F32.gguf\n")


def test_the_data_of_a_run_are_found_and_the_card_tells_their_licence(home, text, monkeypatch, capsys):
    monkeypatch.setenv("TENFOLD_HOME", str(home))
    data = home / "data"
    shutil.copytree(text, data)
    write_record(data / "index.json", read_index(data).model_copy(update={"licence": "CC0-1.0"}))
    keep_data(train_folder(home), data)
    main(["llama", "release", "-o", str(home / "out"), "--no-gguf", "--json"])
    assert json.loads(capsys.readouterr().out)["step"] == 3
    assert "Their licence, as told by who prepared them: CC0-1.0." in (home / "out" / "README.md").read_text()


def test_the_card_counts_steps_of_pairs_by_pairs_as_their_tokens_differ():
    shape = ModelShape(vision=VisionShape(image_token_index=1), vocab_size=320)
    recipe = Recipe(model=shape, microbatches=2, microbatch_sequences=8, sequence_tokens=64)
    card = Card(
        name="seen", licence="CC0-1.0", recipe=recipe, progress=TrainProgress(step=3, tokens=90), data=(),
        parameters=(2, 1), prediction=None, outcome=None, left_out=0.0, evaluations=(), files={},
    )  # fmt: skip
    said = "3 steps of 16 images with captions: 90 tokens in all, without those that fill sequences up."
    assert said in write(card)
    assert "3 steps of 1,024 tokens" in write(replace(card, recipe=recipe.model_copy(update={"model": ModelShape()})))


def test_the_prediction_that_was_registered_is_on_the_card(home, text):
    (home / "prediction.json").write_text('{"predicted": 3.3, "low": 3.1, "high": 3.5}')
    found = release(home, None, None, data=text, prediction=home / "prediction.json", with_gguf=False)
    assert '"predicted": 3.3' in (found.folder / "README.md").read_text()
    assert not list(found.folder.glob("*.gguf"))


def test_what_the_ladder_foretold_of_the_run_and_how_it_came_out_is_on_the_card(home, text):
    prediction = Prediction(
        name="main", made_at="2026-11-28T00:00:00+00:00", runs_sha256="0" * 64, runs=12, flops=1e13, times=10.0,
        loss=3.3, low=3.1, high=3.5, params=1e6, tokens=1e7, learning_rate=1e-3, batch_tokens=1024.0,
        accelerator="h100", accelerator_hours=(1.0, 2.0, 3.0), usd=None, owned_tokens=1e7, unique_tokens=1e7,
        repeats=1.0, storage_gb=0.1, cross_check=3.31, best_so_far=3.9, law={}, reasons=(),
    ).sealed()  # fmt: skip
    path = prediction_path(home, "main")
    replace_file(path, prediction.model_dump_json().encode())
    waits = release(home, None, home / "waits", data=text, with_gguf=False)
    assert "The run has not been scored against it." in (waits.folder / "README.md").read_text()
    write_outcome(path, 3.2)
    found = release(home, None, home / "scored", data=text, with_gguf=False)
    card = (found.folder / "README.md").read_text()
    assert "| 3.3000 | 3.1000 to 3.5000 | 3.2000 | +3.12% | holds it |" in card
    assert f"`{prediction.sha256}`" in card
    # One that gained nothing over the runs before is read back too; one that is no score is named.
    outcome_path(path).unlink()
    write_outcome(path, 4.0)
    assert load_outcome(path).share_of_gain == float("inf")
    scored = outcome_path(path).read_text()
    outcome_path(path).write_text(scored.replace(prediction.sha256, "0" * 64))
    old = release(home, None, home / "old", data=text, with_gguf=False)
    assert "The run has not been scored against it." in (old.folder / "README.md").read_text()
    outcome_path(path).write_text("{}")
    with pytest.raises(Damaged, match="is no score"):
        release(home, None, home / "no-score", data=text, with_gguf=False)
    outcome_path(path).unlink()
    path.write_text(path.read_text().replace("3.3", "3.2"))
    with pytest.raises(Damaged, match="changed after it was made"):
        release(home, None, home / "changed", data=text, with_gguf=False)


@pytest.mark.parametrize("experts", [0, 2, 16, 64])
def test_each_count_of_experts_reads_the_same_in_llama_cpp(text, tmp_path, experts):
    shape = ModelShape(
        vocab_size=331,
        hidden_size=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size_mlp=48,
        intermediate_size=32,
        num_local_experts=experts,
        **({} if experts else DENSE),
    )
    model = LlamaForCausalLM(shape)
    model.initialise(1)
    weights = {
        name: (parameter * (5 if parameter.dim() > 1 else 1)).detach().numpy()
        for name, parameter in model.named_parameters()
        if not name.endswith("expert_bias")
    }
    tokens = read_tokens(text / "tokenizer.json", SEPARATOR)
    write_model(tmp_path, Trained("tiny", shape, TrainProgress(), weights, 0.0), tokens, 128, "Apache-2.0")
    assert farthest(tmp_path, "tiny-F32.gguf", shape) < 1e-4
    if not experts:
        read = Gguf(tmp_path / "tiny-F32.gguf")
        again = dense_weights({name: read.tensor(name) for name in read.names}, shape)
        assert again.keys() == weights.keys()
        assert all(np.array_equal(again[name], weights[name]) for name in weights)


def as_llama_cpp(gelu: Callable[..., torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Its GELU: the approximation by tanh, from a table of half floats."""

    def nearly(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x.abs() >= 10, x.clamp(min=0), gelu(x.half().float(), approximate="tanh").half().float())

    return nearly


def test_llama_cpp_reads_images_as_our_network_but_for_its_gelu(text, tmp_path, monkeypatch):
    vision = VisionShape(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=24, patch_size=4,
        projector_output_dim=48, image_token_index=2, image_marks=True,
    )  # fmt: skip
    shape = ModelShape(
        vocab_size=330, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        intermediate_size_mlp=48, intermediate_size=32, num_local_experts=4, vision=vision,
    )  # fmt: skip
    network = LlamaForConditionalGeneration(shape, vision)
    network.initialise(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(5 if parameter.dim() > 1 else 1)
    weights = {name: each.detach().numpy() for name, each in network.named_parameters() if "expert_bias" not in name}
    tokens = read_tokens(text / "tokenizer.json", SEPARATOR)
    write_model(tmp_path, Trained("tiny", shape, TrainProgress(), weights, 0.0), tokens, 128, "Apache-2.0")
    engine = LlamaCpp(tmp_path / "tiny-F32.gguf", vision=tmp_path / "mmproj-tiny-F32.gguf")
    split = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    first, last = (split.token_to_id(name) for name in IMAGE_MARKS)
    assert (first, last) == (len(tokens.names), len(tokens.names) + 1)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["boi_token_index"], config["eoi_token_index"]) == (first, last)
    said = split.encode("def f", add_special_tokens=False).ids
    answers = []
    for seed in range(2):
        pixels_SSM = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        written = io.BytesIO()
        Image.fromarray(pixels_SSM).save(written, "PNG")
        shown = torch.from_numpy(pixels_SSM.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
        prompt = torch.tensor([[tokens.separator, first, *[2] * vision.image_tokens, last, *said]])
        with torch.no_grad():
            ours_V = torch.log_softmax(network(prompt, shown)[0, -1].double(), -1).numpy()
            with monkeypatch.context() as patched:
                patched.setattr(functional, "gelu", as_llama_cpp(functional.gelu))
                same_V = torch.log_softmax(network(prompt, shown)[0, -1].double(), -1).numpy()
        theirs_V = engine.after_image(written.getvalue(), "def f", shape.vocab_size)
        assert np.abs(theirs_V - same_V).max() < 3e-4
        assert np.abs(theirs_V - ours_V).max() < 3e-3
        answers.append(ours_V)
    assert np.abs(answers[0] - answers[1]).max() > answers[0].std() / 2, "both pictures are alike: nothing is compared"


def test_biases_that_have_not_faded_are_refused_or_left_out_by_name(recipe, text, tmp_path):
    home = make_run(tmp_path, recipe, text, bias=0.25)
    with pytest.raises(UsageError, match=r"still chosen with biases \(up to 0.250\)"):
        release(home, None, None, data=text)
    found = release(home, None, None, data=text, without_biases=True)
    assert "biases that had not faded yet (up to 0.250)" in (found.folder / "README.md").read_text()


def test_what_cannot_be_released_is_named_and_nothing_written(home, recipe, text, tmp_path):
    with pytest.raises(UsageError, match="no training run 'other'"):
        release(home, "other", None, data=text)
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="is there already"):
        release(home, None, tmp_path / "there", data=text)
    with pytest.raises(UsageError, match="every 3th"):
        check_loadable(recipe.model.model_copy(update={"no_rope_layer_interval": 3}))
    with pytest.raises(UsageError, match="reads images"):
        check_loadable(recipe.model.model_copy(update={"vision": VisionShape()}))
    with pytest.raises(UsageError, match="rope_theta of 10000, not of 500"):
        check_loadable(recipe.model.model_copy(update={"vision": VisionShape(image_marks=True, rope_theta=500.0)}))
    with pytest.raises(UsageError, match="unless it has 128 experts"):
        check_loadable(recipe.model.model_copy(update={"num_local_experts": 128}))
    assert [path.name for path in train_folder(home).iterdir() if path.name.startswith(("release", "."))] == []


def test_a_gguf_file_is_read_as_it_was_written_or_its_damage_is_named(tmp_path):
    path, weights = tmp_path / "one.gguf", np.arange(12, dtype=np.float32).reshape(3, 4)
    said = {"a": 7, "b": 0.5, "c": "ü", "d": ["x", "yz"], "e": [1, -2], "f": [0.25], "g": True}
    write_gguf(path, said, {"w": weights})
    read = Gguf(path)
    assert read.metadata == said
    assert np.array_equal(read.tensor("w"), weights)
    with pytest.raises(Damaged, match="no tensor 'v'"):
        read.tensor("v")
    path.write_bytes(path.read_bytes()[:-32])
    with pytest.raises(Damaged, match="'w' is cut short"):
        Gguf(path).tensor("w")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(Damaged, match="header is cut short"):
        Gguf(path)
