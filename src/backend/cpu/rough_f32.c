// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/rough_f32.h"

#include "backend/cpu/isa.h"

#ifdef FERRY_HAVE_AVX512
#define FUNCTION(name, formula) void ferry_rough_##name##__avx512(const float *x, float *y, size_t n, const float *p);
FERRY_ROUGH_F32(FUNCTION)
#undef FUNCTION

static ferry_unary_f32_loop rough_avx512(ferry_unary_f32 function)
{
    switch (function) {
#define FUNCTION(name, formula)                                                                                        \
    case FERRY_UNARY_F32_##name:                                                                                       \
        return ferry_rough_##name##__avx512;
        FERRY_ROUGH_F32(FUNCTION)
#undef FUNCTION
    default:
        return NULL;
    }
}
#endif

ferry_unary_f32_loop ferry_unary_loop_for(uint32_t isa, ferry_unary_f32 function, ferry_dtype to)
{
    ferry_unary_f32_loop rough = NULL;
#ifdef FERRY_HAVE_AVX512
    if (to == FERRY_BF16 && (isa & FERRY_ISA_AVX512)) rough = rough_avx512(function);
#else
    (void)to;
#endif
    return rough ? rough : ferry_elementwise_f32_pick(isa)->unary[function];
}
