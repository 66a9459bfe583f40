// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions over quads of lines for AVX-512 VNNI: a vector has four lines of 16 channels, in order, and
// vpdpbusd multiplies four taps of each. Laid out elements are 128 larger.
#include "backend/cpu/x86/simd_avx512.h"

#include "backend/cpu/depthwise_quads_s8.h"
#include "ops/epilogue.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define UNIT 16
#define COLUMNS FERRY_DEPTHWISE_QUADS_COLUMNS

// Four by four groups of four bytes, turned: group k of lane i becomes group i of lane k.
static ALWAYS_INLINE __m512i turn(__m512i v)
{
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
}

// 64 elements of each line, or some, and what four lines of 16 make of them.
static ALWAYS_INLINE void lay_64(const int8_t *const x[4], __mmask64 some, char *to)
{
    __m512i v[4];
    UNROLL
    for (size_t k = 0; k < 4; k++)
        v[k] = turn(_mm512_xor_si512(_mm512_maskz_loadu_epi8(some, x[k]), _mm512_set1_epi8(-128)));
    const __m512i low_ab = _mm512_unpacklo_epi8(v[0], v[1]), high_ab = _mm512_unpackhi_epi8(v[0], v[1]);
    const __m512i low_cd = _mm512_unpacklo_epi8(v[2], v[3]), high_cd = _mm512_unpackhi_epi8(v[2], v[3]);
    _mm512_storeu_si512(to, _mm512_unpacklo_epi16(low_ab, low_cd));
    _mm512_storeu_si512(to + 64, _mm512_unpackhi_epi16(low_ab, low_cd));
    _mm512_storeu_si512(to + 128, _mm512_unpacklo_epi16(high_ab, high_cd));
    _mm512_storeu_si512(to + 192, _mm512_unpackhi_epi16(high_ab, high_cd));
}

void ferry_depthwise_quads_lay__avx512vnni(const int8_t *const lines[4], const size_t moves[4], size_t n, char *to);
void ferry_depthwise_quads_lay__avx512vnni(const int8_t *const lines[4], const size_t moves[4], size_t n, char *to)
{
    const int8_t *x[4] = {lines[0], lines[1], lines[2], lines[3]};
    const size_t by[4] = {moves[0] & 64, moves[1] & 64, moves[2] & 64, moves[3] & 64};
    for (; n >= 64; n -= 64, to += 256) {
        lay_64(x, ~(__mmask64)0, to);
        UNROLL
        for (size_t k = 0; k < 4; k++) x[k] += by[k];
    }
    if (n > 0) lay_64(x, ((__mmask64)1 << n) - 1, to);
}

typedef struct constants {
    __m512i start, low;
    __m512 mult, bias, high;
} constants;

// Rounding keeps order, so that the lower bounds, int8's and the activation's, may as well come after it.
static ALWAYS_INLINE void store(int8_t *y, size_t y_step, const __m512i acc[COLUMNS], const constants *c,
                                size_t columns, size_t channels)
{
    __m512i whole[COLUMNS];
    UNROLL
    for (size_t k = 0; k < COLUMNS; k++)
        whole[k] =
            _mm512_cvtps_epi32(_mm512_min_ps(_mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[k]), c->mult, c->bias), c->high));
    const __m512i a = _mm512_packs_epi32(whole[0], whole[1]), b = _mm512_packs_epi32(whole[2], whole[3]);
    const __m512i bytes = turn(_mm512_max_epi8(_mm512_packs_epi16(a, b), c->low));
    const __m128i column[COLUMNS] = {_mm512_castsi512_si128(bytes), _mm512_extracti32x4_epi32(bytes, 1),
                                     _mm512_extracti32x4_epi32(bytes, 2), _mm512_extracti32x4_epi32(bytes, 3)};
    if (columns >= COLUMNS && channels >= UNIT) {
        UNROLL
        for (size_t k = 0; k < COLUMNS; k++, y += y_step) _mm_storeu_si128((__m128i *)(void *)y, column[k]);
        return;
    }
    const __mmask16 some = channels >= UNIT ? 0xffff : (__mmask16)((1u << channels) - 1);
    UNROLL
    for (size_t k = 0; k < COLUMNS; k++, y += y_step)
        if (k < columns) _mm_mask_storeu_epi8(y, some, column[k]);
}

// Four columns' sums of as many products each, for `rows` output rows.
static ALWAYS_INLINE void add_quad(__m512i acc[][COLUMNS], const char *quad, size_t step, const __m512i *weights,
                                   const size_t rows)
{
    __m512i four[COLUMNS];
    UNROLL
    for (size_t k = 0; k < COLUMNS; k++) four[k] = _mm512_loadu_si512(quad + k * step);
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t k = 0; k < COLUMNS; k++) acc[r][k] = _mm512_dpbusd_epi32(acc[r][k], four[k], weights[r]);
    }
}

