// SPDX-License-Identifier: Apache-2.0
// The emulated driver and compiler keep the promises of the real ones: work comes later and in order, graphs keep what
// they were given, modules are checked, and failures come where they are asked for.
#include <dlfcn.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/cuda/nvrtc.h"
#include "support/cuda_case.h"

enum { NOT_READY = 600, INVALID_VALUE = 1, INVALID_IMAGE = 200, LAUNCH_FAILED = 719 };
enum { CAPTURE_UNSUPPORTED = 900, CAPTURE_UNMATCHED = 903, UPDATE_FAILURE = 910 };

static const char text[] =
    "#include \"primitives.cuh\"\n"
    "__constant__ int factor = 3;\n"
    "extern \"C\" __global__ void __launch_bounds__(64) add(int *x, int by) { atomicAdd(x, by); }\n"
    "extern \"C\" __global__ void multiply(int *x) { *x *= factor; }\n"
    "extern \"C\" __global__ void copy_one(const int *x, int *y, int wait)\n"
    "{\n"
    "    __shared__ int mine[32];\n"
    "    mine[threadIdx.x] = threadIdx.x == 0 ? 100 : 0;\n"
    "    if (wait) grid_dependency_wait();\n"
    "    __syncthreads();\n"
    "    if (threadIdx.x == 31) *y = *x + mine[0];\n"
    "}\n";

static cuda_case device;

/// A function that ferry itself doesn't use.
#define OTHER(name, arguments) ((ferry_cu_result(*) arguments)other(#name))

