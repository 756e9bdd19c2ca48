"""A model taught by examples says what they say, and its adapter says the same in llama.cpp."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from released.llama_cpp import LlamaCpp
from tenfold.cli.main import main
from tenfold.core.errors import UsageError
from tenfold.core.gguf import Gguf, write_gguf
from tenfold.llama.data.tokenizer import SEPARATOR
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.progress import TrainProgress
from tenfold.llama.release.release import Trained, write_model
from tenfold.llama.release.tokens import read_tokens
from tenfold.llama.shape import ModelShape
from tenfold.llama.tune.adapter import Adapted, attach
from tenfold.llama.tune.examples import read_examples
from tenfold.llama.tune.taught import read_taught
from tenfold.llama.tune.tune import Lesson, tune

SHAPE = ModelShape(
    vocab_size=320, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_hidden_layers=2,
    intermediate_size_mlp=48, num_local_experts=0, no_rope_layer_interval=0, use_qk_norm=False,
    tie_word_embeddings=True,
)  # fmt: skip
CHATS = [
    {"messages": [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": f"{word}, gladly"}]}
    for word in ("def", "class", "import", "return", "self", "None", "with", "for")
]


@pytest.fixture(scope="module")
def model(text, tmp_path_factory) -> Path:
    """The GGUF file of a small dense model that nobody trained."""
    folder = tmp_path_factory.mktemp("model")
    network = LlamaForCausalLM(SHAPE)
    network.initialise(1)
    weights = {
        name: (5 * each if each.dim() > 1 else each).detach().numpy() for name, each in network.named_parameters()
    }
    tokens = read_tokens(text / "tokenizer.json", SEPARATOR)
    write_model(folder, Trained("tiny", SHAPE, TrainProgress(), weights, 0.0), tokens, 128, "Apache-2.0")
    return folder / "tiny-F32.gguf"


@pytest.fixture
def chats(tmp_path) -> Path:
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(chat) + "\n" for chat in CHATS))
    return path


def test_a_model_taught_by_the_command_answers_so_in_llama_cpp(model, chats, tmp_path, capsys):
    words = ["--base", str(model), "-o", str(tmp_path / "taught"), "--epochs", "15", "--learning-rate", "0.02"]
    main(["llama", "tune", str(chats), *words, "--held-out", "0", "--threads", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["examples"], told["held_out"], told["loss_before"]) == (8, 0, None)
    assert told["losses"][-1] < told["losses"][0] - 1

    taught = read_taught(model)
    # As it was written, where ``read_taught`` rounds.
    network = LlamaForCausalLM(SHAPE)
    whole = safetensors.numpy.load_file(model.parent / "model.safetensors")
    network.load_state_dict({name: torch.from_numpy(each) for name, each in whole.items()}, strict=False)
    attach(network, rank=8, scale=2.0)
    saved = safetensors.numpy.load_file(tmp_path / "taught" / "adapter_model.safetensors")
    assert len(saved) == 2 * 7 * SHAPE.num_hidden_layers
    missing, unknown = network.load_state_dict(
        {
            name.removeprefix("base_model.model.").removesuffix(".weight"): torch.from_numpy(each)
            for name, each in saved.items()
        },
        strict=False,
    )
    assert not unknown and not any("lora" in name for name in missing)
    tokens = [*taught.leads, *taught.tokens_of("say def\n")]
    places = [3, len(tokens)]
    with torch.no_grad():
        ours_TV = torch.log_softmax(network(torch.tensor([tokens]))[0].double(), -1).numpy()
    with_adapter = LlamaCpp(model, adapter=tmp_path / "taught" / "adapter.gguf")
    theirs = with_adapter.log_probabilities(tokens, SHAPE.vocab_size, places)
    assert np.abs(theirs - ours_TV[[place - 1 for place in places]]).max() < 1e-3
    alone = LlamaCpp(model).log_probabilities(tokens, SHAPE.vocab_size, places[-1:])
    first = taught.tokens_of("def")[0]
    assert theirs[-1][first] > alone[0][first] + 1


def test_only_replies_are_learned_and_each_chat_ends_as_the_model_ends_it(model, tmp_path):
    path = tmp_path / "both.jsonl"
    turns = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    chat = {"messages": [{"role": role, "content": said} for role, said in turns]}
    pair = {"prompt": "x = ", "completion": "12"}
    path.write_text(f"{json.dumps(chat)}\n\n{json.dumps(pair)}\n")
    taught = read_taught(model)
    first, second = read_examples(path, taught, held_out=0.0, longest=64).learned

    def replies(example) -> str:
        tokens = [
            token if counts else taught.tokens_of("|")[0]
            for token, counts in zip(example.tokens_T, example.is_reply_T, strict=True)
        ]
        return taught.tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False)

    assert replies(first).replace("|", "") == "b\nd\n"
    assert replies(first).count("|") == 1 + 4
    assert replies(second).strip("|") == "12<|endoftext|>"
    assert taught.tokenizer.decode(first.tokens_T.tolist()) == "a\nb\nc\nd\n"


def test_what_is_held_out_goes_by_what_was_asked_and_is_judged_before_and_after(model, chats, tmp_path):
    again = [{"messages": [chat["messages"][0], {"role": "assistant", "content": "no"}]} for chat in CHATS]
    chats.write_text("".join(json.dumps(chat) + "\n" for chat in (*CHATS, *again)))
    found = tune(model, chats, tmp_path / "out", Lesson(held_out=0.4, epochs=1, batch=4))
    assert found.examples + found.held_out == 16 and found.held_out % 2 == 0 and 0 < found.held_out < 16
    assert found.loss_after is not None and found.loss_before is not None and found.loss_after < found.loss_before
    assert found.losses[0] == pytest.approx(found.loss_before, rel=0.2)
    assert json.loads((tmp_path / "out" / "tune.json").read_text())["data_sha256"] == found.data_sha256


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "line 1 of .* is no example"),
        ('{"messages": [{"role": "judge", "content": "a"}]}', "messages.0.role"),
        ('{"prompt": "a"}', "completion: Field required"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "line 1 of .* has no reply"),
        (json.dumps({"prompt": "a", "completion": "b c" * 99}), "1 of its lines are longer than 32 tokens"),
        ("", "nothing to learn"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_named(model, tmp_path, line, why):
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(UsageError, match=why):
        tune(model, path, tmp_path / "out", Lesson(longest=32))
    assert [each.name for each in tmp_path.iterdir()] == ["bad.jsonl"]


@pytest.mark.parametrize(
    ("template", "why"),
    [("", "has no chat template"), ("{{ raise_exception('no system') }}", "refuses a chat: no system")],
)
def test_a_chat_that_the_model_cannot_write_is_named_with_its_line(model, chats, template, why):
    taught = dataclasses.replace(read_taught(model), template=template)
    with pytest.raises(UsageError, match=rf"line 1 of {chats}: .*{why}"):
        read_examples(chats, taught, held_out=0.0, longest=64)


def test_a_file_that_holds_no_dense_llama_is_named(model, tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        read_taught(tmp_path / "none.gguf")
    read = Gguf(model)
    weights = {name: read.tensor(name) for name in read.names} | {"blk.0.attn_q.bias": np.zeros(32, np.float32)}
    write_gguf(tmp_path / "biased.gguf", read.metadata, weights)
    with pytest.raises(UsageError, match=r"no dense Llama has.*attn_q\.bias"):
        read_taught(tmp_path / "biased.gguf")


def test_every_matrix_of_a_layer_is_adapted_and_at_first_nothing_changes(model):
    network = read_taught(model).network.float()
    tokens = torch.arange(12)[None]
    with torch.no_grad():
        before = network(tokens)
        attach(network, rank=2, scale=1.0)
        adapted = [each for each in network.modules() if isinstance(each, Adapted)]
        for each in adapted:
            each.lora_A.fill_(1.0)
            each.lora_B.zero_()
        assert torch.equal(network(tokens), before)
    assert len(adapted) == 7 * SHAPE.num_hidden_layers
