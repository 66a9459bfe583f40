// SPDX-License-Identifier: Apache-2.0
// Barriers, and what the lanes of a warp exchange.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_WARP_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_WARP_H_

static inline void __syncthreads()
{
    ferry_runtime->barrier(0);
}
static inline int __syncthreads_count(int predicate)
{
    return (int)ferry_runtime->barrier(predicate != 0);
}
static inline int __syncthreads_or(int predicate)
{
    return ferry_runtime->barrier(predicate != 0) != 0;
}
static inline int __syncthreads_and(int predicate)
{
    return ferry_runtime->barrier(predicate == 0) == 0;
}
static inline void __syncwarp(unsigned lanes = EMULATED_ALL_LANES)
{
    ferry_runtime->collective(EMULATED_SYNC, lanes, nullptr, nullptr);
}

static inline unsigned ferry_lane()
{
    const emulated_uint3 t = threadIdx, size = blockDim;
    return (t.x + size.x * (t.y + size.y * t.z)) % EMULATED_WARP;
}

template <typename T> static inline T ferry_shuffle(unsigned lanes, T value, unsigned from)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    unsigned parts[2];
    __builtin_memcpy(parts, &value, sizeof value);
    for (unsigned i = 0; i < sizeof(T) / 4; i++) {
        const emulated_shuffle operands = {parts[i], from};
        ferry_runtime->collective(EMULATED_SHUFFLE, lanes, &operands, &parts[i]);
    }
    __builtin_memcpy(&value, parts, sizeof value);
    return value;
}

// Within parts of `width` lanes; who would read beyond its part keeps its own value.
template <typename T> static inline auto __shfl_sync(unsigned lanes, T value, int from, int width = 32)
{
    const unsigned lane = ferry_lane(), part = (unsigned)width - 1;
    return ferry_shuffle(lanes, +value, (lane & ~part) | ((unsigned)from & part));
}
template <typename T> static inline auto __shfl_up_sync(unsigned lanes, T value, unsigned delta, int width = 32)
{
    const unsigned lane = ferry_lane(), begin = lane & ~((unsigned)width - 1);
    return ferry_shuffle(lanes, +value, lane < begin + delta ? lane : lane - delta);
}
template <typename T> static inline auto __shfl_down_sync(unsigned lanes, T value, unsigned delta, int width = 32)
{
    const unsigned lane = ferry_lane(), end = (lane & ~((unsigned)width - 1)) + (unsigned)width;
    return ferry_shuffle(lanes, +value, lane + delta >= end ? lane : lane + delta);
}
template <typename T> static inline auto __shfl_xor_sync(unsigned lanes, T value, int mask, int width = 32)
{
    const unsigned lane = ferry_lane(), end = (lane & ~((unsigned)width - 1)) + (unsigned)width;
    const unsigned from = lane ^ (unsigned)mask;
    return ferry_shuffle(lanes, +value, from >= end ? lane : from);
}

static inline unsigned __ballot_sync(unsigned lanes, int predicate)
{
    const unsigned operand = predicate != 0;
    unsigned votes;
    ferry_runtime->collective(EMULATED_BALLOT, lanes, &operand, &votes);
    return votes;
}
static inline int __any_sync(unsigned lanes, int predicate)
{
    return __ballot_sync(lanes, predicate) != 0;
}
static inline int __all_sync(unsigned lanes, int predicate)
{
    return __ballot_sync(lanes, predicate) == lanes;
}

#if __CUDA_ARCH__ >= 800
#define FERRY_REDUCE(name, type, expression)                                                                           \
    static inline type name(unsigned lanes, type value)                                                                \
    {                                                                                                                  \
        bool any = false;                                                                                              \
        type sum = 0;                                                                                                  \
        for (unsigned lane = 0; lane < EMULATED_WARP; lane++) {                                                        \
            if (!(lanes >> lane & 1)) continue;                                                                        \
            const type other = ferry_shuffle(lanes, value, lane);                                                      \
            sum = any ? (type)(expression) : other;                                                                    \
            any = true;                                                                                                \
        }                                                                                                              \
        return sum;                                                                                                    \
    }
FERRY_REDUCE(__reduce_add_sync, int, (unsigned)sum + (unsigned)other)
FERRY_REDUCE(__reduce_add_sync, unsigned, sum + other)
FERRY_REDUCE(__reduce_max_sync, int, sum > other ? sum : other)
FERRY_REDUCE(__reduce_max_sync, unsigned, sum > other ? sum : other)
FERRY_REDUCE(__reduce_min_sync, int, sum < other ? sum : other)
FERRY_REDUCE(__reduce_min_sync, unsigned, sum < other ? sum : other)
FERRY_REDUCE(__reduce_or_sync, unsigned, sum | other)
FERRY_REDUCE(__reduce_and_sync, unsigned, sum &other)
#undef FERRY_REDUCE
#endif

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_WARP_H_
