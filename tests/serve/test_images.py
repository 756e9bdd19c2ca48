"""A model that was trained on pictures and released says what is on a picture that it was never shown."""

import base64
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import openai
import orjson
import pytest
import torch
from PIL import Image, ImageDraw
from pydantic import ValidationError

from tenfold.core.errors import AssetError
from tenfold.core.gguf import write_gguf
from tenfold.llama.data.pair_sampler import PairSampler
from tenfold.llama.data.pairs import PairChoices, build_pairs, drawn
from tenfold.llama.data.tokenizer import SEPARATOR
from tenfold.llama.model import LlamaForConditionalGeneration
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.release.release import Trained, write_model
from tenfold.llama.release.tokens import read_tokens
from tenfold.llama.shape import ModelShape, VisionShape
from tenfold.pool.resident import Context
from tenfold.serve.bodies import ChatBody
from tenfold.serve.images import MOST_IMAGES, MOST_PIXELS, MOST_SCANS, Eyes, Looking, may_bring_images, read_eyes
from tenfold.serve.openai_api import read_generation
from tenfold.serve.rejection import Rejection
from tenfold.serve.resident import ServeResident, serve_models
from tenfold.serve.responses import read_response
from tenfold.serve.workload import ServeSettings

COLOURS = {"red": "#d02020", "green": "#20a040", "blue": "#2040d0", "black": "#101010"}
SIDE, MOST_STEPS = 16, 400
VISION = VisionShape(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE, patch_size=4,
    projector_output_dim=32, image_token_index=1, image_marks=True,
)  # fmt: skip
SHAPE = ModelShape(
    vocab_size=288, hidden_size=32, num_attention_heads=2, num_key_value_heads=1, head_dim=16,
    intermediate_size_mlp=48, intermediate_size=32, num_local_experts=4, vision=VISION,
)  # fmt: skip
RECIPE = Recipe(model=SHAPE, sequence_tokens=24, microbatches=1, microbatch_sequences=16)


@dataclass(frozen=True)
class Released:
    folder: Path
    sampler: PairSampler
    network: LlamaForConditionalGeneration


