// SPDX-License-Identifier: Apache-2.0
// What has no spelling in plain CUDA C++: half and bfloat16 conversions, asynchronous copies, matrix instructions. All
// inline PTX of ferry's kernels is here, so that a test may put another text in its place and run kernels on a CPU.
// Fragments lie as NVIDIA's PTX ISA, "Matrix multiply-accumulate operation using mma", draws them.
#pragma once

#define FERRY_INLINE static __device__ __forceinline__

// Dynamic shared memory as an array of `type`, aligned as tiles of warpgroups want it.
#define FERRY_DYNAMIC_SHARED(type, name)                                                                               \
    extern __shared__ __align__(1024) unsigned char ferry_dynamic_shared[];                                             \
    type *name = reinterpret_cast<type *>(ferry_dynamic_shared)

// --- Halves: bits in an unsigned short, pairs in an unsigned with the first one low ---------------------------------

FERRY_INLINE float f16_to_f32(unsigned short h)
{
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
}

FERRY_INLINE unsigned short f32_to_f16(float f)
{
    unsigned short h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
}

FERRY_INLINE float bf16_to_f32(unsigned short h)
{
    return __int_as_float((int)h << 16);
}

FERRY_INLINE unsigned short f32_to_bf16(float f)
{
#if __CUDA_ARCH__ >= 800
    unsigned short h;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
#else
    const unsigned u = (unsigned)__float_as_int(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (unsigned short)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
#endif
}

FERRY_INLINE unsigned pack_f16(float lo, float hi)
{
#if __CUDA_ARCH__ >= 800
    unsigned d;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(hi), "f"(lo));
    return d;
#else
    return (unsigned)f32_to_f16(lo) | (unsigned)f32_to_f16(hi) << 16;
#endif
}

FERRY_INLINE unsigned pack_bf16(float lo, float hi)
{
#if __CUDA_ARCH__ >= 800
    unsigned d;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(hi), "f"(lo));
    return d;
#else
    return (unsigned)f32_to_bf16(lo) | (unsigned)f32_to_bf16(hi) << 16;
#endif
}

FERRY_INLINE float f16_low(unsigned p) { return f16_to_f32((unsigned short)p); }
FERRY_INLINE float f16_high(unsigned p) { return f16_to_f32((unsigned short)(p >> 16)); }
FERRY_INLINE float bf16_low(unsigned p) { return __int_as_float((int)(p << 16)); }
FERRY_INLINE float bf16_high(unsigned p) { return __int_as_float((int)(p & 0xffff0000u)); }

#if __CUDA_ARCH__ >= 530
FERRY_INLINE unsigned fma_f16x2(unsigned a, unsigned b, unsigned c)
{
    unsigned d;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}
