"""A small Llama-4-like decoder: interleaved dense and mixture-of-experts layers, top-1 routing, shared expert.

Architecture as in Llama 4 (Meta, 2025) and parameter names as in Hugging Face's ``Llama4ForCausalLM``, so that weights
load both ways: rotary positions in all but every fourth layer, query-key norm where positions turn, a sigmoid gate that
scales the routed expert's input, SwiGLU, RMSNorm, untied output matrix. With images the names are those of
``Llama4ForConditionalGeneration``, without experts those of ``LlamaForCausalLM``. Llama 4's scaling of queries by
position and its attention in chunks begin at 8,192 positions, and are not here.

Shape letters: B sequences, T positions, N = B x T tokens, D width, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.llama import kernels
from tenfold.llama.attention import Attention, Positions, RMSNorm
from tenfold.llama.experts import Experts, FeedForward, Mixture
from tenfold.llama.readout import judge, mean_loss
from tenfold.llama.shape import ModelShape, VisionShape
from tenfold.llama.vision import VisionModel

INITIAL_DEVIATION = 0.02


class Layer(nn.Module):
    """One decoder layer: attention, then a dense or mixture feed-forward."""

    def __init__(self, shape: ModelShape, index: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape, rope=shape.has_rope(index))
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.dense_name = "mlp" if shape.is_dense else "feed_forward"
        if shape.is_mixture(index):
            self.feed_forward = Mixture(shape)
        else:
            self.add_module(self.dense_name, FeedForward(shape.hidden_size, shape.intermediate_size_mlp))

    def forward(
        self, x_BTD: Tensor, added_BTD: Tensor, positions: Positions
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Take the residual stream and what the layer before adds to it.

        Returns:
            The stream and what this layer adds, both (B, T, D); of a mixture its experts' loads and balancing loss.
        """
        x_BTD, normed_BTD = self.input_layernorm.add(x_BTD, added_BTD)
        x_BTD, normed_BTD = self.post_attention_layernorm.add(x_BTD, self.self_attn(normed_BTD, positions))
        normed_ND = normed_BTD.flatten(0, 1)
        feed_forward, loads_E, balance = getattr(self, self.dense_name), None, None
        if isinstance(feed_forward, Mixture):
            out_ND, loads_E, balance = feed_forward(normed_ND)
        else:
            out_ND = feed_forward(normed_ND)
        return x_BTD, out_ND.view_as(x_BTD), loads_E, balance


