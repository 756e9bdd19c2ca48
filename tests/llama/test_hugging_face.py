"""The networks are those of Hugging Face: same names, same logits, same gradients (see ``hugging_face.py``)."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tenfold.llama.model import network_of

sys.path.insert(0, str(Path(__file__).parent))
import hugging_face


@pytest.mark.parametrize("name", hugging_face.SHAPES)
def test_logits_and_gradients_are_hugging_faces(name):
    shape, expected = hugging_face.SHAPES[name], load_file(hugging_face.FIXTURE)
    model = network_of(shape)
    named = {name: each for name, each in model.named_parameters() if not name.endswith("expert_bias")}
    hugging_face.fill(named)
    logits_BTV = model(hugging_face.tokens_BT(), None if shape.vision is None else hugging_face.images_IMSS())
    assert (logits_BTV[:, ::3] - expected[f"{name}.logits"]).abs().max() <= 1e-5
    (logits_BTV * hugging_face.drawn(7, *logits_BTV.shape)).mean().backward()
    sizes = torch.tensor([float(named[each].grad.norm()) for each in sorted(named)])
    assert (sizes > 0).all()
    # A gradient that all but cancels, as that of a key's bias, is judged by the usual size.
    off = (hugging_face.along(named) - expected[f"{name}.gradients"]).abs() / sizes.clamp(min=sizes.median())[:, None]
    assert off.max() <= 1e-5


def test_places_of_images_must_be_as_many_as_the_images_take():
    shape = hugging_face.SHAPES["llama4_images"]
    model = network_of(shape)
    model.initialise(0)
    with pytest.raises(ValueError, match=r"the text has 8 places .* 1 images take 4"):
        model(hugging_face.tokens_BT(), hugging_face.images_IMSS()[:1])
    with pytest.raises(ValueError, match="reads text only"):
        network_of(hugging_face.SHAPES["llama4"])(hugging_face.tokens_BT(), hugging_face.images_IMSS())


def test_what_follows_an_image_depends_on_it_and_places_of_images_are_not_predicted():
    shape = hugging_face.SHAPES["llama4_images"]
    model = network_of(shape)
    model.initialise(0)
    window_BT, images_IMSS = hugging_face.tokens_BT(), hugging_face.images_IMSS()
    with torch.no_grad():
        one, other = model(window_BT, images_IMSS), model(window_BT, images_IMSS.flip(0))
        assert torch.equal(one[:, :3], other[:, :3])
        assert not torch.allclose(one[:, 7:], other[:, 7:])
        loss, _ = model.losses(window_BT, images_IMSS)
        logits_NV = model(window_BT[:, :-1], images_IMSS).flatten(0, 1)
        each_N = torch.nn.functional.cross_entropy(logits_NV, window_BT[:, 1:].flatten(), reduction="none")
    assert float(loss) == pytest.approx(float(each_N[window_BT[:, 1:].flatten() != 7].mean()))
