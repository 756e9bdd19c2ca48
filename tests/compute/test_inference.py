"""The serving roofline against hand calculation, and its directions."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.compute.accelerators import accelerators, find_accelerator
from tenfold.compute.facilities import find_facility
from tenfold.compute.inference import (
    Traffic,
    decode_rate,
    engine_share,
    estimate_inference,
    least_replica,
    prefill_rate,
    serving_runs,
)
from tenfold.compute.served import find_served_model, plain_model, served_models
from tenfold.core.errors import InfeasibleError, UsageError

H100 = find_accelerator("h100")
HALL = find_facility("hyperscale")
LLAMA_70B = find_served_model("llama-3.1-70b")
DEEPSEEK = find_served_model("deepseek-v3")
TRAFFIC = Traffic(1e6, 2e5, prompt_tokens=2000, context_tokens=2500, user_tokens_per_s=20)


def fleet(traffic, model=LLAMA_70B, accelerator=H100, precision="fp8"):
    return estimate_inference(model, accelerator, traffic, HALL, precision=precision)


def test_the_cache_of_one_token():
    assert LLAMA_70B.cache_bytes_per_token() == 80 * 2 * 8 * 128 * 2
    # 70 kB: what DeepSeek gives for its compressed cache.
    assert DEEPSEEK.cache_bytes_per_token() == 61 * 576 * 2


def test_attention_flops_of_one_pair():
    # Scores and values: two products of head_dim each, two FLOPs per number.
    assert LLAMA_70B.prefill_flops_per_pair() == 4 * 80 * 64 * 128
    assert DEEPSEEK.prefill_flops_per_pair() == 61 * 128 * 2 * (192 + 128)
    assert DEEPSEEK.decode_flops_per_pair() == 61 * 128 * 2 * (576 + 512)


def test_prefill_by_hand():
    seconds = 2 * 70.6e9 / (1979e12 * 0.6) + 4 * 80 * 64 * 128 * 1000 / (989.5e12 * 0.6)
    found = prefill_rate(LLAMA_70B, H100, "fp8", TRAFFIC, 8)
    assert found.tokens_per_s == pytest.approx(1 / seconds)
    assert found.bound == "compute"


def test_decode_by_hand():
    bandwidth = 3350e9 * 0.85
    weights = 70.6e9 / 8
    batch = (80e9 * 0.9 - weights) / (2500 * 80 * 2 * 8 * 128 * 2)
    step = max(weights / bandwidth, batch * 2 * 70.6e9 / (1979e12 * 0.6)) + batch * 2500 * 327680 / bandwidth
    found = decode_rate(LLAMA_70B, H100, "fp8", TRAFFIC, 8)
    assert step < 0.05
    assert found.batch == pytest.approx(batch)
    assert found.tokens_per_s == pytest.approx(batch / step)


def test_a_faster_answer_means_a_smaller_batch_and_the_deadline_is_kept():
    relaxed, fast = (
        decode_rate(LLAMA_70B, H100, "fp8", replace(TRAFFIC, user_tokens_per_s=speed), 8) for speed in (20, 60)
    )
    assert fast.batch < relaxed.batch
    assert fast.batch / fast.tokens_per_s == pytest.approx(1 / 60)


def test_experts_on_other_servers_are_bound_by_the_network():
    found = decode_rate(DEEPSEEK, H100, "fp8", TRAFFIC, 144)
    sent = 58 * 8 * (1 - 8 / 144) * 7168 * 3
    assert found.bound == "network"
    assert found.tokens_per_s == pytest.approx(50e9 * 0.85 / sent)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e3, 1e8), st.floats(1e3, 1e8), st.floats(0, 0.9), st.floats(1.1, 10))
def test_more_traffic_needs_more_and_more_cached_needs_less(inputs, outputs, cached, factor):
    traffic = replace(TRAFFIC, input_tokens_per_s=inputs, output_tokens_per_s=outputs, cached_share=cached)
    base = fleet(traffic).accelerators
    assert fleet(replace(traffic, output_tokens_per_s=outputs * factor)).accelerators.mid > base.mid
    assert fleet(replace(traffic, input_tokens_per_s=inputs * factor)).accelerators.mid > base.mid
    assert fleet(replace(traffic, cached_share=cached + 0.05)).accelerators.mid < base.mid
    assert base.low < base.mid < base.high


@settings(max_examples=50, deadline=None)
@given(st.floats(1e9, 2e11), st.floats(1.2, 8), st.sampled_from(["h100", "b200", "mi300x"]))
def test_a_larger_model_needs_more(params, factor, name):
    small, large = (
        fleet(replace(TRAFFIC, user_tokens_per_s=5), plain_model(size, size), find_accelerator(name))
        for size in (params, params * factor)
    )
    assert large.prefill_accelerators.mid > small.prefill_accelerators.mid


def test_a_model_that_does_not_fit_names_the_replica_that_would():
    with pytest.raises(InfeasibleError, match="does not fit on 1 h100-sxm") as caught:
        decode_rate(LLAMA_70B, H100, "bf16", TRAFFIC, 1)
    replica = least_replica(LLAMA_70B, H100, "bf16")
    assert caught.value.next_step == f"use a replica of {replica} or more"
    assert decode_rate(LLAMA_70B, H100, "bf16", TRAFFIC, replica).tokens_per_s > 0


def test_a_speed_that_memory_cannot_give_is_refused():
    with pytest.raises(InfeasibleError, match="cannot reach 2000 tokens/s for one answer"):
        decode_rate(LLAMA_70B, H100, "fp8", replace(TRAFFIC, user_tokens_per_s=2000), 2)


def test_engines_reach_less_than_the_roofline():
    assert all(row.tokens_per_s < row.roofline() for row in serving_runs())
    for phase in ("prefill", "decode"):
        sparse, dense = engine_share(phase, sparse=True), engine_share(phase, sparse=False)
        assert 0.3 < sparse.low < sparse.mid < 1
        assert dense.high >= sparse.high


def test_no_measurement_of_the_fleet_that_is_judged_is_in_the_calibration():
    assert {row.accelerator for row in serving_runs()} == {"h100-sxm"}
    assert all("SGLang" in row.run for row in serving_runs())


def test_served_models_are_sourced_and_wrong_names_met():
    assert all(model.source and model.date for model in served_models().values())
    with pytest.raises(UsageError) as caught:
        find_served_model("llama-70b")
    assert "did you mean 'llama-2-70b'?" in caught.value.next_step or "llama-3.1-70b" in caught.value.next_step


@pytest.mark.parametrize("name", [name for name, known in accelerators().items() if known.entry.fp8_tflops])
def test_every_accelerator_with_8_bits_serves_70b(name):
    assert fleet(replace(TRAFFIC, user_tokens_per_s=5), accelerator=find_accelerator(name)).accelerators.mid > 0
