// SPDX-License-Identifier: Apache-2.0
// Compiles what the CUDA backend offers for a kind of GPU, which need not be there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "backend/cuda/device.h"
#include "support/cubin.h"
#include "support/kernel_internal.h"

#define MOST_FRAME 16 // bytes of local memory: a few words lie there for calls, on older chips

// Compiled kernels: none may spill registers or ask for more shared memory than a block has for certain. `what` they
// are.
static void check_package(ferry_device *device, const void *packed, size_t packed_bytes,
                          const ferry_nvrtc *text_compiler, const char *what)
{
    ferry_error err = {.text = ""};
    ferry_cuda_package_view package;
    if (ferry_cuda_package_read(packed, packed_bytes, &package, &err) != FERRY_OK) fail_msg("%s: %s", what, err.text);
    for (int32_t i = 0; i < package.n_cubins; i++) {
        cubin_needs needs;
        const void *cubin = package.cubins[i];
        size_t cubin_bytes = package.cubin_bytes[i];
        void *made = NULL;
        if (text_compiler) {
            char arch[16];
            ferry_cuda_target_arch(&((ferry_cuda_device *)device)->target, arch);
            if (ferry_nvrtc_compile(text_compiler, cubin, NULL, 0, arch, device->heap, &made, &cubin_bytes, &err) !=
                FERRY_OK)
                fail_msg("%s: %s", what, err.text);
            cubin = made;
        }
        assert_true(cubin_read(cubin, cubin_bytes, &needs));
        ferry_heap_free(device->heap, made, cubin_bytes);
        if (needs.frame_bytes > MOST_FRAME || needs.shared_bytes > 48 * 1024)
            fail_msg("%s, cubin %d: %u bytes of local memory, %u of shared memory", what, i, needs.frame_bytes,
                     needs.shared_bytes);
    }
}

void kernel_compile_offer(kernel_state *s, ferry_device *device, const ferry_offer *o)
{
    ferry_error err = {.text = ""};
    void *packed = NULL;
    size_t packed_bytes = 0;
    char what[512];
    snprintf(what, sizeof what, "%s '%s': tactic %s, %s", s->test->op, s->test->inputs, o->tactic, s->isa);
    if (device->backend->pack(device, &s->region, o->tactic, &packed, &packed_bytes, &err) != FERRY_OK)
        fail_msg("%s: %s", what, err.text);
    check_package(device, packed, packed_bytes, s->text_compiler, what);
    ferry_heap_free(device->heap, packed, packed_bytes);
    s->ran++;
}

static int compile_for(const kernel_case *test, ferry_device *device, const char *target,
                       const ferry_nvrtc *text_compiler)
{
    kernel_state s = {.test = test, .seed = 1, .compile = true, .isa = target, .text_compiler = text_compiler};
    kernel_build(&s);
    kernel_run_device(&s, device);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
    return s.ran;
}

static void compile_preprocess(ferry_device *device, const ferry_nvrtc *text_compiler)
{
    ferry_error err = {.text = ""};
    void *packed = NULL;
    size_t packed_bytes = 0;
    if (device->backend->pack_preprocess(device, &packed, &packed_bytes, &err) != FERRY_OK) fail_msg("%s", err.text);
    check_package(device, packed, packed_bytes, text_compiler, "preprocessing");
    ferry_heap_free(device->heap, packed, packed_bytes);
}

bool kernel_cases_compile_cuda(const kernel_case *tests, int count, const char *target)
{
    ferry_device *device = NULL;
    const ferry_nvrtc *nvrtc = NULL;
    ferry_cuda_target found;
    ferry_error err = {.text = ""};
    assert_true(ferry_cuda_target_find(target, &found));
    const bool text = ferry_cuda_carries_text(&found); // which any compiler may try
    if (ferry_nvrtc_get(found.chip, text ? 0 : found.most_cuda, &nvrtc, &err) != FERRY_OK) {
        print_message("[  SKIPPED ] %s: %s\n", target, err.text);
        return false;
    }
    assert_int_equal(ferry_backend_cuda.open(target, ferry_heap_default(), NULL, &device, &err), FERRY_OK);
    int ran = 0;
    for (int i = 0; i < count; i++) ran += compile_for(&tests[i], device, target, text ? nvrtc : NULL);
    compile_preprocess(device, text ? nvrtc : NULL);
    ferry_backend_cuda.close(device);
    assert_true(ran > 0);
    print_message("%s: %d tactics compiled by NVRTC %d.%d\n", target, ran, ferry_nvrtc_version(nvrtc) / 1000,
                  ferry_nvrtc_version(nvrtc) % 1000 / 10);
    return true;
}