static void *other(const char *name)
{
    void *const library = dlopen(getenv("FERRY_LIBCUDA"), RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    void *const symbol = dlsym(library, name);
    dlclose(library);
    assert_non_null(symbol);
    return symbol;
}

// --- A stream that waits until it is let go --------------------------------------------------------------------------

static void wait_on(void *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void hold(ferry_cu_stream stream, sem_t *semaphore)
{
    sem_init(semaphore, 0, 0);
    const ferry_cu_result r =
        OTHER(cuLaunchHostFunc, (ferry_cu_stream, void (*)(void *), void *))(stream, wait_on, semaphore);
    cuda_case_check(&device, r, "a host function");
}

static void let_go(sem_t *semaphore)
{
    sem_post(semaphore);
}

static int *pinned(int value)
{
    void *memory = NULL;
    cuda_case_check(&device, device.driver->cuMemHostAlloc(&memory, sizeof(int), 0), "pinned memory");
    return memcpy(memory, &value, sizeof value);
}

static void free_pinned(int *memory)
{
    cuda_case_check(&device, device.driver->cuMemFreeHost(memory), "pinned memory's end");
}

// --- Streams ---------------------------------------------------------------------------------------------------------

static void work_comes_later_in_order(void **unused)
{
    (void)unused;
    sem_t held;
    int *const from = pinned(5), *const to = pinned(0);
    int by = 2;
    ferry_cu_pointer x = cuda_case_upload(&device, NULL, sizeof(int));
    hold(device.stream, &held);
    device.driver->cuMemcpyHtoDAsync_v2(x, from, sizeof(int), device.stream);
    cuda_case_launch(&device, "add", 1, 1, 0, (void *[]){&x, &by});
    cuda_case_launch(&device, "multiply", 1, 1, 0, (void *[]){&x});
    device.driver->cuMemcpyDtoHAsync_v2(to, x, sizeof(int), device.stream);
    *from = 7; // read when the stream comes to it
    by = 100;  // read at the launch
    assert_int_equal(OTHER(cuStreamQuery, (ferry_cu_stream))(device.stream), NOT_READY);
    assert_int_equal(*to, 0);
    let_go(&held);
    cuda_case_wait(&device);
    assert_int_equal(*to, (7 + 2) * 3);
    assert_int_equal(OTHER(cuStreamQuery, (ferry_cu_stream))(device.stream), 0);
    cuda_case_free(&device, x);
    free_pinned(from);
    free_pinned(to);
}

static void pageable_memory_is_read_at_once(void **unused)
{
    (void)unused;
    sem_t held;
    int value = 5, got = 0;
    ferry_cu_pointer x = cuda_case_upload(&device, NULL, sizeof value);
    hold(device.stream, &held);
    device.driver->cuMemcpyHtoDAsync_v2(x, &value, sizeof value, device.stream);
    value = 6;
    let_go(&held);
    device.driver->cuMemcpyDtoHAsync_v2(&got, x, sizeof got, device.stream);
    assert_int_equal(got, 5); // and written before the call returns
    cuda_case_free(&device, x);
}

static void streams_wait_for_events(void **unused)
{
    (void)unused;
    sem_t held;
    int by = 4, got;
    float ms = -1;
    ferry_cu_stream second = NULL;
    ferry_cu_event event = NULL, end = NULL;
    const int zero = 0;
    ferry_cu_pointer x = cuda_case_upload(&device, &zero, sizeof zero);
    cuda_case_check(&device, device.driver->cuStreamCreate(&second, FERRY_CU_STREAM_NON_BLOCKING), "a stream");
    cuda_case_check(&device, device.driver->cuEventCreate(&event, 0), "an event");
    cuda_case_check(&device, device.driver->cuEventCreate(&end, 0), "an event");
    hold(device.stream, &held);
    cuda_case_launch(&device, "add", 1, 1, 0, (void *[]){&x, &by});
    device.driver->cuEventRecord(event, device.stream);
    OTHER(cuStreamWaitEvent, (ferry_cu_stream, ferry_cu_event, unsigned))(second, event, 0);
    const ferry_cu_function multiply = cuda_case_function(&device, "multiply");
    device.driver->cuLaunchKernel(multiply, 1, 1, 1, 1, 1, 1, 0, second, (void *[]){&x}, NULL);
    device.driver->cuEventRecord(end, second);
    assert_int_equal(OTHER(cuEventQuery, (ferry_cu_event))(end), NOT_READY);
    assert_int_equal(device.driver->cuEventElapsedTime(&ms, event, end), NOT_READY);
    let_go(&held);
    cuda_case_check(&device, device.driver->cuEventSynchronize(end), "an event");
    cuda_case_check(&device, device.driver->cuEventElapsedTime(&ms, event, end), "a time");
    assert_true(ms >= 0);
    cuda_case_download(&device, &got, x, sizeof got);
    assert_int_equal(got, 12);
    device.driver->cuEventDestroy_v2(event);
    device.driver->cuEventDestroy_v2(end);
    device.driver->cuStreamDestroy_v2(second);
    cuda_case_free(&device, x);
}

static void copies_stay_inside(void **unused)
{
    (void)unused;
    char bytes[16] = {0};
    ferry_cu_pointer x = cuda_case_upload(&device, bytes, sizeof bytes);
    const ferry_cu_driver *const d = device.driver;
    assert_int_equal(d->cuMemcpyHtoDAsync_v2(x + 1, bytes, sizeof bytes, device.stream), INVALID_VALUE);
    assert_int_equal(d->cuMemcpyDtoHAsync_v2(bytes, x - 1, 4, device.stream), INVALID_VALUE);
    assert_int_equal(d->cuMemcpyDtoDAsync_v2(x, (ferry_cu_pointer)bytes, 4, device.stream), INVALID_VALUE);
    assert_int_equal(d->cuMemFree_v2(x + 4), INVALID_VALUE);
    cuda_case_free(&device, x);
}

// --- Graphs ----------------------------------------------------------------------------------------------------------

static ferry_cu_graph_node add_node(ferry_cu_graph graph, ferry_cu_graph_node after, const char *kernel,
                                    void **arguments)
{
    ferry_cu_graph_node node = NULL;
    const ferry_cu_kernel_node params = {
        .function = cuda_case_function(&device, kernel), .grid = {1, 1, 1}, .block = {1, 1, 1}, .arguments = arguments};
    cuda_case_check(&device, device.driver->cuGraphAddKernelNode(&node, graph, &after, after ? 1 : 0, &params), kernel);
    return node;
}

/// x = 1, then + 1 and * 3 in a graph, in that order if the second waits for the first.
static int run_graph(bool dependent)
{
    int one = 1, by = 1, got;
    ferry_cu_pointer x = cuda_case_upload(&device, &one, sizeof one);
    ferry_cu_graph graph = NULL;
    ferry_cu_graph_exec exec = NULL;
    cuda_case_check(&device, device.driver->cuGraphCreate(&graph, 0), "a graph");
    const ferry_cu_graph_node first = add_node(graph, NULL, "add", (void *[]){&x, &by});
    add_node(graph, dependent ? first : NULL, "multiply", (void *[]){&x});
    cuda_case_check(&device, device.driver->cuGraphInstantiateWithFlags(&exec, graph, 0), "a graph");
    cuda_case_check(&device, device.driver->cuGraphLaunch(exec, device.stream), "a graph");
    cuda_case_download(&device, &got, x, sizeof got);
    device.driver->cuGraphExecDestroy(exec);
    device.driver->cuGraphDestroy(graph);
    cuda_case_free(&device, x);
    return got;
}

static void graphs_follow_dependencies(void **unused)
{
    (void)unused;
    assert_int_equal(run_graph(true), 6);
    assert_int_equal(run_graph(false), 4); // a dependency that is missing shows
}

static void graphs_keep_what_they_were_launched_with(void **unused)
{
    (void)unused;
    sem_t held;
    int zero = 0, by = 1, got[2];
    ferry_cu_pointer x = cuda_case_upload(&device, &zero, sizeof zero),
                     y = cuda_case_upload(&device, &zero, sizeof zero);
    ferry_cu_graph graph = NULL;
    ferry_cu_graph_exec exec = NULL;
    cuda_case_check(&device, device.driver->cuGraphCreate(&graph, 0), "a graph");
    const ferry_cu_graph_node node = add_node(graph, NULL, "add", (void *[]){&x, &by});
    cuda_case_check(&device, device.driver->cuGraphInstantiateWithFlags(&exec, graph, 0), "a graph");
    hold(device.stream, &held);
    cuda_case_check(&device, device.driver->cuGraphLaunch(exec, device.stream), "a graph");
    by = 20;
    const ferry_cu_kernel_node changed = {.function = cuda_case_function(&device, "add"),
                                          .grid = {1, 1, 1},
                                          .block = {1, 1, 1},
                                          .arguments = (void *[]){&y, &by}};
    cuda_case_check(&device, device.driver->cuGraphExecKernelNodeSetParams(exec, node, &changed), "a graph's node");
    cuda_case_check(&device, device.driver->cuGraphLaunch(exec, device.stream), "a graph");
    let_go(&held);
    cuda_case_download(&device, &got[0], x, sizeof got[0]);
    cuda_case_download(&device, &got[1], y, sizeof got[1]);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 20);
    device.driver->cuGraphExecDestroy(exec);
    device.driver->cuGraphDestroy(graph);
    cuda_case_free(&device, x);
    cuda_case_free(&device, y);
}

/// x = 0, then + 1, and y = x + 100 by a kernel that may begin before: the results of two launches.
static void run_overlapped(int wait, int got[2])
{
    int zero = 0, by = 1;
    ferry_cu_pointer x = cuda_case_upload(&device, &zero, sizeof zero),
                     y = cuda_case_upload(&device, NULL, sizeof zero);
    ferry_cu_graph graph = NULL;
    ferry_cu_graph_exec exec = NULL;
    ferry_cu_graph_node second = NULL;
    cuda_case_check(&device, device.driver->cuGraphCreate(&graph, 0), "a graph");
    const ferry_cu_graph_node first = add_node(graph, NULL, "add", (void *[]){&x, &by});
    const ferry_cu_kernel_node params = {.function = cuda_case_function(&device, "copy_one"),
                                         .grid = {1, 1, 1},
                                         .block = {32, 1, 1},
                                         .arguments = (void *[]){&x, &y, &wait}};
    cuda_case_check(&device, device.driver->cuGraphAddKernelNode(&second, graph, NULL, 0, &params), "a graph");
    const ferry_cu_graph_edge edge = FERRY_CU_EDGE_PROGRAMMATIC;
    cuda_case_check(&device, device.driver->cuGraphAddDependencies_v2(graph, &first, &second, &edge, 1), "an edge");
    cuda_case_check(&device, device.driver->cuGraphInstantiateWithFlags(&exec, graph, 0), "a graph");
    for (int i = 0; i < 2; i++) {
        cuda_case_check(&device, device.driver->cuGraphLaunch(exec, device.stream), "a graph");
        cuda_case_download(&device, &got[i], y, sizeof got[i]);
    }
    device.driver->cuGraphExecDestroy(exec);
    device.driver->cuGraphDestroy(graph);
    cuda_case_free(&device, x);
    cuda_case_free(&device, y);
}

static void kernels_overlap_where_they_may(void **unused)
{
    (void)unused;
    int got[2];
    run_overlapped(1, got);
    assert_int_equal(got[0], 101);
    assert_int_equal(got[1], 102);
    run_overlapped(0, got); // a wait that is missing shows at the first launch, when this pair overlaps
    assert_int_equal(got[0], 100);
    assert_int_equal(got[1], 102);
}

/// Captures x + by, then x * 3; nothing of it runs.
static ferry_cu_graph capture(ferry_cu_pointer x, int by, bool both)
{
    ferry_cu_graph graph = NULL;
    cuda_case_check(&device, device.driver->cuStreamBeginCapture_v2(device.stream, FERRY_CU_CAPTURE_RELAXED),
                    "capture");
    cuda_case_launch(&device, "add", 1, 1, 0, (void *[]){&x, &by});
    if (both) cuda_case_launch(&device, "multiply", 1, 1, 0, (void *[]){&x});
    cuda_case_check(&device, device.driver->cuStreamEndCapture(device.stream, &graph), "capture");
    return graph;
}

static void captured_work_is_a_node_that_can_be_exchanged(void **unused)
{
    (void)unused;
    int one = 1, by = 1, got[2];
    ferry_cu_pointer x[2] = {cuda_case_upload(&device, &one, sizeof one), cuda_case_upload(&device, &one, sizeof one)};
    ferry_cu_graph graph = NULL, first = capture(x[0], 1, true), second = capture(x[1], 4, true),
                   other_topology = capture(x[1], 4, false);
    ferry_cu_graph_node node = NULL;
    ferry_cu_graph_exec exec = NULL;
    cuda_case_check(&device, device.driver->cuGraphCreate(&graph, 0), "a graph");
    cuda_case_check(&device, device.driver->cuGraphAddChildGraphNode(&node, graph, NULL, 0, first), "a graph in it");
    device.driver->cuGraphDestroy(first); // the node has a copy
    add_node(graph, node, "add", (void *[]){&x[0], &by});
    cuda_case_check(&device, device.driver->cuGraphInstantiateWithFlags(&exec, graph, 0), "a graph");
    cuda_case_check(&device, device.driver->cuGraphLaunch(exec, device.stream), "a graph");
    cuda_case_check(&device, device.driver->cuGraphExecChildGraphNodeSetParams(exec, node, second), "an exchange");
    assert_int_equal(device.driver->cuGraphExecChildGraphNodeSetParams(exec, node, other_topology), UPDATE_FAILURE);
    cuda_case_check(&device, device.driver->cuGraphLaunch(exec, device.stream), "a graph");
    for (int i = 0; i < 2; i++) cuda_case_download(&device, &got[i], x[i], sizeof got[i]);
    assert_int_equal(got[0], (1 + 1) * 3 + 1 + 1);
    assert_int_equal(got[1], (1 + 4) * 3);
    device.driver->cuGraphExecDestroy(exec);
    device.driver->cuGraphDestroy(graph);
    device.driver->cuGraphDestroy(second);
    device.driver->cuGraphDestroy(other_topology);
    for (int i = 0; i < 2; i++) cuda_case_free(&device, x[i]);
}

static void capturing_streams_take_no_copies(void **unused)
{
    (void)unused;
    int one = 1;
    ferry_cu_graph graph = NULL;
    ferry_cu_pointer x = cuda_case_upload(&device, &one, sizeof one);
    cuda_case_check(&device, device.driver->cuStreamBeginCapture_v2(device.stream, FERRY_CU_CAPTURE_RELAXED),
                    "capture");
    assert_int_equal(device.driver->cuMemcpyHtoDAsync_v2(x, &one, sizeof one, device.stream), CAPTURE_UNSUPPORTED);
    assert_int_equal(device.driver->cuStreamSynchronize(device.stream), CAPTURE_UNSUPPORTED);
    cuda_case_check(&device, device.driver->cuStreamEndCapture(device.stream, &graph), "capture");
    device.driver->cuGraphDestroy(graph);
    assert_int_equal(device.driver->cuStreamEndCapture(device.stream, &graph), CAPTURE_UNMATCHED);
    cuda_case_free(&device, x);
}

// --- Modules and launches --------------------------------------------------------------------------------------------

static void modules_have_variables_of_their_own(void **unused)
{
    (void)unused;
    size_t bytes;
    int one = 1, ten = 10, got;
    void *const cubin = cuda_case_compile(text, device.chip, &bytes);
    ferry_cu_module second = NULL;
    cuda_case_check(&device, device.driver->cuModuleLoadData(&second, cubin), "a module");
    ferry_cu_pointer factor = 0, x = cuda_case_upload(&device, &one, sizeof one);
    const ferry_cu_result r = OTHER(cuModuleGetGlobal_v2, (ferry_cu_pointer *, size_t *, ferry_cu_module,
                                                           const char *))(&factor, &bytes, second, "factor");
    cuda_case_check(&device, r, "a module's variable");
    assert_int_equal(bytes, sizeof(int));
    device.driver->cuMemcpyHtoDAsync_v2(factor, &ten, sizeof ten, device.stream);
    cuda_case_launch(&device, "multiply", 1, 1, 0, (void *[]){&x});
    ferry_cu_function multiply = NULL;
    cuda_case_check(&device, device.driver->cuModuleGetFunction(&multiply, second, "multiply"), "a function");
    device.driver->cuLaunchKernel(multiply, 1, 1, 1, 1, 1, 1, 0, device.stream, (void *[]){&x}, NULL);
    cuda_case_download(&device, &got, x, sizeof got);
    assert_int_equal(got, 30);
    cuda_case_check(&device, device.driver->cuModuleUnload(second), "a module's end");
    cuda_case_free(&device, x);
    free(cubin);
}

static void modules_suit_the_chip(void **unused)
{
    (void)unused;
    size_t bytes;
    ferry_cu_module module = NULL;
    void *const cubin = cuda_case_compile(text, 80, &bytes);
    assert_int_equal(device.driver->cuModuleLoadData(&module, cubin), FERRY_CU_NO_BINARY_FOR_GPU);
    memset(cubin, 'x', 64);
    assert_int_equal(device.driver->cuModuleLoadData(&module, cubin), INVALID_IMAGE);
    assert_null(module);
    free(cubin);
}

static void errors_of_a_program_are_told(void **unused)
{
    (void)unused;
    const ferry_nvrtc *nvrtc = NULL;
    ferry_error why;
    void *cubin = NULL;
    size_t bytes;
    assert_int_equal(ferry_nvrtc_get(0, 0, &nvrtc, &why), FERRY_OK);
    const ferry_status s = ferry_nvrtc_compile(nvrtc, "\nextern \"C\" __global__ void f(int *x) { *x = nothing; }\n",
                                               NULL, 0, "sm_90", ferry_heap_default(), &cubin, &bytes, &why);
    assert_int_equal(s, FERRY_ERR_INTERNAL);
    assert_non_null(strstr(why.text, "ferry.cu:2:"));
    assert_non_null(strstr(why.text, "nothing"));
}

static void launches_are_checked(void **unused)
{
    (void)unused;
    int by = 1;
    ferry_cu_pointer x = cuda_case_upload(&device, &by, sizeof by);
    void *const arguments[] = {&x, &by};
    const ferry_cu_function f = cuda_case_function(&device, "add");
    const ferry_cu_driver *const d = device.driver;
    const unsigned shared = 64 << 10;
    assert_int_equal(d->cuLaunchKernel(f, 0, 1, 1, 1, 1, 1, 0, device.stream, (void **)arguments, NULL), INVALID_VALUE);
    assert_int_equal(d->cuLaunchKernel(f, 1, 65536, 1, 1, 1, 1, 0, device.stream, (void **)arguments, NULL),
                     INVALID_VALUE);
    assert_int_equal(d->cuLaunchKernel(f, 1, 1, 1, 65, 1, 1, 0, device.stream, (void **)arguments, NULL),
                     INVALID_VALUE);
    assert_int_equal(d->cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, shared, device.stream, (void **)arguments, NULL),
                     INVALID_VALUE);
    cuda_case_check(&device, d->cuFuncSetAttribute(f, FERRY_CU_FUNC_MAX_DYNAMIC_SHARED, (int)shared),
                    "more shared memory");
    cuda_case_check(&device, d->cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, shared, device.stream, (void **)arguments, NULL),
                    "a launch");
    cuda_case_wait(&device);
    assert_int_equal(d->cuFuncSetAttribute(f, FERRY_CU_FUNC_MAX_DYNAMIC_SHARED, 1 << 20), INVALID_VALUE);
    cuda_case_free(&device, x);
}

