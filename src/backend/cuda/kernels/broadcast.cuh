// SPDX-License-Identifier: Apache-2.0
// An elementwise operator of up to three tensors of any types and strides; the output is dense and walked in order.
// Set before: A_TYPE, B_TYPE, C_TYPE, Y_TYPE, OPERANDS, RANK (dimensions that are walked, at most 6), and
// COMPUTE(a, b, c), an expression of the operands as they lie.
#pragma once
#include "arithmetic.cuh"
#include "functions.cuh"
#include "types.cuh"

#define OPERAND(x, T) , const T *x, int x##0, int x##1, int x##2, int x##3, int x##4, int x##5
#if OPERANDS > 1
#define OPERAND_B(T) OPERAND(b, T)
#define STEP_B(n) from_b += at * b##n;
#define B b[from_b]
#else
#define OPERAND_B(T)
#define STEP_B(n)
#define B 0
#endif
#if OPERANDS > 2
#define OPERAND_C(T) OPERAND(c, T)
#define STEP_C(n) from_c += at * c##n;
#define C c[from_c]
#else
#define OPERAND_C(T)
#define STEP_C(n)
#define C 0
#endif

extern "C" __global__ void __launch_bounds__(256)
    ferry_broadcast(Y_TYPE *y, unsigned elements, unsigned d0, unsigned d1, unsigned d2, unsigned d3, unsigned d4,
                    unsigned d5 OPERAND(a, A_TYPE) OPERAND_B(B_TYPE) OPERAND_C(C_TYPE))
{
    grid_dependency_launch();
    grid_dependency_wait();
    for (unsigned i = blockIdx.x * 256u + threadIdx.x; i < elements; i += gridDim.x * 256u) {
        unsigned rest = i;
        int from_a = 0, from_b = 0, from_c = 0;
        (void)from_b;
        (void)from_c;
// The innermost dimension is 5; the outermost takes what is left.
#define WALK(n)                                                                                                        \
    if (RANK > 5 - n) {                                                                                                \
        const unsigned left = RANK > 6 - n ? rest / d##n : 0u;                                                         \
        const int at = (int)(rest - left * d##n);                                                                      \
        from_a += at * a##n;                                                                                           \
        STEP_B(n) STEP_C(n) rest = left;                                                                               \
    }
        WALK(5)
        WALK(4)
        WALK(3)
        WALK(2)
        WALK(1)
        WALK(0)
#undef WALK
        y[i] = COMPUTE(a[from_a], B, C);
    }
}
