"""Images with captions: built from rows that name both, held out by the image, and trained on like text."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tokenizers import Tokenizer

from tenfold.cli.main import main
from tenfold.core.errors import AssetError, Damaged
from tenfold.llama.alone import train_alone
from tenfold.llama.data import openmoji
from tenfold.llama.data.index import check_data
from tenfold.llama.data.pair_sampler import IMAGE, SEPARATOR, sampler_of
from tenfold.llama.data.pairs import PairChoices, build_pairs, drawn
from tenfold.llama.data.sources import SourceError
from tenfold.llama.journal import read_evaluations, read_steps
from tenfold.llama.live import live_paths
from tenfold.llama.recipe import Recipe
from tenfold.llama.run_file import RunFile
from tenfold.llama.runs import train_folder
from tenfold.llama.shape import VisionShape

COLOURS = {"red": "#d02020", "green": "#20a040", "blue": "#2040d0", "black": "#101010"}
SIDE = 16


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Circles and squares of four colours at six places, one of them drawn twice."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = []
    for colour, fill in COLOURS.items():
        for what in ("circle", "square"):
            for place in range(6):
                picture = Image.new("RGBA", (32, 24), (0, 0, 0, 0))
                draw = ImageDraw.Draw(picture)
                (draw.ellipse if what == "circle" else draw.rectangle)((place, 2, place + 20, 22), fill=fill)
                name = f"{colour}-{what}-{place}.png"
                picture.save(folder / name)
                rows.append({"image": name, "caption": f"a {colour} {what}"})
    rows.append(rows[0])
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def pairs(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "pairs"
    main(["data", "build", str(out), str(rows), "--images", str(SIDE), "--column", "caption", "--vocab-size", "280",
          "--held-out", "0.2"])  # fmt: skip
    return out


@pytest.fixture
def seeing(recipe) -> Recipe:
    vision = VisionShape(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE, patch_size=4,
        projector_output_dim=32, image_token_index=IMAGE,
    )  # fmt: skip
    model = recipe.model.model_copy(update={"vision": vision})
    return recipe.model_copy(
        update={"model": model, "sequence_tokens": 20, "microbatches": 2, "microbatch_sequences": 4}
    )


def test_no_image_is_on_both_sides_and_damage_is_named(pairs, rows, capsys):
    index = check_data(pairs, anew=True)
    assert (index.images.count, index.exact_duplicates) == (48, 1)
    assert 1 <= index.images.held_out < 24 and index.held_out_documents == index.images.held_out
    pixels = np.fromfile(pairs / "images.u8", dtype=np.uint8).reshape(48, SIDE, SIDE, 3)
    assert len({each.tobytes() for each in pixels}) == 48
    assert (pixels[:, 0] == 255).all(), "wide ones are put on white"
    main(["data", "show", str(pairs)])
    assert f"48, 16 x 16 pixels, {index.images.held_out} held out" in " ".join(capsys.readouterr().out.split())
    held = (pairs / "images.u8").read_bytes()
    (pairs / "images.u8").write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    with pytest.raises(AssetError, match=r"images\.u8"):
        check_data(pairs, anew=True)
    (pairs / "images.u8").write_bytes(held)
    bad = rows.with_name("bad.jsonl")
    for line, told in {
        '{"image": "none.png", "caption": "x"}': "none.png is no image",
        '{"image": "rows.jsonl", "caption": "x"}': "rows.jsonl is no image",
        '{"caption": "x"}': "line 1 has no texts 'image' and 'caption'",
        "{": "line 1 is not JSON",
    }.items():
        bad.write_text(line)
        with pytest.raises(SystemExit):
            main(["data", "build", str(pairs.with_name("no")), str(bad), "--images", "16", "--column", "caption"])
        assert told in " ".join(capsys.readouterr().err.split())
        assert not pairs.with_name("no").exists()


def test_images_are_hashed_anew_where_all_bytes_are_asked_for(pairs, monkeypatch):
    # As of large files whose times say that nobody wrote to them.
    times = {"size_bytes": 1, "mtime_ns": 1, "ctime_ns": 1, "inode": 1}
    monkeypatch.setattr("tenfold.core.sound.SMALL_BYTES", 0)
    monkeypatch.setattr("tenfold.core.sound._times", lambda _stat: times)
    check_data(pairs)
    held = (pairs / "images.u8").read_bytes()
    (pairs / "images.u8").write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    try:
        check_data(pairs)
        with pytest.raises(AssetError, match=r"images\.u8"):
            check_data(pairs, anew=True)
    finally:
        (pairs / "images.u8").write_bytes(held)


def test_a_picture_that_was_taken_upright_is_drawn_so_and_a_huge_one_is_named(tmp_path, monkeypatch):
    lying = Image.new("RGB", (16, 8), "white")
    lying.paste("red", (0, 0, 8, 8))
    turned = Image.Exif()
    turned[0x0112] = 6
    lying.save(tmp_path / "taken.png", exif=turned)
    lying.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    assert np.array_equal(drawn(tmp_path / "taken.png", 16), drawn(tmp_path / "upright.png", 16))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)
    with pytest.raises(SourceError, match=r"taken\.png is no image that can be read"):
        drawn(tmp_path / "taken.png", 16)


def test_a_caption_may_hold_any_character_and_a_tokenizer_cannot_be_given(tmp_path, capsys):
    for place, colour in enumerate(COLOURS.values()):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{place}.png")
    rows = [{"image": f"{place}.png", "caption": "one\u2028two\x85three"} for place in range(len(COLOURS))]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    index = build_pairs(tmp_path / "out", [path], PairChoices(8, "caption", 300, 0.1), lambda _what, _share: None)
    assert index.documents == len(COLOURS)
    with pytest.raises(SystemExit):
        main(["data", "build", str(tmp_path / "no"), str(path), "--images", "8", "--tokenizer", "tokenizer.json"])
    assert "--tokenizer is not for --images" in " ".join(capsys.readouterr().err.split())


def test_groups_are_held_out_whole_and_each_caption_of_an_image_is_kept(tmp_path, seeing):
    rows = []
    for place in range(48):
        Image.new("RGB", (8, 8), (5 * place, 0, 0)).save(tmp_path / f"{place}.png")
        rows.append({"image": f"{place}.png", "text": f"picture {place}", "of": f"group {place // 4}"})
    # Another caption, one that is there twice, and an image that two groups share, which so are one.
    rows += [{**rows[0], "text": "picture <|image|> again"}, rows[1], {**rows[8], "of": "group 3"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    out = tmp_path / "out"
    main(["data", "build", str(out), str(path), "--images", "8", "--group", "of", "--held-out", "0.4",
          "--vocab-size", "280"])  # fmt: skip
    index = check_data(out)
    assert (index.documents, index.images.pairs, index.images.count, index.exact_duplicates) == (49, 49, 48, 2)

    red = np.fromfile(out / "images.u8", dtype=np.uint8).reshape(48, 8, 8, 3)[:, 0, 0, 0] // 5
    groups = [{2: 3}.get(each, each) for each in (red // 4).tolist()]
    trained = set(groups[: 48 - index.images.held_out])
    assert trained and not trained & set(groups[48 - index.images.held_out :])
    vision = seeing.model.vision.model_copy(update={"image_size": 8, "patch_size": 2})
    model = seeing.model.model_copy(update={"vision": vision})
    recipe = seeing.model_copy(update={"model": model, "sequence_tokens": 40, "microbatch_sequences": 1})
    sampler, tokenizer = sampler_of(out, recipe), Tokenizer.from_file(str(out / "tokenizer.json"))
    batches = [sampler.batch(step, part) for step in range(index.documents) for part in range(2)]
    batches += [sampler.held_out([each]) for each in sampler.held_out_windows(99)]
    seen = set()
    for batch in batches:
        caption = tokenizer.decode(batch.window_BT[0][batch.window_BT[0] > IMAGE].tolist())
        number = round((float(batch.images_IMSS[0, 0, 0, 0]) + 1) * 127.5 / 5)
        assert caption in {f"picture {number}", "picture <|image|> again"}
        seen.add((number, caption))
    assert len(seen) == 49 and (0, "picture <|image|> again") in seen

    for file, change, told in (
        (index.tokens_file, {1: 9999}, "token 1 is 9999"),
        (index.tokens_file, {1: IMAGE}, "of which 1 stands for images only"),
        ("pairs.i64", {2: 0}, "tokens"),
        ("pairs.i64", {index.documents: 9}, "its captions are not all of the tokens"),
        ("pairs.i64", {index.documents + 3: 48}, "it names image 48 of 48"),
        ("pairs.i64", {index.documents + 1: 47}, "an image that is held out is among those to train on"),
    ):
        held = (out / file).read_bytes()
        damaged = np.frombuffer(held, dtype="<i8" if file == "pairs.i64" else "<u2").copy()
        damaged[list(change)] = list(change.values())
        damaged.tofile(out / file)
        with pytest.raises(Damaged, match=f"{file}.*{told}"):
            found = sampler_of(out, recipe)
            [found.batch(step, part) for step in range(index.documents) for part in range(2)]
        (out / file).write_bytes(held)


def test_openmoji_is_a_set_of_pictures_and_names_by_family(tmp_path):
    main(["data", "build", str(tmp_path / "emoji"), "--openmoji", "--images", "16", "--held-out", "0.2",
          "--vocab-size", "512"])  # fmt: skip
    index = check_data(tmp_path / "emoji")
    assert index.images.count > 1000 and "OpenMoji" in index.licence
    assert 0.05 < index.images.held_out / index.images.count < 0.5
    rows = [json.loads(line) for line in Path(index.sources[0].path).read_text().splitlines()]
    smiling = {"subgroup": "face-smiling", "family": "face-smiling/face"}
    for image, caption in ("1F600.png", "grinning face"), ("1F603.png", "grinning face with big eyes"):
        described = f"smileys and emotion: {caption}"
        assert {"image": image, "caption": caption, "described": described, **smiling} in rows
    face = drawn(Path(index.sources[0].path).with_name("1F600.png"), 16)
    red, green, blue = face[4, 6].astype(int)
    assert red > 200 and green > 150 and blue < 120, "a face is yellow"


def test_two_that_draw_the_same_pictures_at_once_both_have_them(tmp_path, monkeypatch):
    monkeypatch.setattr(openmoji, "fetch", lambda asset, cache, _progress: cache / asset.name)

    def draw(_font, _names, fresh, _progress):
        other = fresh.with_name(fresh.name[1:].rpartition(".")[0])
        other.mkdir()
        (other / openmoji.ROWS_FILE).write_text("the other's")

    monkeypatch.setattr(openmoji, "_draw", draw)
    rows = openmoji.draw_emoji(tmp_path, lambda _what, _share: None)
    assert rows.read_text() == "the other's"


def test_a_sequence_is_an_image_and_its_caption_and_only_the_caption_counts(pairs, seeing):
    sampler = sampler_of(pairs, seeing)
    batch = sampler.batch(0, 1)
    assert batch.images_IMSS.shape == (4, 3, SIDE, SIDE)
    assert (batch.images_IMSS.min(), batch.images_IMSS.max()) == (pytest.approx(-0.87, abs=0.2), 1.0)
    places = seeing.model.vision.image_tokens
    for window_T, weights_T in zip(batch.window_BT, batch.weights_BT, strict=True):
        assert window_T[0] == SEPARATOR and (window_T[1 : 1 + places] == IMAGE).all()
        written = np.flatnonzero(weights_T)
        assert written[0] == places and (np.diff(written) == 1).all()
        # What counts is the caption and the separator behind it.
        assert (window_T[written[:-1] + 1] > IMAGE).all() and window_T[written[-1] + 1] == SEPARATOR
        assert (window_T[written[-1] + 1 :] == SEPARATOR).all()
    epoch = [pair for step in range(5) for part in range(2) for pair in sampler.batch(step, part).images_IMSS]
    held = sampler.held_out(sampler.held_out_windows(100)).images_IMSS
    assert not {each.tobytes() for each in epoch} & {each.tobytes() for each in held}
    # Separators in front, image and caption are counted; those that fill sequences up are not.
    assert sampler.tokens(0, 1) == 4 * places + int(batch.weights_BT.sum())
    for change, told in ({"sequence_tokens": 6}, "sequence_tokens"), ({"microbatches": 90}, "a smaller batch"):
        with pytest.raises(AssetError) as caught:
            sampler_of(pairs, seeing.model_copy(update=change))
        assert told in caught.value.next_step


def test_an_image_may_stand_between_marks_that_no_caption_has(pairs, seeing):
    plain = sampler_of(pairs, seeing)
    vision = seeing.model.vision.model_copy(update={"image_marks": True})
    marked = sampler_of(pairs, seeing.model_copy(update={"model": seeing.model.model_copy(update={"vision": vision})}))
    first, places = plain.index.vocab_size, vision.image_tokens
    assert "image_marks" not in seeing.model_dump_json(), "what was trained without them keeps its identity"
    for step in range(2):
        before, after = plain.batch(step, 0), marked.batch(step, 0)
        assert (after.window_BT[:, 1] == first).all() and (after.window_BT[:, 2 + places] == first + 1).all()
        rest = np.delete(after.window_BT, [1, 2 + places], axis=1)
        assert np.array_equal(rest, before.window_BT[:, :-2])
        assert np.array_equal(after.weights_BT[:, 2:], before.weights_BT[:, :-2])
    small = seeing.model.model_copy(update={"vision": vision, "vocab_size": first + 1})
    with pytest.raises(AssetError) as caught:
        sampler_of(pairs, seeing.model_copy(update={"model": small}))
    assert caught.value.next_step == f"set vocab_size = {first + 2} in [model]"


def test_a_model_that_reads_images_is_not_trained_on_text_nor_the_other_way_round(pairs, text, recipe, seeing):
    with pytest.raises(AssetError, match=r"the model of the run on .* has images, the data has none"):
        sampler_of(text, seeing)
    with pytest.raises(AssetError, match=r"the data of the run on .* has images, the model has none"):
        sampler_of(pairs, recipe)


def test_a_run_on_pairs_learns_with_any_workers_to_the_same_bits(pairs, seeing, tmp_path, plain_loop):
    run = RunFile("pairs", seeing.model_copy(update={"steps": 20, "evaluate_every": 2, "evaluate_sequences": 6}), pairs)
    done = train_alone(run, tmp_path, workers=2)
    live_paths(train_folder(tmp_path, "pairs"))[0].unlink(missing_ok=True)
    losses = [line.loss for line in read_steps(done.folder)]
    reference = plain_loop(run.recipe, pairs)
    reference.after(3)
    assert losses[:3] == reference.losses
    tokens = sum(sampler_of(pairs, run.recipe).tokens(step, part) for step in range(20) for part in range(2))
    assert done.tokens == tokens < 20 * run.recipe.step_tokens
    assert done.evaluation_loss < losses[0] - 1.5
    sampler = sampler_of(pairs, run.recipe)
    captions = sampler.held_out(sampler.held_out_windows(6)).weights_BT
    assert {line.held_out_tokens for line in read_evaluations(done.folder)} == {int(captions.sum())}
