// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void begin_counting(void)
{
    if (pthread_atfork(NULL, NULL, count_fork) == 0) atomic_store(&generation, 1);
}

unsigned ferry_process_generation(void)
{
    pthread_once(&once, begin_counting);
    return atomic_load_explicit(&generation, memory_order_relaxed);
}

bool ferry_process_is_foreign(unsigned made_in)
{
    return made_in != atomic_load_explicit(&generation, memory_order_relaxed);
}