// --- What ends a process or asks for another device, in a child ------------------------------------------------------

/// The child's exit code, or minus the signal that ended it.
static int in_child(void (*what)(void), const char *variable, const char *value)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (variable) setenv(variable, value, 1);
        signal(SIGSEGV, SIG_DFL); // not the test framework's
        what();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#define EXPECT(condition)                                                                                              \
    if (!(condition)) _exit(__LINE__ % 250 + 1)

static void look_into_device_memory(void)
{
    int value = 1;
    EXPECT(cuda_case_open(&device, text));
    const ferry_cu_pointer x = cuda_case_upload(&device, &value, sizeof value);
    _exit(*(volatile int *)x);
}

static void find_no_driver(void)
{
    const ferry_cu_driver *driver;
    ferry_error why;
    EXPECT(ferry_cu_driver_get(&driver, &why) == FERRY_ERR_UNAVAILABLE);
}

static void fail_second_allocation(void)
{
    ferry_cu_pointer x;
    EXPECT(cuda_case_open(&device, text));
    EXPECT(device.driver->cuMemAlloc_v2(&x, 4) == 0);
    EXPECT(device.driver->cuMemAlloc_v2(&x, 4) == FERRY_CU_OUT_OF_MEMORY);
    EXPECT(device.driver->cuMemAlloc_v2(&x, 4) == 0);
    EXPECT(device.driver->cuMemAlloc_v2(&x, (size_t)1 << 40) == FERRY_CU_OUT_OF_MEMORY);
}

