"""``[serve.models]`` names a release's folder, a file or an adapter, and what it names answers chats."""

from pathlib import Path

import numpy as np
import openai
import pytest
from pydantic import ValidationError

from tenfold.core.gguf import write_gguf
from tenfold.llama.data.index import TextSource
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.data.tokenizer import SEPARATOR
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.progress import TrainProgress
from tenfold.llama.release.release import Trained, write_model
from tenfold.llama.release.tokens import read_tokens
from tenfold.llama.shape import ModelShape
from tenfold.pool.resident import Context
from tenfold.serve.resident import ServeResident, serve_models
from tenfold.serve.workload import ServeSettings


@pytest.fixture
def released(tmp_path) -> Path:
    """A folder as ``tenfold llama release`` writes it, of a small model that nobody trained."""
    text = prepare(tmp_path, lambda *_: None, TextSource(vocab_size=320, files=8, tokenizer_sample_every=2))
    shape = ModelShape(vocab_size=320, hidden_size=32, num_attention_heads=2, num_key_value_heads=1, head_dim=16)
    model = LlamaForCausalLM(shape)
    model.initialise(1)
    weights = {name: each.detach().numpy() for name, each in model.named_parameters() if "expert_bias" not in name}
    folder = tmp_path / "mine"
    folder.mkdir()
    trained = Trained("mine", shape, TrainProgress(), weights, 0.0)
    write_model(folder, trained, read_tokens(text / "tokenizer.json", SEPARATOR), 128, "Apache-2.0")
    return folder


def test_one_line_serves_a_release(released, run_resident, tmp_path):
    settings = ServeSettings.model_validate({"models": {"mine": str(released)}})
    assert settings.models["mine"].file == released / "mine-F32.gguf"
    context = Context("test", 1, tmp_path, tmp_path, {}, {}, "")
    models = serve_models(settings.model_copy(update={"engine": "vllm", "vllm_url": "http://127.0.0.1:9"}), context)
    resident = ServeResident({"mine": models["mine"]})
    for running in run_resident(resident):
        client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0)
        said = client.chat.completions.create(
            model="mine",
            messages=[{"role": "user", "content": "import"}],
            max_tokens=5,
            extra_body={"ignore_eos": True},
        )
        assert said.model == "mine"
        assert said.usage is not None
        # The separator that leads each document, then "import\n" as the tokenizer splits it.
        assert 2 <= said.usage.prompt_tokens <= 8
        assert said.usage.completion_tokens == 5


def test_an_adapter_changes_what_its_model_answers(released, run_resident, tmp_path):
    rank_a, rank_b = np.full((1, 32), 1e3, np.float32), np.zeros((320, 1), np.float32)
    rank_b[300] = 1.0
    said = {"general.architecture": "llama4", "general.type": "adapter", "adapter.type": "lora"}
    tensors = {"output.weight.lora_a": rank_a, "output.weight.lora_b": rank_b}
    write_gguf(tmp_path / "taught.gguf", {**said, "adapter.lora.alpha": 1.0}, tensors)
    given = {"mine": str(released), "taught": {"file": str(released), "adapter": str(tmp_path / "taught.gguf")}}
    settings = ServeSettings.model_validate({"models": given, "engine": "vllm", "vllm_url": "http://127.0.0.1:9"})
    models = serve_models(settings, Context("test", 1, tmp_path, tmp_path, {}, {}, ""))
    answers = {}
    for running in run_resident(ServeResident({name: models[name] for name in given})):
        client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0)
        for name in given:
            done = client.completions.create(
                model=name, prompt="import os", max_tokens=4, temperature=0, extra_body={"ignore_eos": True}
            )
            answers[name] = done.choices[0].text
    assert answers["taught"] != answers["mine"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("nowhere", "there is no file or folder"),
        ("empty", "it holds none"),
        ({}, "neither a file nor an adapter"),
        ({"adapter": "nowhere.gguf"}, "there is no file"),
    ],
)
def test_what_cannot_be_served_is_named(tmp_path, monkeypatch, given, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValidationError, match=why):
        ServeSettings.model_validate({"models": {"mine": given}})


def test_an_adapter_is_named_by_the_folder_of_its_tuning(tmp_path):
    (tmp_path / "adapter.gguf").write_bytes(b"")
    settings = ServeSettings.model_validate({"models": {"taught": {"adapter": str(tmp_path)}}})
    assert settings.models["taught"].adapter == tmp_path / "adapter.gguf"
