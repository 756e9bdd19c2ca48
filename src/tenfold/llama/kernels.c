// The steps of training between products, in bfloat16, for CPUs with AVX-512; kernels.py builds and calls them.
//
// Each function is a plain loop in a fixed order on one thread, and no multiplication is contracted with an addition
// unless written so: equal inputs give equal bits, whatever compiler built it.
//
// Shape letters: N tokens, D width, F hidden width, V vocabulary, B sequences, T positions, H query heads, K key-value
// heads, C channels of a head.

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint16_t bf16;
typedef __m512 f16x;

static inline f16x widen(__m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
static inline f16x load(const bf16 *from) { return widen(_mm256_loadu_si256((const __m256i *)from)); }
static inline __m256i narrow(f16x value) { return (__m256i)_mm512_cvtneps_pbh(value); }
static inline void store(bf16 *to, f16x value) { _mm256_storeu_si256((__m256i *)to, narrow(value)); }
static inline float alone(bf16 value) {
    uint32_t bits = (uint32_t)value << 16;
    float out;
    memcpy(&out, &bits, 4);
    return out;
}

// e to the x, to two units in the last place; 0 below -87.
static inline f16x exponential(f16x x) {
    const f16x low = _mm512_set1_ps(-87.3f), high = _mm512_set1_ps(88.3f);
    __mmask16 gone = _mm512_cmp_ps_mask(x, low, _CMP_LT_OQ);
    x = _mm512_min_ps(high, _mm512_max_ps(low, x));  // in this order, what is no number stays none
    f16x whole = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
    f16x rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693359375f), x);
    rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.12194440e-4f), rest);
    f16x sum = _mm512_set1_ps(1.9875691500e-4f);
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.3981999507e-3f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(8.3334519073e-3f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(4.1665795894e-2f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.6666665459e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.0000001201e-1f));
    sum = _mm512_fmadd_ps(sum, _mm512_mul_ps(rest, rest), rest);
    sum = _mm512_add_ps(sum, _mm512_set1_ps(1.0f));
    return _mm512_maskz_scalef_ps((__mmask16)~gone, sum, whole);
}

static inline f16x sigmoid(f16x x) {
    const f16x one = _mm512_set1_ps(1.0f);
    return _mm512_div_ps(one, _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

// ---- Norms -------------------------------------------------------------------------------------------------------

// sum = x + added; out = sum / rms(sum) * weight; scale = 1 / rms.
void norm_forward(long N, long D, const bf16 *x, const bf16 *added, const float *weight, float eps, bf16 *sum, bf16 *out,
                  float *scale) {
    for (long n = 0; n < N; n++, x += D, added += D, sum += D, out += D) {
        f16x squares = _mm512_setzero_ps();
        for (long d = 0; d < D; d += 16) store(sum + d, _mm512_add_ps(load(x + d), load(added + d)));
        for (long d = 0; d < D; d += 16) {
            f16x value = load(sum + d);
            squares = _mm512_fmadd_ps(value, value, squares);
        }
        float by = 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)D + eps);
        scale[n] = by;
        f16x by16 = _mm512_set1_ps(by);
        for (long d = 0; d < D; d += 16)
            store(out + d, _mm512_mul_ps(_mm512_mul_ps(load(sum + d), by16), _mm512_loadu_ps(weight + d)));
    }
}