class Decoder(nn.Module):
    """Embedding, layers and final norm: ``model.*`` of the checkpoint."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape, index) for index in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def ordered(self) -> list[Layer]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]


class LlamaForCausalLM(nn.Module):
    """The model of text: tokens in, logits or loss out."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape)
        self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        if shape.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        self._judge = judge

    def use_kernels(self) -> None:
        """Take layers through ``kernels``, which ``kernels.fit`` says can, in bfloat16: faster, and ready at once."""
        for module in self.modules():
            if isinstance(module, RMSNorm | Attention | FeedForward | Experts):
                module.by_kernels = True
        self._judge = kernels.judge

    def compile_layers(self) -> None:
        """Compile each layer at its first use, and again for each new shape of a batch; not what ``kernels`` take."""
        if self._judge is kernels.judge:
            return
        for layer in self.model.ordered():
            layer.compile(dynamic=False, fullgraph=True)
        self._judge = torch.compile(judge, dynamic=False, fullgraph=True)

    def initialise(self, seed: int) -> None:
        """Draw the matrices from a normal distribution, those that write to the residual stream scaled by depth."""
        _initialise(self, self.shape, torch.Generator().manual_seed(seed))

    def forward(self, tokens_BT: Tensor, images_IMSS: Tensor | None = None) -> Tensor:
        """Return the logits of each next token, shape (B, T, V)."""
        _no_images(images_IMSS)
        return self.read_out(self.hidden(self.embed(tokens_BT))[0])

    def losses(
        self, window_BT: Tensor, images_IMSS: Tensor | None = None, weights_BT: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Predict each next token of a window of (B, T + 1) tokens.

        The loads of experts with biases are left as the biases' gradients.

        Args:
            window_BT: the tokens.
            images_IMSS: none: this model reads text only.
            weights_BT: weight of each prediction, shape (B, T); none: all count alike.

        Returns:
            The mean cross entropy in nats, and the mean balancing loss of mixtures without biases, or else 0.
        """
        _no_images(images_IMSS)
        return self.loss_of(self.embed(window_BT[:, :-1]), window_BT[:, 1:], weights_BT)

    def embed(self, tokens_BT: Tensor) -> Tensor:
        """The tokens' vectors, shape (B, T, D), in the type in which the model computes."""
        return self.model.embed_tokens(tokens_BT).to(self.model.ordered()[0].self_attn.q_proj.weight.dtype)

    def loss_of(self, x_BTD: Tensor, targets_BT: Tensor, weights_BT: Tensor | None) -> tuple[Tensor, Tensor]:
        """The losses, as ``losses`` gives them, of predicting targets from the vectors of the tokens before them."""
        x_BTD, balance = self.hidden(x_BTD)
        weights_N = None if weights_BT is None else weights_BT.flatten()
        matrix_VD = self.lm_head.weight.to(x_BTD.dtype)
        return mean_loss(x_BTD.flatten(0, 1), matrix_VD, targets_BT.flatten(), weights_N, self._judge), balance

    def hidden(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """From the tokens' vectors, what the output matrix reads, shape (B, T, D), and the mean balancing loss."""
        positions = Positions.of(x_BTD.shape[1], self.shape, x_BTD.device)
        balances, added_BTD = [], torch.zeros_like(x_BTD)
        for layer in self.model.ordered():
            x_BTD, added_BTD, loads_E, balance = layer(x_BTD, added_BTD, positions)
            if loads_E is not None and isinstance(layer.feed_forward, Mixture):
                balances.append(balance)
                layer.feed_forward.tell(loads_E)
        balance = torch.stack(balances).mean() if balances else x_BTD.new_zeros((), dtype=torch.float32)
        return self.model.norm.add(x_BTD, added_BTD)[1], balance

    def read_out(self, x_BTD: Tensor) -> Tensor:
        """The logits of each next token, shape (B, T, V)."""
        return functional.linear(x_BTD, self.lm_head.weight.to(x_BTD.dtype))


class LlamaForConditionalGeneration(nn.Module):
    """The model of text and images, fused early: vectors of images stand where the text holds places for them."""

    def __init__(self, shape: ModelShape, vision: VisionShape) -> None:
        super().__init__()
        self.shape, self.vision = shape, vision
        self.vision_model = VisionModel(vision)
        out = nn.Linear(vision.projector_output_dim, shape.hidden_size, bias=False)
        self.multi_modal_projector = nn.ModuleDict({"linear_1": out})
        self.language_model = LlamaForCausalLM(shape)

    def initialise(self, seed: int) -> None:
        """Draw the matrices from a normal distribution, those that write to the residual stream scaled by depth."""
        _initialise(self, self.shape, torch.Generator().manual_seed(seed))

    def use_kernels(self) -> None:
        """As ``LlamaForCausalLM.use_kernels``: the layers that read text and images."""
        self.language_model.use_kernels()

    def compile_layers(self) -> None:
        """As ``LlamaForCausalLM.compile_layers``; the layers that read images too."""
        for layer in self.vision_model.model["layers"].children():
            layer.compile(dynamic=False, fullgraph=True)
        self.language_model.compile_layers()

    def forward(self, tokens_BT: Tensor, images_IMSS: Tensor | None = None) -> Tensor:
        """Return the logits of each next token, shape (B, T, V); for the images see ``losses``."""
        return self.language_model.read_out(self.language_model.hidden(self._embed(tokens_BT, images_IMSS))[0])

    def losses(
        self, window_BT: Tensor, images_IMSS: Tensor | None = None, weights_BT: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As ``LlamaForCausalLM.losses``; places of images are not predicted.

        Args:
            window_BT: the tokens, with ``image_tokens`` times ``image_token_index`` where an image stands.
            images_IMSS: the images in the order of their places, shape (I, M, S, S), with values of about -1 to 1.
            weights_BT: weight of each prediction, shape (B, T); none: all count alike.

        Raises:
            ValueError: the text has another number of places than the images take.
        """
        tokens_BT, targets_BT = window_BT[:, :-1], window_BT[:, 1:]
        written_BT = (targets_BT != self.vision.image_token_index).float()
        weights_BT = written_BT if weights_BT is None else written_BT * weights_BT
        return self.language_model.loss_of(self._embed(tokens_BT, images_IMSS), targets_BT, weights_BT)

    def _embed(self, tokens_BT: Tensor, images_IMSS: Tensor | None) -> Tensor:
        x_BTD = self.language_model.embed(tokens_BT)
        place_BT = tokens_BT == self.vision.image_token_index
        places = int(place_BT.sum())
        images = 0 if images_IMSS is None else len(images_IMSS)
        if places != images * self.vision.image_tokens:
            raise ValueError(
                f"the text has {places} places for pieces of images, but {images} images take "
                f"{images * self.vision.image_tokens}; write token {self.vision.image_token_index} "
                f"{self.vision.image_tokens} times for each image"
            )
        if images_IMSS is None or not images:
            return x_BTD
        pieces_IWD = self.multi_modal_projector["linear_1"](self.vision_model(images_IMSS))
        return x_BTD.masked_scatter(place_BT[..., None], pieces_IWD.type_as(x_BTD))


Network = LlamaForCausalLM | LlamaForConditionalGeneration


def network_of(shape: ModelShape) -> Network:
    """The network of a shape: with the part that reads images if the shape has one."""
    if shape.vision is None:
        return LlamaForCausalLM(shape)
    return LlamaForConditionalGeneration(shape, shape.vision)


def _no_images(images_IMSS: Tensor | None) -> None:
    if images_IMSS is not None:
        raise ValueError("this model reads text only; give its shape a table 'vision' to make one that reads images")


@torch.no_grad()
def _initialise(model: nn.Module, shape: ModelShape, generator: torch.Generator) -> None:
    """Draw all parameters, in the order of their names in the model."""
    residual = INITIAL_DEVIATION / (2 * shape.num_hidden_layers) ** 0.5
    for name, parameter in model.named_parameters():
        if name.endswith(("class_embedding", "positional_embedding_vlm")):
            parameter.normal_(0.0, parameter.shape[-1] ** -0.5, generator=generator)
        elif parameter.dim() == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        else:
            writes = name.endswith(("o_proj.weight", "down_proj.weight", "down_proj"))
            parameter.normal_(0.0, residual if writes else INITIAL_DEVIATION, generator=generator)