static void fail_second_launch(void)
{
    int by = 1;
    EXPECT(cuda_case_open(&device, text));
    ferry_cu_pointer x = cuda_case_upload(&device, &by, sizeof by);
    cuda_case_launch(&device, "add", 1, 1, 0, (void *[]){&x, &by});
    EXPECT(device.driver->cuStreamSynchronize(device.stream) == 0);
    cuda_case_launch(&device, "add", 1, 1, 0, (void *[]){&x, &by});
    EXPECT(device.driver->cuStreamSynchronize(device.stream) == LAUNCH_FAILED);
    EXPECT(device.driver->cuMemAlloc_v2(&x, 4) == LAUNCH_FAILED);
}

static void be_an_orin(void)
{
    char name[64];
    EXPECT(cuda_case_open(&device, text));
    EXPECT(device.chip == 87);
    EXPECT(device.driver->cuDeviceGetName(name, sizeof name, 0) == 0 && strstr(name, "sm_87"));
}

static void asked_for_in_the_environment(void **unused)
{
    (void)unused;
    assert_int_equal(in_child(look_into_device_memory, NULL, NULL), -SIGSEGV);
    assert_int_equal(in_child(find_no_driver, "FERRY_EMULATED_FAIL", "nodevice"), 0);
    assert_int_equal(in_child(find_no_driver, "FERRY_EMULATED_FAIL", "olddriver"), 0);
    assert_int_equal(in_child(fail_second_allocation, "FERRY_EMULATED_FAIL", "alloc:2"), 0);
    assert_int_equal(in_child(fail_second_launch, "FERRY_EMULATED_FAIL", "launch:2"), 0);
    assert_int_equal(in_child(be_an_orin, "FERRY_EMULATED_SM", "87"), 0);
}