// Gradient by the sum, with what comes to it past the norm (beside, or null) added; by_weight is added to.
void norm_backward(long N, long D, const bf16 *gradient, const bf16 *beside, const bf16 *sum, const float *weight,
                   const float *scale, bf16 *out, float *by_weight) {
    for (long n = 0; n < N; n++, gradient += D, sum += D, out += D) {
        f16x by = _mm512_set1_ps(scale[n]), along = _mm512_setzero_ps();
        for (long d = 0; d < D; d += 16) {
            f16x unit = _mm512_mul_ps(load(sum + d), by), given = load(gradient + d);
            _mm512_storeu_ps(by_weight + d, _mm512_fmadd_ps(given, unit, _mm512_loadu_ps(by_weight + d)));
            along = _mm512_fmadd_ps(_mm512_mul_ps(given, _mm512_loadu_ps(weight + d)), unit, along);
        }
        f16x mean = _mm512_set1_ps(_mm512_reduce_add_ps(along) / (float)D);
        for (long d = 0; d < D; d += 16) {
            f16x unit = _mm512_mul_ps(load(sum + d), by);
            f16x given = _mm512_mul_ps(load(gradient + d), _mm512_loadu_ps(weight + d));
            f16x value = _mm512_mul_ps(by, _mm512_fnmadd_ps(unit, mean, given));
            if (beside) value = _mm512_add_ps(value, load(beside + d));
            store(out + d, value);
        }
        if (beside) beside += D;
    }
}

// ---- SwiGLU ------------------------------------------------------------------------------------------------------

// Rows hold gate and up beside each other, shape (N, 2F).
void swiglu_forward(long N, long F, const bf16 *gate_up, bf16 *out) {
    for (long n = 0; n < N; n++, gate_up += 2 * F, out += F)
        for (long f = 0; f < F; f += 16) {
            f16x gate = load(gate_up + f), up = load(gate_up + F + f);
            store(out + f, _mm512_mul_ps(_mm512_mul_ps(gate, sigmoid(gate)), up));
        }
}

void swiglu_backward(long N, long F, const bf16 *gradient, const bf16 *gate_up, bf16 *out) {
    const f16x one = _mm512_set1_ps(1.0f);
    for (long n = 0; n < N; n++, gate_up += 2 * F, out += 2 * F, gradient += F)
        for (long f = 0; f < F; f += 16) {
            f16x gate = load(gate_up + f), up = load(gate_up + F + f), given = load(gradient + f), share = sigmoid(gate);
            f16x silu = _mm512_mul_ps(gate, share);
            f16x slope = _mm512_mul_ps(share, _mm512_fmadd_ps(gate, _mm512_sub_ps(one, share), one));
            store(out + f, _mm512_mul_ps(_mm512_mul_ps(given, up), slope));
            store(out + F + f, _mm512_mul_ps(given, silu));
        }
}

// ---- Cross entropy -----------------------------------------------------------------------------------------------

// Weighted sum of the cross entropies in nats; logits (N, V) become the sum's gradient by them.
double judge(long N, long V, bf16 *logits, const int64_t *targets, const float *weights) {
    double loss = 0;
    for (long n = 0; n < N; n++, logits += V) {
        f16x most = load(logits), sum = _mm512_setzero_ps();
        for (long v = 16; v < V; v += 16) most = _mm512_max_ps(most, load(logits + v));
        float top = _mm512_reduce_max_ps(most);
        f16x top16 = _mm512_set1_ps(top);
        for (long v = 0; v < V; v += 16) sum = _mm512_add_ps(sum, exponential(_mm512_sub_ps(load(logits + v), top16)));
        float total = top + logf(_mm512_reduce_add_ps(sum)), own = alone(logits[targets[n]]);
        loss += (double)(total - own) * weights[n];
        f16x total16 = _mm512_set1_ps(total), by = _mm512_set1_ps(weights[n]);
        for (long v = 0; v < V; v += 16)
            store(logits + v, _mm512_mul_ps(exponential(_mm512_sub_ps(load(logits + v), total16)), by));
        float error = (expf(own - total) - 1.0f) * weights[n];
        bf16 kept[16];
        store(kept, _mm512_set1_ps(error));
        logits[targets[n]] = kept[0];
    }
    return loss;
}

// ---- Attention ---------------------------------------------------------------------------------------------------

// Scores of a pair of heads are made block by block and never kept: the backward makes them again. Blocks of which all
// is masked are left out. Queries, keys and values of a token lie in one row, (H + 2K) x C wide.

#define BLOCK 32

