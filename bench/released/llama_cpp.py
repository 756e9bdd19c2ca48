"""What llama.cpp makes of a released GGUF file: the log-probabilities of each next token, and how it splits text."""

import base64
import io
import json
import urllib.request
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from xllamacpp import CommonParams, Server, ggml_type, llama_flash_attn_type


class LlamaCpp:
    """One model in float32 throughout: keys and values too, without flash attention, on one thread."""

    def __init__(self, file: Path, *, vision: Path | None = None, adapter: Path | None = None) -> None:
        parameters = CommonParams()
        parameters.model.path = str(file)
        if vision is not None:
            parameters.mmproj.path = str(vision)
            parameters.mmproj_use_gpu = False
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.ui = False
        parameters.verbosity = 0
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams_batch.n_threads = 1
        parameters.n_parallel = 1
        parameters.n_ctx = 512
        parameters.warmup = False
        parameters.flash_attn_type = llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.cache_type_k = ggml_type.GGML_TYPE_F32
        parameters.cache_type_v = ggml_type.GGML_TYPE_F32
        if adapter is not None:
            from xllamacpp import CommonAdapterLoraInfo

            info = CommonAdapterLoraInfo()
            info.path, info.scale = str(adapter), 1.0
            parameters.lora_adapters = [info]
        self._server = Server(parameters)
        self._url = self._server.listening_address

    def split(self, text: str) -> list[int]:
        return self.ask("/tokenize", {"content": text, "add_special": True})["tokens"]

    def log_probabilities(self, tokens: list[int], vocab: int, places: list[int]) -> NDArray[np.float64]:
        """Of each next token after the first ``place`` tokens, shape (places, vocab)."""
        # Probabilities are told with a token's text, so one with a text of its own is chosen. They are those before.
        letter = self.split("a")[-1]
        found = np.full((len(places), vocab), np.nan)
        for row, place in enumerate(places):
            body = {"prompt": tokens[:place], "n_predict": 1, "n_probs": vocab, "cache_prompt": False}
            answer = self.ask("/completion", {**body, "logit_bias": [[letter, 1000.0]]})
            for each in answer["completion_probabilities"][0]["top_logprobs"]:
                found[row, each["id"]] = each["logprob"]
        return found

    def after_image(self, png: bytes, text: str, vocab: int) -> NDArray[np.float64]:
        """Log-probabilities of the next token after an image and a text, shape (vocab,)."""
        more = {"logprobs": True, "top_logprobs": vocab, "logit_bias": [[self.split("a")[-1], 1000.0]]}
        told = self._chat(png, text, {**more, "max_tokens": 1})
        found = np.full(vocab, np.nan)
        for each in told["logprobs"]["content"][0]["top_logprobs"]:
            found[each["id"]] = each["logprob"]
        return found

    def caption(self, png: bytes) -> str:
        """What is said of an image, each token the likeliest."""
        return self._chat(png, "", {"max_tokens": 12, "temperature": 0.0})["message"]["content"]

    def _chat(self, png: bytes, text: str, more: dict) -> dict:
        written = io.BytesIO()
        # As the release's file asks for, see release/mmproj.py.
        Image.open(io.BytesIO(png)).transpose(Image.Transpose.TRANSPOSE).save(written, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"
        parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
        said = {"role": "user", "content": parts if text else parts[:1]}
        return self.ask("/v1/chat/completions", {"messages": [said], **more})["choices"][0]

    def ask(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            self._url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read())