static void functions_are_found_by_name(void **unused)
{
    (void)unused;
    void *symbol = NULL;
    int status = -1;
    const ferry_cu_result r = OTHER(cuGetProcAddress_v2, (const char *, void **, int, uint64_t, int *))(
        "cuMemAlloc", &symbol, 12000, 0, &status);
    cuda_case_check(&device, r, "a function's address");
    assert_ptr_equal(symbol, other("cuMemAlloc_v2"));
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest children[] = {cmocka_unit_test(asked_for_in_the_environment)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_comes_later_in_order),
        cmocka_unit_test(pageable_memory_is_read_at_once),
        cmocka_unit_test(streams_wait_for_events),
        cmocka_unit_test(copies_stay_inside),
        cmocka_unit_test(graphs_follow_dependencies),
        cmocka_unit_test(graphs_keep_what_they_were_launched_with),
        cmocka_unit_test(kernels_overlap_where_they_may),
        cmocka_unit_test(modules_have_variables_of_their_own),
        cmocka_unit_test(modules_suit_the_chip),
        cmocka_unit_test(errors_of_a_program_are_told),
        cmocka_unit_test(captured_work_is_a_node_that_can_be_exchanged),
        cmocka_unit_test(capturing_streams_take_no_copies),
        cmocka_unit_test(launches_are_checked),
        cmocka_unit_test(functions_are_found_by_name),
    };
    if (!getenv("FERRY_LIBCUDA")) {
        puts("[  SKIPPED ] no emulated device: FERRY_LIBCUDA names none");
        return 77;
    }
    // Children open the device themselves: before this process has threads of it.
    int failed = cmocka_run_group_tests_name("in a child", children, NULL, NULL);
    if (!cuda_case_open(&device, text)) return 77;
    failed += cmocka_run_group_tests_name("driver", tests, NULL, NULL);
    cuda_case_close(&device);
    return failed;
}