typedef struct {
    long T, H, K, C;
    const float *cosines, *sines;  // (T, C / 2), or null where positions do not turn
    int halves, unit;              // channels are turned in halves, not in pairs; queries and keys get unit length
    float eps;
} Heads;

// Sixteen pairs of channels from place c on, as their first and second.
static inline void load_pairs(const Heads *of, const bf16 *row, long pair, f16x *first, f16x *second) {
    if (of->halves) {
        *first = load(row + pair);
        *second = load(row + of->C / 2 + pair);
    } else {
        __m512i both = _mm512_loadu_si512(row + 2 * pair);
        *first = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
        *second = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32((int)0xffff0000)));
    }
}
static inline __m512i interleaved(f16x first, f16x second) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(narrow(first)),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow(second)), 16));
}
static inline void store_pairs(const Heads *of, bf16 *row, long pair, f16x first, f16x second) {
    if (of->halves) {
        store(row + pair, first);
        store(row + of->C / 2 + pair, second);
    } else {
        _mm512_storeu_si512(row + 2 * pair, interleaved(first, second));
    }
}

// A head of a token, turned and scaled, in pairs: what scores are made of. Returns the scale.
static float turn(const Heads *of, const bf16 *row, long t, bf16 *out) {
    f16x first, second, squares = _mm512_setzero_ps(), turned[8];
    for (long pair = 0; pair < of->C / 2; pair += 16) {
        load_pairs(of, row, pair, &first, &second);
        if (of->cosines) {
            f16x cosine = _mm512_loadu_ps(of->cosines + t * of->C / 2 + pair);
            f16x sine = _mm512_loadu_ps(of->sines + t * of->C / 2 + pair), kept = first;
            first = _mm512_sub_ps(_mm512_mul_ps(first, cosine), _mm512_mul_ps(second, sine));
            second = _mm512_add_ps(_mm512_mul_ps(kept, sine), _mm512_mul_ps(second, cosine));
        }
        squares = _mm512_fmadd_ps(first, first, squares);
        squares = _mm512_fmadd_ps(second, second, squares);
        turned[pair / 8] = first, turned[pair / 8 + 1] = second;
    }
    float scale = of->unit ? 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)of->C + of->eps) : 1.0f;
    f16x by = _mm512_set1_ps(scale);
    for (long pair = 0; pair < of->C / 2; pair += 16)
        _mm512_storeu_si512(out + 2 * pair, interleaved(_mm512_mul_ps(turned[pair / 8], by),
                                                        _mm512_mul_ps(turned[pair / 8 + 1], by)));
    return scale;
}

// From the gradient by what turn gave, in pairs, that by the row. turned: what it gave.
static void turn_back(const Heads *of, const float *gradient, const bf16 *turned, float scale, long t, bf16 *out) {
    const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    f16x along = _mm512_setzero_ps(), firsts[4], seconds[4], was_first[4], was_second[4];
    Heads pairs = *of;
    pairs.halves = 0;
    for (long pair = 0, at = 0; pair < of->C / 2; pair += 16, at++) {
        f16x low = _mm512_loadu_ps(gradient + 2 * pair), high = _mm512_loadu_ps(gradient + 2 * pair + 16);
        firsts[at] = _mm512_permutex2var_ps(low, evens, high);
        seconds[at] = _mm512_permutex2var_ps(low, odds, high);
        load_pairs(&pairs, turned, pair, &was_first[at], &was_second[at]);
        along = _mm512_fmadd_ps(firsts[at], was_first[at], along);
        along = _mm512_fmadd_ps(seconds[at], was_second[at], along);
    }
    f16x mean = _mm512_set1_ps(of->unit ? _mm512_reduce_add_ps(along) / (float)of->C : 0.0f), by = _mm512_set1_ps(scale);
    for (long pair = 0, at = 0; pair < of->C / 2; pair += 16, at++) {
        f16x first = _mm512_mul_ps(by, _mm512_fnmadd_ps(was_first[at], mean, firsts[at]));
        f16x second = _mm512_mul_ps(by, _mm512_fnmadd_ps(was_second[at], mean, seconds[at]));
        if (of->cosines) {
            f16x cosine = _mm512_loadu_ps(of->cosines + t * of->C / 2 + pair);
            f16x sine = _mm512_loadu_ps(of->sines + t * of->C / 2 + pair), kept = first;
            first = _mm512_add_ps(_mm512_mul_ps(first, cosine), _mm512_mul_ps(second, sine));
            second = _mm512_sub_ps(_mm512_mul_ps(second, cosine), _mm512_mul_ps(kept, sine));
        }
        store_pairs(of, out, pair, first, second);
    }
}

