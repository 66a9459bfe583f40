// SPDX-License-Identifier: Apache-2.0
// What sm_90a alone has: four warps, a warpgroup, multiply tiles that lie in shared memory, while they do other things.
// Inline PTX like primitives.cuh's, and a test puts another text in its place too. Registers lie as the PTX ISA,
// "Asynchronous warpgroup level matrix multiply-accumulate instructions", draws them: as those of mma, by 16 rows a warp.
#pragma once
#include "primitives.cuh"

// A matrix of rows of 128 bytes that begins at a multiple of 1024 bytes, the chunks of row r at (chunk ^ r & 7). Two
// more is 32 bytes further along the rows.
FERRY_INLINE unsigned long long shared_rows(const void *first)
{
    const unsigned at = (unsigned)__cvta_generic_to_shared(first);
    return (unsigned long long)((at & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

// A matrix of chunks of 16 bytes: those of neighbouring rows follow one another, the next one of a row lies `along` bytes
// further, so that rows may overlap. One more is 16 bytes further.
FERRY_INLINE unsigned long long shared_cores(const void *first, unsigned along)
{
    const unsigned at = (unsigned)__cvta_generic_to_shared(first);
    return (unsigned long long)((at & 0x3ffff) >> 4 | (along >> 4) << 16) | 8ull << 32;
}

// Before the first product that uses registers which were written otherwise.
FERRY_INLINE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
FERRY_INLINE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> FERRY_INLINE void wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
// After a wait: nothing reads the sums earlier than here.
template <int N> FERRY_INLINE void wgmma_read(float (&d)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i])::"memory");
}
template <int N> FERRY_INLINE void wgmma_read(int (&d)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+r"(d[i])::"memory");
}

// Between a thread's own stores to shared memory and the barrier behind which products read them.
FERRY_INLINE void shared_stores_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// d += left * right for 64 rows of left and as many of right as there are columns, over 32 bytes of both.
#define FERRY_FOUR(c, i) c(d[i]), c(d[i + 1]), c(d[i + 2]), c(d[i + 3])
#define FERRY_16(c, i) FERRY_FOUR(c, i), FERRY_FOUR(c, i + 4), FERRY_FOUR(c, i + 8), FERRY_FOUR(c, i + 12)
#define FERRY_32(c, i) FERRY_16(c, i), FERRY_16(c, i + 16)
#define FERRY_64(c, i) FERRY_32(c, i), FERRY_32(c, i + 32)
#define FERRY_128(c, i) FERRY_64(c, i), FERRY_64(c, i + 64)
#define FERRY_NAMES_16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define FERRY_NAMES_32                                                                                                 \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,"   \
    "%30,%31"
#define FERRY_NAMES_64                                                                                                 \
    FERRY_NAMES_32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55," \
                   "%56,%57,%58,%59,%60,%61,%62,%63"
#define FERRY_NAMES_128                                                                                                \
    FERRY_NAMES_64 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85,%86,%87," \
                   "%88,%89,%90,%91,%92,%93,%94,%95,%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,"     \
                   "%109,%110,%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define FERRY_WGMMA(name, sum, c, kind, scales, count, matrices)                                                       \
    FERRY_INLINE void name(sum(&d)[count], unsigned long long left, unsigned long long right)                          \
    {                                                                                                                  \
        asm volatile("{\n\t.reg .pred all;\n\tsetp.ne.b32 all, 1, 0;\n\twgmma.mma_async.sync.aligned." kind            \
                     " {" FERRY_NAMES_##count "}, " matrices ", all" scales ";\n\t}"                                   \
                     : FERRY_##count(c, 0)                                                                             \
                     : "l"(left), "l"(right));                                                                         \
    }
#define FERRY_WGMMAS(name, sum, c, k, types, scales)                                                                   \
    FERRY_WGMMA(name, sum, c, "m64n32" k types, scales, 16, "%16, %17")                                                \
    FERRY_WGMMA(name, sum, c, "m64n64" k types, scales, 32, "%32, %33")                                                \
    FERRY_WGMMA(name, sum, c, "m64n128" k types, scales, 64, "%64, %65")                                               \
    FERRY_WGMMA(name, sum, c, "m64n256" k types, scales, 128, "%128, %129")
FERRY_WGMMAS(wgmma_f16, float, "+f", "k16", ".f32.f16.f16", ", 1, 1, 0, 0")
FERRY_WGMMAS(wgmma_bf16, float, "+f", "k16", ".f32.bf16.bf16", ", 1, 1, 0, 0")
FERRY_WGMMAS(wgmma_s8, int, "+r", "k32", ".s32.s8.s8", "")
