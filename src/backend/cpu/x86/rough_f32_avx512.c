// SPDX-License-Identifier: Apache-2.0
// The loops of rough_f32.h for AVX-512, whose instructions split off an exponent and approximate a reciprocal.
#include "backend/cpu/rough_f32.h"
#include "backend/cpu/x86/simd_avx512.h"

// 2^t as 2^r * 2^floor(t), 2^r wrong by up to 2^-13.7 of itself.
static inline vf rough_exp2(vf t)
{
    const vf r = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vf p = vf_set1(0x1.3f96aap-4f);
    p = vf_fma(p, r, vf_set1(0x1.cefc48p-3f));
    p = vf_fma(p, r, vf_set1(0x1.64444cp-1f));
    p = vf_fma(p, r, vf_set1(0x1.fff632p-1f));
    return _mm512_scalef_ps(p, t);
}

// 1 / (1 + e^-x)
static inline vf vf_rough_sigmoid(vf x)
{
    const vf e = rough_exp2(vf_mul(x, vf_set1(-0x1.715476p+0f)));
    return _mm512_rcp14_ps(vf_add(vf_set1(1), e));
}

#define FUNCTION(name, formula)                                                                                        \
    void ferry_rough_##name##__avx512(const float *from, float *y, size_t n, const float *p);                          \
    void ferry_rough_##name##__avx512(const float *from, float *y, size_t n, const float *p)                           \
    {                                                                                                                  \
        const vf p0 = vf_set1(p[0]), scale = vf_set1(p[FERRY_UNARY_SCALE]), shift = vf_set1(p[FERRY_UNARY_SHIFT]);     \
        (void)p0;                                                                                                      \
        size_t i = 0;                                                                                                  \
        for (; i + VEC <= n; i += VEC) {                                                                               \
            const vf x = vf_load(from + i);                                                                            \
            vf_store(y + i, vf_fma(formula, scale, shift));                                                            \
        }                                                                                                              \
        if (i == n) return;                                                                                            \
        const vf x = vf_load_part(from + i, n - i);                                                                    \
        vf_store_part(y + i, vf_fma(formula, scale, shift), n - i);                                                    \
    }
FERRY_ROUGH_F32(FUNCTION)