// Rows (R, C), a row every `step`, as the right factor of a product that sums over channels: for each 32 channels and
// each 16 rows a tile of (16 pairs of channels, 16 rows, 2).
static void over_channels(const bf16 *rows, long step, long R, long C, bf16 *out) {
    for (long c = 0; c < C; c += 32)
        for (long r = 0; r < R; r += 16, out += 512)
            for (long row = 0; row < 16; row++) {
                const uint32_t *pairs = (const uint32_t *)(rows + (r + row) * step + c);
                for (long pair = 0; pair < 16; pair++) ((uint32_t *)out)[pair * 16 + row] = pairs[pair];
            }
}

// The same as the right factor of a product that sums over rows: for each 32 rows and each 16 channels a tile of
// (16 pairs of rows, 16 channels, 2).
static void over_rows(const bf16 *rows, long step, long R, long C, bf16 *out) {
    for (long r = 0; r < R; r += 32)
        for (long c = 0; c < C; c += 16, out += 512)
            for (long pair = 0; pair < 16; pair++) {
                const bf16 *row = rows + (r + 2 * pair) * step + c;
                __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)row));
                __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(row + step)));
                _mm512_storeu_si512(out + 32 * pair, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
            }
}

// A product of 32 rows by 32 columns is two tiles of 16 rows by two of 16 columns. What accumulates lies in memory, a row
// every `step` floats, and is added to where there is `more`. right: two tiles of a place along the sum, then, every
// `right_tile`, those of the next 32.

#ifdef __AMX_BF16__