static ALWAYS_INLINE void load_weights(__m512i *weights, const char *w, const size_t n)
{
    UNROLL
    for (size_t i = 0; i < n; i++) weights[i] = _mm512_loadu_si512(w + i * (UNIT * 4));
}

// The sums of a unit of channels in four columns. Windows of three lines and columns have their weights in `three`.
static ALWAYS_INLINE void sum_columns(const ferry_depthwise_quads_tile *t, const char *x, const char *w,
                                      const __m512i *three, __m512i acc[][COLUMNS], const size_t rows)
{
    if (three) {
        UNROLL
        for (size_t tap = 0; tap < 3; tap++)
            add_quad(acc, x + tap * t->tap_bytes, t->step_bytes, three + tap * rows, rows);
        return;
    }
    for (size_t tap = t->taps; tap > 0; tap--, x += t->tap_bytes) {
        const char *quad = x;
        for (size_t q = t->quads; q > 0; q--, quad += t->quad_bytes, w += rows * (UNIT * 4)) {
            __m512i weights[FERRY_DEPTHWISE_QUADS_ROWS];
            load_weights(weights, w, rows);
            add_quad(acc, quad, t->step_bytes, weights, rows);
        }
    }
}

// A unit of channels in all columns.
static ALWAYS_INLINE void unit_of(const ferry_depthwise_quads_tile *t, size_t unit, const char *w, const constants *c,
                                  const bool three, const size_t rows)
{
    const size_t channels = t->channels - unit * UNIT, last = t->columns > COLUMNS ? t->columns - COLUMNS : 0;
    __m512i weights[3 * FERRY_DEPTHWISE_QUADS_ROWS];
    if (three) load_weights(weights, w, 3 * rows);
    for (size_t i = 0; i < t->columns; i += COLUMNS) {
        // The last ones are made once more rather than some that are not there.
        const size_t first = i < last ? i : last;
        __m512i acc[FERRY_DEPTHWISE_QUADS_ROWS][COLUMNS];
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            UNROLL
            for (size_t k = 0; k < COLUMNS; k++) acc[r][k] = c->start;
        }
        sum_columns(t, t->x + first * t->step_bytes + unit * (UNIT * 4), w, three ? weights : NULL, acc, rows);
        UNROLL
        for (size_t r = 0; r < rows; r++)
            if (r < t->rows)
                store(t->y[r] + first * t->y_step + unit * UNIT, t->y_step, acc[r], c, t->columns - first, channels);
    }
}

static ALWAYS_INLINE void tile_of(const ferry_depthwise_quads_tile *tile, const bool three, const size_t rows)
{
    const ferry_depthwise_quads_tile t = *tile; // stored bytes might be anything's, but not a copy's
    const size_t header = UNIT * (sizeof(int32_t) + 2 * sizeof(float));
    const size_t unit_bytes = header + t.taps * t.quads * rows * (UNIT * 4);
    const float low = t.finish->low, high = t.finish->high;
    constants c = {.high = _mm512_set1_ps(ferry_sat8(high)),
                   .low = _mm512_set1_epi8(ferry_sat8(low < high ? low : high))};
    for (size_t unit = 0; unit * UNIT < t.channels; unit++) {
        const char *w = t.w + unit * unit_bytes;
        c.start = _mm512_loadu_si512(w);
        c.mult = _mm512_loadu_ps(w + UNIT * sizeof(int32_t));
        c.bias = _mm512_loadu_ps(w + UNIT * (sizeof(int32_t) + sizeof(float)));
        unit_of(&t, unit, w + header, &c, three, rows);
    }
}

void ferry_depthwise_quads_1__avx512vnni(const ferry_depthwise_quads_tile *tile);
void ferry_depthwise_quads_1__avx512vnni(const ferry_depthwise_quads_tile *tile)
{
    if (tile->taps == 3 && tile->quads == 1)
        tile_of(tile, true, 1);
    else
        tile_of(tile, false, 1);
}

void ferry_depthwise_quads_2__avx512vnni(const ferry_depthwise_quads_tile *tile);
void ferry_depthwise_quads_2__avx512vnni(const ferry_depthwise_quads_tile *tile)
{
    if (tile->taps == 3 && tile->quads == 1)
        tile_of(tile, true, 2);
    else
        tile_of(tile, false, 2);
}

void ferry_depthwise_quads_4__avx512vnni(const ferry_depthwise_quads_tile *tile);
void ferry_depthwise_quads_4__avx512vnni(const ferry_depthwise_quads_tile *tile)
{
    tile_of(tile, false, 4);
}
