// SPDX-License-Identifier: Apache-2.0
// One node, or a product and what follows it, run by every tactic that the CPU offers for it, for every instruction set
// that this CPU has, and compared with the operator's reference kernel. Buffers end at a page that may not be touched
// and begin behind guard bytes. What a tactic says that it can do on slices it does once more on those, between guards.
#ifndef FERRY_TESTS_SUPPORT_KERNEL_CASE_H_
#define FERRY_TESTS_SUPPORT_KERNEL_CASE_H_

#include <stdbool.h>
#include <stdint.h>

typedef struct kernel_case {
    const char *domain, *op; // "" or "ferry"
    /// Inputs, separated by blanks: "f32:1x16x7x7" is bound, "=f32:32x16" a constant, "-" absent, "f32:8@10" has
    /// numbers from -10 to 10 (1 by default; s8 and u8 always have all of theirs), "=s64:3[1,-1,2]" has these elements,
    /// "f32:@2" is a scalar, and "*1" stands for input 1 once more.
    const char *inputs;
    const char *attrs; // "strides=2,2 act=relu alpha=0.1"; kinds are those of the operator's schema. NULL: none
    int outputs;       // 0: 1
    /// Nodes behind it, each reading the one before, which belong to the same region: separated by semicolons, an
    /// operator with its attributes and further inputs ("ferry:Silu", "Gelu approximate=tanh", "Conv =f32:8x8x1x1");
    /// and an input that is added to the result. NULL: none
    const char *then, *plus;
    /// Differences allowed: times the largest expected magnitude, and times the expected element. 0: none at all.
    double of_largest, of_each;
    const char *tactics; // fails unless a tactic whose name begins so was offered; NULL: any but the reference
    uint32_t permitted;  // of FERRY_OFFER_PERMITTED_ONLY: what may be offered besides
    const char *leave;   // tactics whose name begins so are left to cases of their own, since they round otherwise
    int may_lack;        // not a failure when nothing but the reference is offered
    const char *lacks;   // instruction sets for which that is so: "avx2 neon"; NULL: none
} kernel_case;

/// Returns how many tactics ran, over all instruction sets and thread counts. Fails the running test, printing the
/// case, tactic, instruction set and seed, when a result differs.
int kernel_case_run(const kernel_case *test, uint64_t seed);

/// Runs all cases of an array, a few times with different seeds.
void kernel_cases_run(const kernel_case *tests, int count);
#define KERNEL_CASES_RUN(array) kernel_cases_run((array), (int)(sizeof(array) / sizeof((array)[0])))

/// The same with the CUDA backend's tactics, on a GPU or on the emulated one that FERRY_LIBCUDA names; skips the
/// running test, saying why, where there is neither. FERRY_TEST_SHARE=N in the environment: every Nth tactic alone, for
/// runs under a tool that makes them slow.
void kernel_cases_run_cuda(const kernel_case *tests, int count);
#define KERNEL_CASES_RUN_CUDA(array) kernel_cases_run_cuda((array), (int)(sizeof(array) / sizeof((array)[0])))
bool kernel_case_has_cuda(void);

/// Compiles preprocessing and every tactic that the CUDA backend offers for the cases on that kind of GPU ("sm_87",
/// "orin-nano"), which need not be there; a kernel that spills registers fails the running test. False, with a line
/// that says why, where no compiler for it is.
bool kernel_cases_compile_cuda(const kernel_case *tests, int count, const char *target);

/// Whether the CUDA backend offers any tactic for the node alone, on that kind of GPU, which need not be there.
bool kernel_case_is_offered_cuda(const kernel_case *test, const char *target);

/// Prints, for every tactic and instruction set, the least processor time of a run with one thread, and how many times
/// faster that is than the plain C row; `work` multiply-adds give a rate (0: none).
void kernel_case_bench(const kernel_case *test, double work);

/// The same for the CUDA backend's tactics on a GPU: microseconds of a run among others in a graph, beside its price.
void kernel_case_bench_cuda(const kernel_case *test);

#endif // FERRY_TESTS_SUPPORT_KERNEL_CASE_H_
