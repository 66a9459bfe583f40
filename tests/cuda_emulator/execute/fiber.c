// SPDX-License-Identifier: Apache-2.0
#include "execute/fiber.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STACK_BYTES ((size_t)256 << 10)
#define GUARD_BYTES ((size_t)16 << 10) // at the low end, where a stack overflows into

#if defined(__x86_64__)
// Callee-saved registers of the System V ABI; the return address lies above them.
#define SAVED 6
__asm__(".text\n"
        ".globl emulated_fiber_switch\n"
        ".hidden emulated_fiber_switch\n"
        ".type emulated_fiber_switch, @function\n"
        "emulated_fiber_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n" // no `ret`: the processor would foretell that it goes where the last call came from
        "    jmp *%rcx\n"
        ".size emulated_fiber_switch, .-emulated_fiber_switch\n");

static emulated_fiber first_frame(uintptr_t top, void (*entry)(void))
{
    // A function begins with the stack 8 bytes off a multiple of 16, as a call leaves it.
    uintptr_t *const frame = (uintptr_t *)top - SAVED - 2;
    for (int i = 0; i < SAVED; i++) frame[i] = 0;
    frame[SAVED] = (uintptr_t)entry;
    frame[SAVED + 1] = 0;
    return frame;
}
#elif defined(__aarch64__)
// x19 to x30 and the low halves of v8 to v15, of the AAPCS64; x30 is where `ret` goes.
#define SAVED 20
#define LINK 11
__asm__(".text\n"
        ".globl emulated_fiber_switch\n"
        ".hidden emulated_fiber_switch\n"
        ".type emulated_fiber_switch, %function\n"
        "emulated_fiber_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size emulated_fiber_switch, .-emulated_fiber_switch\n");

static emulated_fiber first_frame(uintptr_t top, void (*entry)(void))
{
    uintptr_t *const frame = (uintptr_t *)top - SAVED;
    for (int i = 0; i < SAVED; i++) frame[i] = 0;
    frame[LINK] = (uintptr_t)entry;
    return frame;
}
#else
#error "the emulated device knows how to change stacks on x86-64 and 64-bit ARM"
#endif

static char *pool;

static void make_pool(void)
{
    pool = mmap(NULL, EMULATED_STACKS * STACK_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool == MAP_FAILED) {
        perror("emulated GPU: stacks");
        abort();
    }
    for (size_t i = 0; i < EMULATED_STACKS; i++) mprotect(pool + i * STACK_BYTES, GUARD_BYTES, PROT_NONE);
}

emulated_fiber emulated_fiber_begin(size_t index, void (*entry)(void))
{
    if (!pool) make_pool();
    // Stacks begin at different places of their pages: else all of them would fight for the same lines of the cache.
    const size_t shift = index % 128 * 128;
    return first_frame((uintptr_t)(pool + (index + 1) * STACK_BYTES - shift), entry);
}

long emulated_fiber_of(const void *address)
{
    const uintptr_t at = (uintptr_t)address, begin = (uintptr_t)pool;
    return pool && at >= begin && at < begin + EMULATED_STACKS * STACK_BYTES ? (long)((at - begin) / STACK_BYTES) : -1;
}