FERRY_INLINE unsigned add_f16x2(unsigned a, unsigned b)
{
    unsigned d;
    asm("add.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}
FERRY_INLINE unsigned mul_f16x2(unsigned a, unsigned b)
{
    unsigned d;
    asm("mul.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}
#endif
#if __CUDA_ARCH__ >= 800
FERRY_INLINE unsigned max_f16x2(unsigned a, unsigned b)
{
    unsigned d;
    asm("max.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}
// A NaN stays.
FERRY_INLINE unsigned max_nan_f16x2(unsigned a, unsigned b)
{
    unsigned d;
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}
FERRY_INLINE unsigned max_nan_bf16x2(unsigned a, unsigned b)
{
    unsigned d;
    asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}
FERRY_INLINE unsigned min_f16x2(unsigned a, unsigned b)
{
    unsigned d;
    asm("min.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}
#endif

// --- Copies to shared memory that do not pass through registers, where the chip has them ----------------------------

#if __CUDA_ARCH__ >= 800
#define FERRY_CP_ASYNC(name, bytes, cache)                                                                             \
    FERRY_INLINE void name(void *shared, const void *global, bool valid)                                               \
    {                                                                                                                  \
        const unsigned to = (unsigned)__cvta_generic_to_shared(shared);                                                \
        const int n = valid ? bytes : 0;                                                                               \
        asm volatile("cp.async." cache ".shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(bytes), "r"(n) \
                     : "memory");                                                                                      \
    }
FERRY_CP_ASYNC(cp_async_16, 16, "cg")
FERRY_CP_ASYNC(cp_async_8, 8, "ca")
FERRY_CP_ASYNC(cp_async_4, 4, "ca")
#undef FERRY_CP_ASYNC
FERRY_INLINE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> FERRY_INLINE void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
#else
FERRY_INLINE void cp_async_16(void *shared, const void *global, bool valid)
{
    *(uint4 *)shared = valid ? *(const uint4 *)global : make_uint4(0, 0, 0, 0);
}
FERRY_INLINE void cp_async_8(void *shared, const void *global, bool valid)
{
    *(uint2 *)shared = valid ? *(const uint2 *)global : make_uint2(0, 0);
}
FERRY_INLINE void cp_async_4(void *shared, const void *global, bool valid)
{
    *(unsigned *)shared = valid ? *(const unsigned *)global : 0u;
}
FERRY_INLINE void cp_async_commit() {}
template <int N> FERRY_INLINE void cp_async_wait() {}
#endif

FERRY_INLINE void prefetch_l2(const void *global)
{
    asm volatile("prefetch.global.L2 [%0];" ::"l"(global));
}

// --- Matrix instructions: d += a * b for 16 x 8 results of a warp ---------------------------------------------------

#if __CUDA_ARCH__ >= 750
#define FERRY_LDMATRIX4(name, modifier)                                                                                \
    FERRY_INLINE void name(unsigned(&r)[4], const void *row)                                                           \
    {                                                                                                                  \
        const unsigned at = (unsigned)__cvta_generic_to_shared(row);                                                   \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" modifier ".shared.b16 {%0, %1, %2, %3}, [%4];"                    \
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                                                  \
                     : "r"(at)                                                                                         \
                     : "memory");                                                                                      \
    }
FERRY_LDMATRIX4(ldmatrix_x4, "")
FERRY_LDMATRIX4(ldmatrix_x4_trans, ".trans")
#undef FERRY_LDMATRIX4
#define FERRY_LDMATRIX2(name, modifier)                                                                                \
    FERRY_INLINE void name(unsigned(&r)[2], const void *row)                                                           \
    {                                                                                                                  \
        const unsigned at = (unsigned)__cvta_generic_to_shared(row);                                                   \
        asm volatile("ldmatrix.sync.aligned.m8n8.x2" modifier ".shared.b16 {%0, %1}, [%2];"                            \
                     : "=r"(r[0]), "=r"(r[1])                                                                          \
                     : "r"(at)                                                                                         \
                     : "memory");                                                                                      \
    }
FERRY_LDMATRIX2(ldmatrix_x2, "")
FERRY_LDMATRIX2(ldmatrix_x2_trans, ".trans")
#undef FERRY_LDMATRIX2

FERRY_INLINE void mma_f16_k8(float (&d)[4], const unsigned (&a)[2], const unsigned (&b)[1])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}
#endif

#if __CUDA_ARCH__ >= 800
#define FERRY_MMA(name, sum, constraint, kind)                                                                         \
    FERRY_INLINE void name(sum(&d)[4], const unsigned(&a)[4], const unsigned(&b)[2])                                   \
    {                                                                                                                  \
        asm volatile("mma.sync.aligned." kind                                                                          \
                     " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                \
                     : constraint(d[0]), constraint(d[1]), constraint(d[2]), constraint(d[3])                          \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                              \
    }
FERRY_MMA(mma_f16, float, "+f", "m16n8k16.row.col.f32.f16.f16.f32")
FERRY_MMA(mma_bf16, float, "+f", "m16n8k16.row.col.f32.bf16.bf16.f32")
FERRY_MMA(mma_tf32, float, "+f", "m16n8k8.row.col.f32.tf32.tf32.f32")
FERRY_MMA(mma_s8, int, "+r", "m16n8k32.row.col.s32.s8.s8.s32")
#undef FERRY_MMA

FERRY_INLINE unsigned to_tf32(float f)
{
    unsigned u;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(f));
    return u;
}
#elif __CUDA_ARCH__ >= 750
FERRY_INLINE void mma_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    const unsigned a0[2] = {a[0], a[1]}, a1[2] = {a[2], a[3]}, b0[1] = {b[0]}, b1[1] = {b[1]};
    mma_f16_k8(d, a0, b0);
    mma_f16_k8(d, a1, b1);
}
#endif

#if __CUDA_ARCH__ >= 610 && __CUDA_ARCH__ != 620
FERRY_INLINE int dp4a(int a, int b, int c)
{
    int d;
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}
#else
FERRY_INLINE int dp4a(int a, int b, int c)
{
    for (int i = 0; i < 4; i++) c += (int)(signed char)(a >> (8 * i)) * (int)(signed char)(b >> (8 * i));
    return c;
}
#endif

// --- Clusters: blocks that run at the same time and read each other's shared memory ---------------------------------

#if __CUDA_ARCH__ >= 900
FERRY_INLINE void cluster_sync()
{
    asm volatile("barrier.cluster.arrive.release;\n\tbarrier.cluster.wait.acquire;" ::: "memory");
}

// What the block of that rank has at the place in its own shared memory.
FERRY_INLINE float4 cluster_load(const float *shared, unsigned rank)
{
    const unsigned own = (unsigned)__cvta_generic_to_shared(shared);
    unsigned at;
    float4 v;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(at) : "r"(own), "r"(rank));
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(at)
                 : "memory");
    return v;
}
#endif

// --- Approximations of one instruction ------------------------------------------------------------------------------

FERRY_INLINE float exp2_fast(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

FERRY_INLINE float fast_rcp(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

FERRY_INLINE float tanh_fast(float x)
{
#if __CUDA_ARCH__ >= 750
    float y;
    asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return 1.0f - 2.0f * fast_rcp(1.0f + exp2_fast(2.885390082f * x));
#endif
}

// --- A kernel and the one behind it may overlap where the chip can (sm_90) ------------------------------------------

// Nothing that another kernel makes may be read before grid_dependency_wait, and nothing be written, as it may still be
// read. Behind it, such memory is not to be read through a pointer to const that is __restrict__: those loads may be
// moved to either side of the wait, and come from a cache that does not see what was written since the kernel began.
// For the same reason constants that are to be read ahead of the wait are no such pointers either.

FERRY_INLINE void grid_dependency_wait()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

FERRY_INLINE void grid_dependency_launch()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
