// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/integer_text.h"

// "    <before><number>;\n"
static void line(ferry_cuda_source *s, const char *before, float number, const char *after)
{
    ferry_cuda_source_add(s, "    %s", before);
    ferry_cuda_source_float(s, number);
    ferry_cuda_source_add(s, "%s;\n", after);
}

// x = the bound where x is beyond it: comparisons are as in ops/epilogue.h, for NaN's sake.
static void bound(ferry_cuda_source *s, char comparison, float at)
{
    ferry_cuda_source_add(s, "    if (t %c ", comparison);
    ferry_cuda_source_float(s, at);
    ferry_cuda_source_add(s, ") t = ");
    ferry_cuda_source_float(s, at);
    ferry_cuda_source_add(s, ";\n");
}

void ferry_cuda_act_write(const ferry_epilogue *e, ferry_cuda_source *s)
{
    ferry_cuda_source_add(s, "FERRY_INLINE float ferry_act(float t)\n{\n");
    switch (e->act) {
    case FERRY_ACT_NONE:
        break;
    case FERRY_ACT_RELU:
        bound(s, '<', 0.0f);
        break;
    case FERRY_ACT_CLIP:
        bound(s, '<', e->alpha);
        bound(s, '>', e->beta);
        break;
    case FERRY_ACT_LEAKY_RELU:
        line(s, "if (t < 0.0f) t = __fmul_rn(t, ", e->alpha, ")");
        break;
    case FERRY_ACT_HARD_SIGMOID:
        ferry_cuda_source_add(s, "    t = fmaf(t, ");
        ferry_cuda_source_float(s, e->alpha);
        line(s, ", ", e->beta, ")");
        bound(s, '<', 0.0f);
        bound(s, '>', e->gamma);
        break;
    }
    ferry_cuda_source_add(s, "    return t;\n}\n");
}

void ferry_cuda_finish_write(const ferry_epilogue *e, ferry_cuda_source *s)
{
    ferry_cuda_act_write(e, s);
    ferry_cuda_source_add(s, "FERRY_INLINE float ferry_finish(float t, float r)\n{\n    return %s",
                          e->act_first ? "fmaf(r, " : "ferry_act(fmaf(r, ");
    ferry_cuda_source_float(s, e->r_mult);
    ferry_cuda_source_add(s, "%s;\n}\n", e->act_first ? ", ferry_act(t))" : ", t))");
}
