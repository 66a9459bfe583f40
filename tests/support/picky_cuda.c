// SPDX-License-Identifier: Apache-2.0
#include "support/picky_cuda.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static ferry_backend picky;

typedef struct picky_sink {
    const ferry_offer_sink *sink;
    const ferry_graph *graph;
} picky_sink;

static ferry_status take(void *user, const ferry_offer *offer, ferry_error *err)
{
    const picky_sink *s = user;
    for (int32_t i = 0; i < offer->n_nodes; i++)
        if (strncmp(s->graph->nodes[offer->nodes[i]].name, "host", 4) == 0) return FERRY_OK;
    return s->sink->take(s->sink->user, offer, err);
}

static ferry_status picky_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                                const ferry_offer_sink *sink, ferry_error *err)
{
    picky_sink s = {sink, view->graph};
    const ferry_offer_sink own = {take, &s};
    return ferry_backend_find("cuda")->offer(device, view, root, &own, err);
}

static ferry_status picky_open(const char *selector, const ferry_heap *heap, const ferry_logger *logger,
                               ferry_device **out, ferry_error *err)
{
    FERRY_TRY(ferry_backend_find("cuda")->open(selector, heap, logger, out, err));
    (*out)->backend = &picky;
    return FERRY_OK;
}

const ferry_backend *const *picky_cuda_and_cpu(void)
{
    static const ferry_backend *backends[3];
    picky = *ferry_backend_find("cuda");
    picky.open = picky_open;
    picky.offer = picky_offer;
    backends[0] = &picky;
    backends[1] = ferry_backend_find("cpu");
    return backends;
}

int picky_cuda_skip(void **state)
{
    (void)state;
    ferry_error why = {.text = "FERRY_LIBCUDA names none"};
    ferry_device *device = NULL;
    const ferry_backend *cuda = ferry_backend_find("cuda");
    if (getenv("FERRY_LIBCUDA") && cuda->open("", ferry_heap_default(), NULL, &device, &why) == FERRY_OK) {
        cuda->close(device);
        return 0;
    }
    print_message("[  SKIPPED ] cuda: no emulated device: %s\n", why.text);
    exit(77);
}

size_t picky_cuda_count(const char *name)
{
    void *const library = dlopen(getenv("FERRY_LIBCUDA"), RTLD_NOW | RTLD_NOLOAD);
    void *const symbol = library ? dlsym(library, name) : NULL;
    size_t (*function)(void) = NULL;
    memcpy(&function, &symbol, sizeof function);
    const size_t n = function ? function() : 0;
    if (library) dlclose(library);
    return n;
}
