// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/isa.h"

#include <stdio.h>
#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#if defined(__x86_64__)
static uint32_t detect(void)
{
    uint32_t isa = FERRY_ISA_NONE;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isa |= FERRY_ISA_AVX2;
    if ((isa & FERRY_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd")) {
        isa |= FERRY_ISA_AVX512;
        if (__builtin_cpu_supports("avx512vnni")) isa |= FERRY_ISA_AVX512VNNI;
        if (__builtin_cpu_supports("avx512bf16")) isa |= FERRY_ISA_AVX512BF16;
        if (__builtin_cpu_supports("avx512vbmi")) isa |= FERRY_ISA_AVX512VBMI;
    }
    return isa;
}
#elif defined(__aarch64__)
// From the kernel's ABI (asm/hwcap.h): older headers lack some of the names.
#define HWCAP_BIT_ASIMDHP (1ul << 10)
#define HWCAP_BIT_ASIMDDP (1ul << 20)
#define HWCAP2_BIT_I8MM (1ul << 13)
static uint32_t detect(void)
{
    uint32_t isa = FERRY_ISA_NEON;
    const unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
    if (caps & HWCAP_BIT_ASIMDHP) isa |= FERRY_ISA_NEONFP16;
    if (caps & HWCAP_BIT_ASIMDDP) isa |= FERRY_ISA_NEONDOT;
    if ((caps & HWCAP_BIT_ASIMDDP) && (caps2 & HWCAP2_BIT_I8MM)) isa |= FERRY_ISA_NEONI8MM;
    return isa;
}
#else
static uint32_t detect(void)
{
    return FERRY_ISA_NONE;
}
#endif

// What the compiler of this build could make kernels for (cmake/Isa.cmake).
static uint32_t built(void)
{
    uint32_t isa = FERRY_ISA_NONE;
#ifdef FERRY_HAVE_AVX2
    isa |= FERRY_ISA_AVX2;
#endif
#ifdef FERRY_HAVE_AVX512
    isa |= FERRY_ISA_AVX512;
#endif
#ifdef FERRY_HAVE_AVX512VNNI
    isa |= FERRY_ISA_AVX512VNNI;
#endif
#ifdef FERRY_HAVE_AVX512BF16
    isa |= FERRY_ISA_AVX512BF16;
#endif
#ifdef FERRY_HAVE_AVX512VBMI
    isa |= FERRY_ISA_AVX512VBMI;
#endif
#ifdef FERRY_HAVE_NEON
    isa |= FERRY_ISA_NEON;
#endif
#ifdef FERRY_HAVE_NEONFP16
    isa |= FERRY_ISA_NEONFP16;
#endif
#ifdef FERRY_HAVE_NEONDOT
    isa |= FERRY_ISA_NEONDOT;
#endif
#ifdef FERRY_HAVE_NEONI8MM
    isa |= FERRY_ISA_NEONI8MM;
#endif
    return isa;
}

uint32_t ferry_isa_detect(void)
{
    return detect() & built();
}

static const struct {
    uint32_t bit, with; // with: the bit and all that it implies
    const char *name;
} isas[] = {
    {FERRY_ISA_AVX2, FERRY_ISA_AVX2, "avx2"},
    {FERRY_ISA_AVX512, FERRY_ISA_AVX2 | FERRY_ISA_AVX512, "avx512"},
    {FERRY_ISA_AVX512VNNI, FERRY_ISA_AVX2 | FERRY_ISA_AVX512 | FERRY_ISA_AVX512VNNI, "avx512vnni"},
    {FERRY_ISA_AVX512BF16, FERRY_ISA_AVX2 | FERRY_ISA_AVX512 | FERRY_ISA_AVX512VNNI | FERRY_ISA_AVX512BF16,
     "avx512bf16"},
    {FERRY_ISA_AVX512VBMI, FERRY_ISA_AVX2 | FERRY_ISA_AVX512 | FERRY_ISA_AVX512VNNI | FERRY_ISA_AVX512VBMI,
     "avx512vbmi"},
    {FERRY_ISA_NEON, FERRY_ISA_NEON, "neon"},
    {FERRY_ISA_NEONFP16, FERRY_ISA_NEON | FERRY_ISA_NEONFP16, "neonfp16"},
    {FERRY_ISA_NEONDOT, FERRY_ISA_NEON | FERRY_ISA_NEONFP16 | FERRY_ISA_NEONDOT, "neondot"},
    {FERRY_ISA_NEONI8MM, FERRY_ISA_NEON | FERRY_ISA_NEONFP16 | FERRY_ISA_NEONDOT | FERRY_ISA_NEONI8MM, "neoni8mm"},
};

char *ferry_isa_text(uint32_t isa, char *out, size_t out_bytes)
{
    size_t used = 0;
    if (out_bytes) out[0] = 0;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (!(isa & isas[i].bit)) continue;
        const int n = snprintf(out + used, out_bytes - used, "%s%s", used ? "+" : "", isas[i].name);
        if (n < 0 || (size_t)n >= out_bytes - used) break;
        used += (size_t)n;
    }
    if (used == 0) snprintf(out, out_bytes, "none");
    return out;
}

uint32_t ferry_isa_parse(const char *text)
{
    if (strcmp(text, "none") == 0) return FERRY_ISA_NONE;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        if (strcmp(isas[i].name, text) == 0) return isas[i].with;
    return UINT32_MAX;
}

void ferry_cpu_name(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "CPU");
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f) return;
    char line[256];
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) != 0) continue;
        const char *colon = strchr(line, ':');
        if (!colon) break;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(out, out_bytes, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    fclose(f);
}
