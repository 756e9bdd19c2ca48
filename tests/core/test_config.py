"""A config that cannot be right is refused with file, key and what would be right."""

import pytest
from inline_snapshot import snapshot

from tenfold.core.errors import ConfigError
from tenfold.wiring import CONFIG, load_config


def problem(tmp_path, text: str) -> str:
    path = tmp_path / "tenfold.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value).replace(str(tmp_path), "DIR")


def test_no_file_gives_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(None) == CONFIG()


def test_unknown_key_names_the_file_and_the_key_that_was_meant(tmp_path):
    assert problem(tmp_path, "[pool]\ntick = 1\n") == snapshot(
        "DIR/tenfold.toml: unknown key 'pool.tick'; did you mean 'tick_s'? Its unit is s"
    )
    assert problem(tmp_path, "[pool.kinds.cpu]\nslot = 1\n") == snapshot(
        "DIR/tenfold.toml: unknown key 'pool.kinds.cpu.slot'; did you mean 'slots'?"
    )
    assert problem(tmp_path, "[training]\n") == snapshot(
        "DIR/tenfold.toml: unknown key 'training'; did you mean 'train'?"
    )


def test_value_out_of_range_says_what_would_be_right(tmp_path):
    assert problem(tmp_path, "[pool]\ntick_s = 0\n") == snapshot(
        "DIR/tenfold.toml: 'pool.tick_s' is 0: Input should be greater than 0 (seconds between decisions)"
    )
    assert problem(tmp_path, "[rank]\nfloor = 3\nceiling = 2\n") == snapshot(
        "DIR/tenfold.toml: 'rank.ceiling' is 2: it is below the floor, 3 (slots it never exceeds; default: all)"
    )


def test_broken_toml_and_missing_file_are_told_apart(tmp_path):
    assert "is not TOML" in problem(tmp_path, "[pool\n")
    with pytest.raises(ConfigError, match="cannot read the config"):
        load_config(tmp_path / "none.toml")


def test_a_proxy_is_an_address_or_a_network(tmp_path):
    for wrong in ("proxy.internal", "10.0.0.5/24"):
        assert f"{wrong!r} is no address" in problem(tmp_path, f'[pool]\nproxies = ["{wrong}"]\n')
    path = tmp_path / "tenfold.toml"
    path.write_text('[pool]\nproxies = ["10.0.0.5", "fd00::/8"]\n')
    assert load_config(path).pool.proxies == ("10.0.0.5", "fd00::/8")


def test_a_model_that_a_product_asks_for_is_one_of_the_pools(tmp_path):
    (tmp_path / "taught.gguf").touch()
    for product in ("ads", "agents"):
        asks = f'[{product}]\nwriter = "serve"\nwriter_model = "copy"\n'
        told = problem(tmp_path, asks)
        assert f"{product}.writer_model is 'copy', which is no model of this pool; it has smollm2-135m" in told
        (tmp_path / "tenfold.toml").write_text(
            f'{asks}[serve.models]\ncopy = {{ adapter = "{tmp_path}/taught.gguf" }}\n'
        )
        assert load_config(tmp_path / "tenfold.toml").serve.models.keys() == {"copy"}
    # Who writes by templates asks nobody, and an endpoint's models are its own.
    (tmp_path / "tenfold.toml").write_text(
        '[agents]\nwriter_model = "copy"\n[ads]\nwriter = "endpoint"\nwriter_url = "http://x/v1"\nwriter_model = "m"\n'
    )
    assert load_config(tmp_path / "tenfold.toml").ads.writer_model == "m"
