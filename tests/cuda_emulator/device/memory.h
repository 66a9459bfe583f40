// SPDX-License-Identifier: Apache-2.0
// Loads and stores with hints, atomics, fences, and copies into shared memory. One thread runs at a time, so a plain
// access is atomic.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_MEMORY_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_MEMORY_H_

#define FERRY_LOAD(name)                                                                                               \
    template <typename T> static inline T name(const T *at)                                                            \
    {                                                                                                                  \
        return *at;                                                                                                    \
    }
#define FERRY_STORE(name)                                                                                              \
    template <typename T> static inline void name(T *at, T value)                                                      \
    {                                                                                                                  \
        *at = value;                                                                                                   \
    }
FERRY_LOAD(__ldg)
FERRY_LOAD(__ldca)
FERRY_LOAD(__ldcg)
FERRY_LOAD(__ldcs)
FERRY_LOAD(__ldcv)
FERRY_LOAD(__ldlu)
FERRY_STORE(__stcg)
FERRY_STORE(__stcs)
FERRY_STORE(__stwb)
FERRY_STORE(__stwt)
#undef FERRY_LOAD
#undef FERRY_STORE

#define FERRY_ATOMIC(name, type, expression)                                                                           \
    static inline type name(type *at, type value)                                                                      \
    {                                                                                                                  \
        const type old = *at;                                                                                          \
        *at = expression;                                                                                              \
        return old;                                                                                                    \
    }
#define FERRY_ATOMIC_INTEGERS(name, expression)                                                                        \
    FERRY_ATOMIC(name, int, expression)                                                                                \
    FERRY_ATOMIC(name, unsigned, expression)                                                                           \
    FERRY_ATOMIC(name, long long, expression)                                                                          \
    FERRY_ATOMIC(name, unsigned long long, expression)
FERRY_ATOMIC(atomicAdd, int, (int)((unsigned)old + (unsigned)value))
FERRY_ATOMIC(atomicAdd, unsigned, old + value)
FERRY_ATOMIC(atomicAdd, unsigned long long, old + value)
FERRY_ATOMIC(atomicAdd, float, old + value)
FERRY_ATOMIC(atomicAdd, double, old + value)
FERRY_ATOMIC(atomicSub, int, (int)((unsigned)old - (unsigned)value))
FERRY_ATOMIC(atomicSub, unsigned, old - value)
FERRY_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
FERRY_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
FERRY_ATOMIC(atomicExch, float, value)
FERRY_ATOMIC_INTEGERS(atomicExch, value)
FERRY_ATOMIC_INTEGERS(atomicMax, old > value ? old : value)
FERRY_ATOMIC_INTEGERS(atomicMin, old < value ? old : value)
FERRY_ATOMIC_INTEGERS(atomicAnd, old &value)
FERRY_ATOMIC_INTEGERS(atomicOr, old | value)
FERRY_ATOMIC_INTEGERS(atomicXor, old ^ value)
#undef FERRY_ATOMIC_INTEGERS
#undef FERRY_ATOMIC
template <typename T> static inline T atomicCAS(T *at, T compare, T value)
{
    const T old = *at;
    if (old == compare) *at = value;
    return old;
}

static inline void __threadfence()
{
    __asm__ volatile("" ::: "memory");
}
static inline void __threadfence_block()
{
    __asm__ volatile("" ::: "memory");
}
static inline void __threadfence_system()
{
    __asm__ volatile("" ::: "memory");
}

// Asynchronous where the chip can.
static inline void ferry_copy_async(void *shared, const void *global, unsigned bytes, bool valid)
{
    ferry_runtime->copy_async(shared, global, bytes, __CUDA_ARCH__ >= 800, valid);
}
static inline void cp_async_16(void *shared, const void *global, bool valid)
{
    ferry_copy_async(shared, global, 16, valid);
}
static inline void cp_async_8(void *shared, const void *global, bool valid)
{
    ferry_copy_async(shared, global, 8, valid);
}
static inline void cp_async_4(void *shared, const void *global, bool valid)
{
    ferry_copy_async(shared, global, 4, valid);
}
static inline void cp_async_commit()
{
    ferry_runtime->copy_commit();
}
template <int N> static inline void cp_async_wait()
{
    ferry_runtime->copy_wait(N);
}

static inline void prefetch_l2(const void *)
{
}
static inline void grid_dependency_wait()
{
    ferry_runtime->dependency_wait();
}
static inline void grid_dependency_launch()
{
}

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_MEMORY_H_