def picture(colour: str, place: int) -> Image.Image:
    drawing = Image.new("RGB", (32, 24), "white")
    ImageDraw.Draw(drawing).rectangle((place, 2, place + 20, 22), fill=COLOURS[colour])
    return drawing


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Released:
    """Trained on squares of four colours, and written as ``tenfold llama release`` does."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = []
    for colour in COLOURS:
        for place in range(8):
            picture(colour, place).save(folder / f"{colour}-{place}.png")
            rows.append({"image": f"{colour}-{place}.png", "caption": colour})
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    pairs = folder / "pairs"
    build_pairs(pairs, [folder / "rows.jsonl"], PairChoices(SIDE, "caption", 280, 0.2), lambda _what, _share: None)
    sampler = PairSampler(pairs, RECIPE, VISION)
    torch.set_num_threads(1)
    network = LlamaForConditionalGeneration(SHAPE, VISION)
    network.initialise(1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for step in range(MOST_STEPS):
        batch = sampler.batch(step, 0)
        window, images, weights = map(torch.from_numpy, (batch.window_BT, batch.images_IMSS, batch.weights_BT))
        loss, _ = network.losses(window, images, weights)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.detach() < 0.05:
            break
    else:
        pytest.fail(f"it has not learned four colours in {MOST_STEPS} steps: {loss}")
    weights = {
        name: each.detach().numpy() for name, each in network.named_parameters() if not name.endswith("expert_bias")
    }
    out = folder / "squares"
    out.mkdir()
    trained = Trained("squares", SHAPE, TrainProgress(), weights, 0.0)
    write_model(out, trained, read_tokens(pairs / "tokenizer.json", SEPARATOR), 128, "Apache-2.0")
    return Released(out, sampler, network)


def url_of(image: Image.Image, kind: str = "PNG") -> str:
    written = io.BytesIO()
    image.save(written, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(written.getvalue()).decode()}"


def message(*urls: str, text: str = "") -> dict[str, object]:
    parts: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}] if text else parts}


def test_one_line_serves_a_release_that_says_what_is_on_a_picture(released, run_resident, tmp_path):
    given = {"models": {"squares": str(released.folder)}, "engine": "vllm", "vllm_url": "http://127.0.0.1:9"}
    settings = ServeSettings.model_validate(given)
    assert settings.models["squares"].images == released.folder / "mmproj-squares-F32.gguf"
    # As it comes to a resident.
    settings = ServeSettings.model_validate(settings.model_dump(mode="json"))
    models = serve_models(settings, Context("test", 1, tmp_path, tmp_path, {}, {}, ""))
    for running in run_resident(ServeResident({"squares": models["squares"]})):
        client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0)

        def ask(*messages: dict[str, object], client: openai.OpenAI = client) -> tuple[str, int]:
            said = client.chat.completions.create(model="squares", messages=messages, max_tokens=8, temperature=0)
            return said.choices[0].message.content, said.usage.prompt_tokens

        for colour in COLOURS:
            # Of another size, at a place where no square was in training, and compressed with loss.
            shown = picture(colour, 9).resize((320, 240))
            assert ask(message(url_of(shown, "JPEG"))) == (colour, 1 + VISION.marked_tokens)
        assert ask(message(url_of(picture("red", 3)), text="red"))[1] == 2 + VISION.marked_tokens
        two = ask(message(url_of(picture("red", 3))), message(url_of(picture("blue", 3)), text="<__media__>"))
        assert two[1] > 2 * VISION.marked_tokens
        assert ask({"role": "user", "content": [{"type": "text", "text": "red"}]})[1] == 2
        with pytest.raises(openai.BadRequestError, match="addresses are not fetched"):
            ask(message("http://169.254.169.254/latest.png"))
        assert ask(message(url_of(picture("green", 3))))[0] == "green"


def test_who_waits_for_images_of_others_is_drawn_for_only_while_there_and_awake(
    released, run_resident, tmp_path, monkeypatch
):
    drawn_for, go_on = [], threading.Event()

    def slowly(_self: Looking, _url: str, param: str) -> str:
        drawn_for.append(param)
        assert go_on.wait(30)
        return RED

    monkeypatch.setattr(Looking, "draw", slowly)
    given = {"models": {"squares": str(released.folder)}, "engine": "vllm", "vllm_url": "http://127.0.0.1:9"}
    models = serve_models(ServeSettings.model_validate(given), Context("test", 1, tmp_path, tmp_path, {}, {}, ""))
    for running in run_resident(ServeResident({"squares": models["squares"]})):
        client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0)

        def ask(message: dict[str, object], within_s: float = 30, client: openai.OpenAI = client) -> int:
            said = client.chat.completions.create(
                model="squares", messages=[message], max_tokens=4, temperature=0, timeout=within_s
            )
            return said.usage.prompt_tokens

        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(ask, message(RED))
            running.wait_until(lambda: len(drawn_for) == 1)
            assert running.resident.counters().in_flight == 1, "who waits for a drawing is in work"
            assert ask({"role": "user", "content": "red"}) == 2, "text does not wait for images"
            with pytest.raises(openai.APITimeoutError):
                ask(message(RED), 0.3)
            go_on.set()
            assert first.result() == 1 + VISION.marked_tokens
            running.wait_until(partial(has_left, running.resident))
            assert len(drawn_for) == 1, "nobody is there for the second"

            go_on.clear()
            asked = [pool.submit(ask, message(RED)) for _ in range(2)]
            running.wait_until(lambda: len(drawn_for) == 2)
            time.sleep(0.2)
            falling_asleep = pool.submit(running.order, running.resident.sleep(10.0))
            time.sleep(0.2)
            assert not falling_asleep.done(), "asleep it uses no CPU"
            go_on.set()
            falling_asleep.result()
            for each in asked:
                with pytest.raises(openai.InternalServerError, match="given to other work"):
                    each.result()
            assert len(drawn_for) == 2, "nothing is drawn asleep"


def has_left(resident: ServeResident) -> bool:
    return resident.counters().facts["disconnected"] == 1


def read(*messages: dict[str, object], eyes: Eyes | None, context_tokens: int = 512) -> dict[str, object]:
    raw = orjson.dumps({"model": "m", "messages": messages})
    found = read_generation(
        raw, ChatBody, model="m", engine_model="m", context_tokens=context_tokens, parallel=1, eyes=eyes
    )
    return orjson.loads(found.body)


EYES = Eyes(SIDE, 6, transposed=False)


def test_an_engine_is_shown_what_training_would_show(tmp_path):
    taken = picture("red", 3).resize((640, 480))
    taken.save(tmp_path / "taken.png")
    body = read(message(url_of(taken), text="what?"), eyes=EYES)
    image, text = body["messages"][0]["content"]
    shown = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].partition(",")[2])))
    assert shown.size == (SIDE, SIDE)
    assert np.array_equal(np.asarray(shown), drawn(tmp_path / "taken.png", SIDE))
    body = read(message(url_of(taken)), eyes=Eyes(SIDE, 6, transposed=True))
    turned = Image.open(io.BytesIO(base64.b64decode(body["messages"][0]["content"][0]["image_url"]["url"][22:])))
    assert np.array_equal(np.asarray(turned), np.asarray(shown).transpose(1, 0, 2))
    assert text == {"type": "text", "text": "what?"}
    body = read({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, eyes=EYES)
    assert body["messages"][0]["content"] == "a\nb"


RED = url_of(Image.new("RGB", (8, 8), "red"))
EMPTY = {"type": "text", "text": ""}
HUGE = url_of(Image.new("1", (MOST_PIXELS // 1000, 1001)))


def with_scans(count: int) -> str:
    """A progressive JPEG whose last scan comes again and again."""
    written = io.BytesIO()
    picture("red", 3).save(written, "JPEG", progressive=True)
    data = written.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    more = count - data.count(b"\xff\xda")
    return f"data:image/jpeg;base64,{base64.b64encode(data[:-2] + more * scan + data[-2:]).decode()}"


def test_a_jpeg_has_as_many_scans_as_may_be():
    assert read(message(with_scans(MOST_SCANS)), eyes=EYES)["messages"]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([message("https://example.org/cat.png")], "addresses are not fetched"),
        ([message("file:///etc/passwd")], "addresses are not fetched"),
        ([message("data:image/png,x")], "in base64"),
        ([message("data:image/png;base64,!!")], "no base64"),
        ([message("data:image/png;base64,AAAA")], "cannot be read as one of PNG"),
        ([message(RED[:90])], "cannot be read as one of PNG"),
        ([message(HUGE)], "pixels together"),
        ([message(with_scans(MOST_SCANS + 1))], "scans"),
        ([message("data:image/png;base64,\u00e4")], "no base64"),
        ([message(*[RED] * (MOST_IMAGES + 1))], f"{MOST_IMAGES + 1} images"),
        ([message(*[RED] * MOST_IMAGES)], "do not fit into a context"),
        ([{"role": "user", "content": [*message(RED)["content"], *[EMPTY] * 2561]}], "2561 characters"),
        ([{**message(RED), "role": "system"}], "messages of the user"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "content.0.image_url.url'"),
        ([{"role": "user", "content": [*message(RED)["content"], {"type": "input_audio"}]}], "'messages.0.content.1'"),
    ],
)  # fmt: skip
def test_what_is_no_image_within_bounds_is_refused_by_name(messages, why):
    with pytest.raises(Rejection) as caught:
        read(*messages, eyes=EYES, context_tokens=40)
    assert caught.value.status == 400
    assert why in caught.value.message
    assert len(caught.value.to_json("x")) < 2000
    assert (caught.value.param or "").startswith("messages")


def test_a_response_may_bring_what_a_chat_may_and_its_faults_are_named_where_they_are():
    def read_input(*parts: dict[str, object], **more: object) -> list[dict[str, object]]:
        raw = orjson.dumps({"model": "m", "input": [{"role": "user", "content": parts}], **more})
        found = read_response(raw, model="m", engine_model="m", context_tokens=512, parallel=1, eyes=EYES)
        return orjson.loads(found.body)["messages"]

    image = {"type": "input_image", "image_url": RED, "detail": "auto"}
    asked = read_input(image, {"type": "input_text", "text": "what?"})
    assert asked == read(message(RED, text="what?"), eyes=EYES)["messages"]
    assert read_input({"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"})[0]["content"] == "a\nb"
    for more in ({}, {"instructions": "Look."}):
        with pytest.raises(Rejection, match="addresses are not fetched") as caught:
            read_input({**image, "image_url": "http://169.254.169.254/latest.png"}, **more)
        assert caught.value.param == "input.0.content.0.image_url" and caught.value.param in caught.value.message
    with pytest.raises(Rejection) as caught:
        read_input({"type": "input_image", "file_id": "file-1"})
    assert caught.value.param == "input.0.content.0.image_url"
    with pytest.raises(Rejection, match="9 images") as caught:
        read_input(*[image] * (MOST_IMAGES + 1))
    assert caught.value.param == "input"


def test_an_image_cannot_be_hidden_from_the_first_look():
    assert may_bring_images(orjson.dumps(message(RED)))
    assert may_bring_images(b'{"type": "image\\u005furl"}')
    assert not may_bring_images(orjson.dumps({"role": "user", "content": "an image"}))


def test_a_model_without_eyes_refuses_a_picture_in_words():
    with pytest.raises(Rejection) as caught:
        read(message(RED), eyes=None)
    assert "part 0 is of type 'image_url'; this model reads text only" in caught.value.message


def test_a_file_that_reads_images_otherwise_is_named(tmp_path):
    (tmp_path / "mmproj-a.gguf").write_bytes(b"")
    with pytest.raises(AssetError, match="reads no images"):
        read_eyes(tmp_path / "mmproj-a.gguf")
    write_gguf(tmp_path / "mmproj-b.gguf", {"clip.projector_type": "gemma3"}, {})
    with pytest.raises(AssetError, match="'gemma3'; images are read by 'llama4'"):
        read_eyes(tmp_path / "mmproj-b.gguf")
    (tmp_path / "one.gguf").write_bytes(b"")
    with pytest.raises(ValidationError, match="more than one file that reads images"):
        ServeSettings.model_validate({"models": {"mine": str(tmp_path)}})
    given = {"file": str(tmp_path / "one.gguf"), "images": str(tmp_path / "nowhere.gguf")}
    with pytest.raises(ValidationError, match="there is no file"):
        ServeSettings.model_validate({"models": {"mine": given}})
