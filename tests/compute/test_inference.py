"""The serving roofline against hand calculation, its directions, and how engines share a model out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import by_kind, held_out_rows, serving_accuracy, tuned_rows
from tenfold.compute.accelerators import accelerators, find_accelerator
from tenfold.compute.facilities import find_facility
from tenfold.compute.inference import Traffic, decode_rate, engine_interval, estimate_inference, prefill_rate
from tenfold.compute.parallel import Parallel, cache_precision, chosen, least_replica, shared_by
from tenfold.compute.roofline import CONSTANTS, Deployment, serve
from tenfold.compute.served import find_served_model, plain_model, served_models
from tenfold.core.errors import InfeasibleError, UsageError

H100 = find_accelerator("h100")
B200 = find_accelerator("b200")
HALL = find_facility("hyperscale")
LLAMA_70B = find_served_model("llama-3.1-70b")
DEEPSEEK = find_served_model("deepseek-v3")
TRAFFIC = Traffic(1e6, 2e5, prompt_tokens=2000, context_tokens=2500, user_tokens_per_s=20)


def fleet(traffic, model=LLAMA_70B, accelerator=H100, precision="fp8"):
    return estimate_inference(model, accelerator, traffic, HALL, precision=precision)


def on_h100(model, replica, cache="bf16", precision="fp8"):
    return Deployment(model, H100, precision, cache, shared_by(model, H100, replica))


def test_the_cache_of_one_token():
    assert LLAMA_70B.cache_bytes_per_token() == 80 * 2 * 8 * 128 * 2
    # 70 kB: what DeepSeek gives for its compressed cache.
    assert DEEPSEEK.cache_bytes_per_token() == 61 * 576 * 2
    assert LLAMA_70B.cache_bytes_per_token(1) == 80 * 2 * 8 * 128


def test_attention_flops_of_one_pair():
    # Scores and values: two products of head_dim each, two FLOPs per number.
    assert LLAMA_70B.prefill_flops_per_pair() == 4 * 80 * 64 * 128
    assert DEEPSEEK.prefill_flops_per_pair() == 61 * 128 * 2 * (192 + 128)
    assert DEEPSEEK.decode_flops_per_pair() == 61 * 128 * 2 * (576 + 512)


def test_layers_with_a_window_attend_to_no_more_than_it():
    gpt = find_served_model("gpt-oss-120b")
    assert gpt.attended(100) == 100
    assert gpt.attended(10_000) == (18 * 10_000 + 18 * 128) / 36


def test_routed_parameters_are_all_but_what_every_token_passes():
    mixtral = find_served_model("mixtral-8x7b")
    common = mixtral.total_params - mixtral.routed_params
    assert common + mixtral.routed_params * 2 / 8 == pytest.approx(mixtral.active_params)
    assert LLAMA_70B.routed_params == 0


def test_prefill_by_hand():
    seconds = 2 * 70.6e9 / (1979e12 * CONSTANTS.matmul_dense_8)
    seconds += 4 * 80 * 64 * 128 * 1000 / (989.5e12 * CONSTANTS.attention)
    seconds += 80 * CONSTANTS.activations * 8192 * 2 / (3350e9 * CONSTANTS.memory)
    # Seven others send and get two sums a layer, two bytes each.
    seconds += 7 * 8 * 80 * 8192 / (450e9 * CONSTANTS.links)
    found = prefill_rate(on_h100(LLAMA_70B, 8), TRAFFIC)
    assert found.tokens_per_s == pytest.approx(1 / seconds)
    assert found.bound == "compute"


def test_decode_by_hand():
    bandwidth = 3350e9 * CONSTANTS.memory
    weights = 70.6e9 / 8
    kept = 80 * 2 * 8 * 128 * 2
    batch = (80e9 * 0.9 - weights) / (3000 * kept)
    each = 2 * 70.6e9 / (1979e12 * CONSTANTS.matmul_dense_8) + 2500 * kept / bandwidth
    each += 80 * CONSTANTS.activations * 8192 * 2 / bandwidth + 7 * 8 * 80 * 8192 / (450e9 * CONSTANTS.links)
    each += CONSTANTS.sequence_s * 8
    fixed = CONSTANTS.step_s + 80 * (CONSTANTS.launch_s_per_layer + CONSTANTS.sync_s_per_layer)
    step = weights / bandwidth + batch * each + fixed
    found = decode_rate(on_h100(LLAMA_70B, 8), replace(TRAFFIC, user_tokens_per_s=5))
    assert found.batch == pytest.approx(batch)
    assert found.tokens_per_s == pytest.approx(batch / step)


def test_a_faster_answer_means_a_smaller_batch_and_the_deadline_is_kept():
    relaxed, fast = (
        decode_rate(on_h100(LLAMA_70B, 8), replace(TRAFFIC, user_tokens_per_s=speed)) for speed in (20, 60)
    )
    assert fast.batch < relaxed.batch
    assert fast.batch / fast.tokens_per_s == pytest.approx(1 / 60)


def test_prompts_read_between_steps_leave_less_room_within_the_deadline():
    deployed = on_h100(LLAMA_70B, 8)
    alone = decode_rate(deployed, replace(TRAFFIC, user_tokens_per_s=30))
    mixed = serve(deployed, prompt_tokens=2000, answer_tokens=1000, user_tokens_per_s=30)
    assert mixed.sequences < alone.batch
    assert mixed.sequences / mixed.tokens_per_s <= 1 / 30 + 1e-9


def test_answers_that_cannot_be_as_fast_as_they_must_are_told_as_none():
    long_prompts = replace(TRAFFIC, output_tokens_per_s=1e3, prompt_tokens=100_000, context_tokens=100_500)
    assert fleet(long_prompts).answer_tokens_per_s is None
    slow = fleet(replace(long_prompts, user_tokens_per_s=0.1)).answer_tokens_per_s
    assert slow is not None and slow.mid > 1


def test_sums_and_experts_go_by_what_reaches_them():
    link, network = 450e9 * CONSTANTS.links, 50e9 * 0.85
    sums = 8 * LLAMA_70B.layers * LLAMA_70B.hidden

    def links_s(model, parallel):
        return Deployment(model, H100, "fp8", "fp8", parallel).links_s()

    assert links_s(LLAMA_70B, Parallel(tensor=8)) == pytest.approx(7 * sums / link)
    assert links_s(LLAMA_70B, Parallel(tensor=16)) == pytest.approx(15 * sums / network)
    sent = DEEPSEEK.exchanged_bytes_per_token(DEEPSEEK.experts_per_token) / link
    assert links_s(DEEPSEEK, Parallel(expert=8)) == pytest.approx(sent * 7 / 8)
    # Four groups of two: each has a token together, and the experts of three groups are elsewhere.
    both = 8 * DEEPSEEK.layers * DEEPSEEK.hidden / link + sent * 3 / 4
    assert links_s(DEEPSEEK, Parallel(tensor=2, expert=8)) == pytest.approx(both)
    # The experts of a stage are on one server, however many stages there are.
    assert links_s(DEEPSEEK, Parallel(expert=8, pipeline=4)) == pytest.approx(sent * 7 / 8)
    assert Deployment(DEEPSEEK, H100, "fp8", "fp8", Parallel(expert=8, pipeline=4)).network_s(8) == 0


def test_experts_on_other_servers_are_bound_by_the_network():
    step = on_h100(DEEPSEEK, 144).step(500)
    sent = 58 * 8 * (1 - 8 / 144) * 7168 * 3
    assert step.network_s == pytest.approx(sent / (50e9 * 0.85))
    assert step.bound(250) == "network"


def test_a_cache_in_8_bits_holds_twice_the_sequences():
    wide, short = (on_h100(LLAMA_70B, 8, cache).most_sequences(30_000) for cache in ("bf16", "fp8"))
    assert short == pytest.approx(2 * wide)


def test_few_sequences_read_few_experts():
    step = on_h100(find_served_model("qwen3-235b-a22b"), 4).step(1000)
    assert step.weights_s(0.5) < 0.3 * step.weights_s(500)


def test_defaults_by_model_and_accelerator():
    assert shared_by(LLAMA_70B, H100, 16) == Parallel(tensor=8, pipeline=2)
    assert shared_by(DEEPSEEK, H100, 16) == Parallel(expert=16)
    assert [least_replica(find_served_model(name), H100, "fp8") for name in ("llama-3.1-8b", "llama-3.1-405b")] == [
        1,
        8,
    ]
    assert least_replica(DEEPSEEK, find_accelerator("h200"), "fp8") == 8
    assert [cache_precision(DEEPSEEK, on, "fp8") for on in (H100, B200)] == ["bf16", "fp8"]
    assert [cache_precision(LLAMA_70B, H100, kept) for kept in ("fp8", "bf16")] == ["fp8", "bf16"]
    assert cache_precision(LLAMA_70B, find_accelerator("a100"), "fp8") == "bf16"


def test_what_is_asked_of_a_replica_is_taken_or_refused():
    assert chosen(DEEPSEEK, H100, "fp8", tensor=2, expert=8) == Parallel(tensor=2, expert=8)
    assert str(Parallel(tensor=4, pipeline=2)) == "tensor 4 x pipeline 2"
    with pytest.raises(UsageError, match=r"Llama 3\.1 70B has no experts"):
        chosen(LLAMA_70B, H100, "fp8", expert=4)
    with pytest.raises(UsageError, match="--tensor 3 and --expert 8 do not divide each other"):
        chosen(DEEPSEEK, H100, "fp8", tensor=3, expert=8)
    with pytest.raises(UsageError, match="a replica of 4 is not tensor 8"):
        chosen(LLAMA_70B, H100, "fp8", replica=4, tensor=8)


def test_what_nobody_said_is_told():
    found = fleet(TRAFFIC, accelerator=find_accelerator("a100"))
    assert found.assumed[0] == "a replica is tensor 2"
    assert "a100-80 has no fp8: products are computed in bf16" in found.assumed
    told = estimate_inference(
        LLAMA_70B,
        H100,
        TRAFFIC,
        HALL,
        precision="fp8",
        cache="fp8",
        prefill=Parallel(tensor=4),
        decode=Parallel(tensor=4),
    )
    assert told.assumed == ()
    assert told.decode_parallel.replica == 4


@given(st.floats(1e3, 1e8), st.floats(1e3, 1e8), st.floats(0, 0.9), st.floats(1.1, 10))
def test_more_traffic_needs_more_and_more_cached_needs_less(inputs, outputs, cached, factor):
    traffic = replace(TRAFFIC, input_tokens_per_s=inputs, output_tokens_per_s=outputs, cached_share=cached)
    base = fleet(traffic).accelerators
    assert fleet(replace(traffic, output_tokens_per_s=outputs * factor)).accelerators.mid > base.mid
    assert fleet(replace(traffic, input_tokens_per_s=inputs * factor)).accelerators.mid > base.mid
    assert fleet(replace(traffic, cached_share=cached + 0.05)).accelerators.mid < base.mid
    assert base.low < base.mid < base.high


@given(st.floats(1e9, 2e11), st.floats(1.2, 8), st.sampled_from(["h100", "b200", "mi300x"]))
def test_a_larger_model_needs_more(params, factor, name):
    small, large = (
        fleet(replace(TRAFFIC, user_tokens_per_s=5), plain_model(size, size), find_accelerator(name))
        for size in (params, params * factor)
    )
    assert large.prefill_accelerators.mid > small.prefill_accelerators.mid


def test_a_model_that_does_not_fit_names_the_replica_that_would():
    with pytest.raises(InfeasibleError, match="does not fit on 1 h100-sxm") as caught:
        decode_rate(on_h100(LLAMA_70B, 1, precision="bf16"), TRAFFIC)
    replica = least_replica(LLAMA_70B, H100, "bf16")
    assert caught.value.next_step == f"use a replica of {replica} or more"
    assert decode_rate(on_h100(LLAMA_70B, replica, precision="bf16"), TRAFFIC).tokens_per_s > 0


def test_a_speed_that_memory_cannot_give_is_refused():
    with pytest.raises(InfeasibleError, match="cannot reach 2000 tokens/s for one answer"):
        decode_rate(on_h100(LLAMA_70B, 2), replace(TRAFFIC, user_tokens_per_s=2000))


def test_measured_engines_are_met():
    chosen_on = by_kind(tuned_rows())
    assert len(chosen_on) == 6
    assert all(found.median_factor < 1.3 for found in chosen_on.values())


def test_sources_that_no_constant_was_chosen_on():
    kinds = by_kind(held_out_rows())
    assert len(kinds) == 6
    # The aim is 1.6 in every class. Mixtures in 8 bits miss it (1.68); this keeps them from getting worse unnoticed.
    assert all(found.median_factor < 1.6 for kind, found in kinds.items() if kind != "mixture 8 bits")
    assert kinds["mixture 8 bits"].median_factor < 1.7
    assert 0.75 <= serving_accuracy(held_out_rows()).coverage80 <= 0.9


def test_no_source_is_both_chosen_on_and_held_out():
    chosen_on, held_out = ({row.source for row in rows} for rows in (tuned_rows(), held_out_rows()))
    assert not chosen_on & held_out
    assert all(row.address for row in (*tuned_rows(), *held_out_rows()))
    # Nor is any row of the day that is judged, which ran on H800.
    assert "h800-sxm" not in {row.accelerator for row in tuned_rows()}


def test_other_makers_accelerators_have_wider_intervals():
    ours, other = (
        engine_interval(Deployment(LLAMA_70B, find_accelerator(name), "fp8", "fp8", Parallel()))
        for name in ("h200", "mi300x")
    )
    assert other.high / other.low > ours.high / ours.low


def test_served_models_are_sourced_and_wrong_names_met():
    assert all(model.source and model.date for model in served_models().values())
    with pytest.raises(UsageError) as caught:
        find_served_model("llama-70b")
    assert "did you mean 'llama-2-70b'?" in caught.value.next_step or "llama-3.1-70b" in caught.value.next_step


@pytest.mark.parametrize("name", [name for name, known in accelerators().items() if known.entry.fp8_tflops])
def test_every_accelerator_with_8_bits_serves_70b(name):
    assert fleet(replace(TRAFFIC, user_tokens_per_s=5), accelerator=find_accelerator(name)).accelerators.mid > 0