typedef struct {
    uint8_t palette, start, unused[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} Tiles;

// Constant, since gcc believes that the instruction reads eight bytes of it.
static const Tiles SQUARE = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

static __thread int tiles_set;

static int set_tiles(void) {
    if (!tiles_set && syscall(SYS_arch_prctl, 0x1023, 18)) return -1;  // ARCH_REQ_XCOMP_PERM, tile data
    tiles_set = 1;
    _tile_loadconfig(&SQUARE);
    return 0;
}

static void release_tiles(void) { _tile_release(); }

static inline void multiply(const bf16 *left, long left_step, const bf16 *right, long right_tile, long sum, float *out,
                            long step, int more) {
    // gcc does not know that loading a tile reads memory.
    __asm__ volatile("" ::: "memory");
    if (more) {
        _tile_loadd(0, out, step * 4);
        _tile_loadd(1, out + 16, step * 4);
        _tile_loadd(2, out + 16 * step, step * 4);
        _tile_loadd(3, out + 16 * step + 16, step * 4);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (long at = 0; at < sum; at += 32, left += 32, right += right_tile) {
        _tile_loadd(4, left, left_step * 2);
        _tile_loadd(5, left + 16 * left_step, left_step * 2);
        _tile_loadd(6, right, 64);
        _tile_loadd(7, right + 512, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, step * 4);
    _tile_stored(1, out + 16, step * 4);
    _tile_stored(2, out + 16 * step, step * 4);
    _tile_stored(3, out + 16 * step + 16, step * 4);
    __asm__ volatile("" ::: "memory");
}

#else

static int set_tiles(void) { return 0; }
static void release_tiles(void) {}

// Two neighbours along the sum, in all places. Not by _mm_loadu_si32: gcc 10 has none, that of gcc 11.1 and 11.2 puts
// them where none is read (PR 99754).
static inline __m512bh everywhere(const bf16 *two) {
    int32_t both;
    memcpy(&both, two, 4);
    return (__m512bh)_mm512_set1_epi32(both);
}

static inline void multiply(const bf16 *left, long left_step, const bf16 *right, long right_tile, long sum, float *out,
                            long step, int more) {
    // Eight rows fill 16 registers: as many sums as hide how long an instruction takes.
    for (long row = 0; row < 32; row += 8, left += 8 * left_step, out += 8 * step) {
        f16x low[8], high[8];
        for (long r = 0; r < 8; r++) {
            low[r] = more ? _mm512_loadu_ps(out + r * step) : _mm512_setzero_ps();
            high[r] = more ? _mm512_loadu_ps(out + r * step + 16) : _mm512_setzero_ps();
        }
        const bf16 *tile = right;
        for (long at = 0; at < sum; at += 32, tile += right_tile)
            for (long pair = 0; pair < 16; pair++) {
                __m512bh low_right = (__m512bh)_mm512_loadu_si512(tile + 32 * pair);
                __m512bh high_right = (__m512bh)_mm512_loadu_si512(tile + 512 + 32 * pair);
                for (long r = 0; r < 8; r++) {
                    __m512bh both = everywhere(left + r * left_step + at + 2 * pair);
                    low[r] = _mm512_dpbf16_ps(low[r], both, low_right);
                    high[r] = _mm512_dpbf16_ps(high[r], both, high_right);
                }
            }
        for (long r = 0; r < 8; r++) {
            _mm512_storeu_ps(out + r * step, low[r]);
            _mm512_storeu_ps(out + r * step + 16, high[r]);
        }
    }
}

#endif

int kernels_usable(void) {
    if (set_tiles()) return 0;
    release_tiles();
    return 1;
}

static void *memory(char **free_from, long bytes) {
    char *out = *free_from;
    *free_from += (bytes + 63) / 64 * 64;
    return out;
}

// Scores whose column is past their row's place become minus infinity; in the block on the diagonal only.
static inline f16x masked(f16x scores, long row, long column) {
    long allowed = row - column + 1;
    __mmask16 mask = allowed >= 16 ? 0xffff : (__mmask16)((1u << (allowed < 0 ? 0 : allowed)) - 1);
    return _mm512_mask_blend_ps(mask, _mm512_set1_ps(-INFINITY), scores);
}

// out (B, T, H x C); total (B, H, T): logarithm of the sum of the exponentials of a query's scores.
int attention_forward(long B, const Heads *of, const bf16 *rows, bf16 *out, float *total) {
    const long T = of->T, H = of->H, K = of->K, C = of->C, step = (H + 2 * K) * C, group = H / K;
    const float by = 1.0f / sqrtf((float)C);
    char *held = aligned_alloc(64, (T * C * 6 + BLOCK * C * 6 + BLOCK * T * 6 + 8 * 64 + 63) / 64 * 64 + 1024);
    if (!held || set_tiles()) return -1;
    char *next = held;
    bf16 *keys = memory(&next, T * C * 2), *key_tiles = memory(&next, T * C * 2), *values = memory(&next, T * C * 2);
    bf16 *queries = memory(&next, BLOCK * C * 2), *shares = memory(&next, BLOCK * T * 2);
    float *scores = memory(&next, BLOCK * T * 4), *mixed = memory(&next, BLOCK * C * 4);
    for (long b = 0; b < B; b++, rows += T * step)
        for (long k = 0; k < K; k++) {
            for (long t = 0; t < T; t++) turn(of, rows + t * step + (H + k) * C, t, keys + t * C);
            over_channels(keys, C, T, C, key_tiles);
            over_rows(rows + (H + K + k) * C, step, T, C, values);
            for (long h = k * group; h < (k + 1) * group; h++)
                for (long t = 0; t < T; t += BLOCK) {
                    const long seen = t + BLOCK;
                    for (long q = 0; q < BLOCK; q++) turn(of, rows + (t + q) * step + h * C, t + q, queries + q * C);
                    for (long s = 0; s < seen; s += BLOCK)
                        multiply(queries, C, key_tiles + s * 32, T * 32, C, scores + s, T, 0);
                    for (long q = 0; q < BLOCK; q++) {
                        float *row = scores + q * T;
                        for (long s = t; s < seen; s += 16)
                            _mm512_store_ps(row + s, masked(_mm512_load_ps(row + s), q, s - t));
                        f16x most = _mm512_load_ps(row), sum = _mm512_setzero_ps();
                        for (long s = 16; s < seen; s += 16) most = _mm512_max_ps(most, _mm512_load_ps(row + s));
                        float top = _mm512_reduce_max_ps(most) * by;
                        f16x top16 = _mm512_set1_ps(top), by16 = _mm512_set1_ps(by);
                        for (long s = 0; s < seen; s += 16) {
                            f16x share = exponential(_mm512_fmsub_ps(_mm512_load_ps(row + s), by16, top16));
                            sum = _mm512_add_ps(sum, share);
                            store(shares + q * T + s, share);
                        }
                        float all = _mm512_reduce_add_ps(sum);
                        total[(b * H + h) * T + t + q] = top + logf(all);
                        row[0] = 1.0f / all;
                    }
                    for (long c = 0; c < C; c += 32)
                        multiply(shares, T, values + c * 32, C * 32, seen, mixed + c, C, 0);
                    for (long q = 0; q < BLOCK; q++) {
                        f16x all = _mm512_set1_ps(scores[q * T]);
                        bf16 *to = out + ((b * T + t + q) * H + h) * C;
                        for (long c = 0; c < C; c += 16)
                            store(to + c, _mm512_mul_ps(_mm512_load_ps(mixed + q * C + c), all));
                    }
                }
        }
    release_tiles();
    free(held);
    return 0;
}

// by_rows: gradient by the rows. out and total are what the forward gave.
int attention_backward(long B, const Heads *of, const bf16 *rows, const bf16 *out, const float *total,
                       const bf16 *gradient, bf16 *by_rows) {
    const long T = of->T, H = of->H, K = of->K, C = of->C, step = (H + 2 * K) * C, wide = H * C, group = H / K;
    const float by = 1.0f / sqrtf((float)C);
    const f16x by16 = _mm512_set1_ps(by), none = _mm512_set1_ps(-INFINITY);
    char *held = aligned_alloc(64, T * C * 2 * 7 + T * C * 4 * 3 + T * 4 * 3 + BLOCK * BLOCK * 16 + 64 * 32);
    if (!held || set_tiles()) return -1;
    char *next = held;
    const long plain = T * C * 2, floats = T * C * 4;
    bf16 *keys = memory(&next, plain), *keys_across = memory(&next, plain), *queries = memory(&next, plain);
    bf16 *query_tiles = memory(&next, plain), *query_rows = memory(&next, plain);
    bf16 *given_tiles = memory(&next, plain), *given_rows = memory(&next, plain);
    float *by_keys = memory(&next, floats), *by_values = memory(&next, floats), *by_queries = memory(&next, floats);
    float *key_scale = memory(&next, T * 4), *query_scale = memory(&next, T * 4), *offset = memory(&next, T * 4);
    float *scores = memory(&next, BLOCK * BLOCK * 4), *slopes = memory(&next, BLOCK * BLOCK * 4);
    bf16 *shares = memory(&next, BLOCK * BLOCK * 2), *by_scores = memory(&next, BLOCK * BLOCK * 2);
    bf16 *across = memory(&next, BLOCK * BLOCK * 2);
    for (long b = 0; b < B; b++, rows += T * step, by_rows += T * step, out += T * wide, gradient += T * wide)
        for (long k = 0; k < K; k++) {
            const bf16 *values = rows + (H + K + k) * C;
            for (long t = 0; t < T; t++) {
                key_scale[t] = turn(of, rows + t * step + (H + k) * C, t, keys + t * C);
                for (long c = 0; c < C; c++) keys_across[c * T + t] = keys[t * C + c];
            }
            memset(by_keys, 0, floats);
            memset(by_values, 0, floats);
            for (long h = k * group; h < (k + 1) * group; h++) {
                const bf16 *given = gradient + h * C;
                for (long t = 0; t < T; t++) {
                    query_scale[t] = turn(of, rows + t * step + h * C, t, queries + t * C);
                    f16x along = _mm512_setzero_ps();
                    for (long c = 0; c < C; c += 16)
                        along = _mm512_fmadd_ps(load(given + t * wide + c), load(out + t * wide + h * C + c), along);
                    offset[t] = _mm512_reduce_add_ps(along);
                }
                over_channels(queries, C, T, C, query_tiles);
                over_rows(queries, C, T, C, query_rows);
                over_channels(given, wide, T, C, given_tiles);
                over_rows(given, wide, T, C, given_rows);
                memset(by_queries, 0, floats);
                const float *sums = total + (b * H + h) * T;
                // Rows are keys from here on, columns queries.
                for (long s = 0; s < T; s += BLOCK)
                    for (long t = s; t < T; t += BLOCK) {
                        multiply(keys + s * C, C, query_tiles + t * 32, T * 32, C, scores, BLOCK, 0);
                        multiply(values + s * step, step, given_tiles + t * 32, T * 32, C, slopes, BLOCK, 0);
                        for (long row = 0; row < BLOCK; row += 2)
                            for (long half = 0; half < BLOCK; half += 16) {
                                f16x sum = _mm512_loadu_ps(sums + t + half), off = _mm512_loadu_ps(offset + t + half);
                                f16x found[2];
                                for (long of_two = 0; of_two < 2; of_two++) {
                                    const long at = (row + of_two) * BLOCK + half;
                                    f16x score = _mm512_fmsub_ps(_mm512_load_ps(scores + at), by16, sum);
                                    if (s == t) {
                                        const long hidden = row + of_two - half;
                                        __mmask16 mask = hidden <= 0    ? 0xffff
                                                         : hidden >= 16 ? 0
                                                                        : (__mmask16)(0xffffu << hidden);
                                        score = _mm512_mask_blend_ps(mask, none, score);
                                    }
                                    f16x share = exponential(score);
                                    f16x slope = _mm512_sub_ps(_mm512_load_ps(slopes + at), off);
                                    found[of_two] = _mm512_mul_ps(_mm512_mul_ps(share, slope), by16);
                                    store(shares + at, share);
                                    store(by_scores + at, found[of_two]);
                                }
                                _mm512_storeu_si512(across + half * 32 + row * 16, interleaved(found[0], found[1]));
                            }
                        for (long c = 0; c < C; c += 32) {
                            multiply(shares, BLOCK, given_rows + t * C + c * 32, 0, BLOCK, by_values + s * C + c, C, 1);
                            multiply(by_scores, BLOCK, query_rows + t * C + c * 32, 0, BLOCK, by_keys + s * C + c, C, 1);
                            multiply(keys_across + c * T + s, T, across, 0, BLOCK, by_queries + c * T + t, T, 1);
                        }
                    }
                for (long t = 0; t < T; t++) {
                    float own[128];
                    for (long c = 0; c < C; c++) own[c] = by_queries[c * T + t];
                    turn_back(of, own, queries + t * C, query_scale[t], t, by_rows + t * step + h * C);
                }
            }
            for (long t = 0; t < T; t++) {
                turn_back(of, by_keys + t * C, keys + t * C, key_scale[t], t, by_rows + t * step + (H + k) * C);
                for (long c = 0; c < C; c += 16)
                    store(by_rows + t * step + (H + K + k) * C + c, _mm512_load_ps(by_values + t * C + c));
            }
        }
    release_tiles();
    free(held);
    return 0;
}
