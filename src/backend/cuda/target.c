// SPDX-License-Identifier: Apache-2.0
// Figures from NVIDIA's Jetson data sheets and the compute-capability tables of the CUDA C++ Programming Guide. The
// boards' clocks are those of their highest power mode; they only order tactics where nothing can be measured.
#include "backend/cuda/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ferry/base.h"

#define NO_CLUSTERS "-noclusters" // behind a chip's name
#define KIB 1024u
#define MIB (1024u * 1024u)

typedef struct board {
    const char *name;
    ferry_cuda_target target;
} board;

static const board boards[] = {
    {"nano", {53, 10, 1, 0.92, 25.6, 48 * KIB, 256 * KIB, true, false}},
    {"tx1", {53, 10, 2, 1.0, 25.6, 48 * KIB, 256 * KIB, true, false}},
    {"tx2", {62, 10, 2, 1.3, 59.7, 48 * KIB, 512 * KIB, true, false}},
    {"xavier-nx", {72, 11, 6, 1.1, 59.7, 96 * KIB, 512 * KIB, true, false}},
    {"xavier", {72, 11, 8, 1.38, 136.5, 96 * KIB, 512 * KIB, true, false}},
    {"orin-nano", {87, 12, 8, 1.02, 102, 163 * KIB, 2 * MIB, true, false}},
    {"orin-nx", {87, 12, 8, 1.17, 102.4, 163 * KIB, 4 * MIB, true, false}},
    {"orin-agx", {87, 12, 16, 1.3, 204.8, 163 * KIB, 4 * MIB, true, false}},
    {"thor", {110, 13, 20, 1.57, 273, 227 * KIB, 32 * MIB, true, false}},
};

// A middling card of each chip.
static const ferry_cuda_target chips[] = {
    {50, 0, 5, 1.1, 80, 48 * KIB, 2 * MIB, false, false},
    {52, 0, 16, 1.1, 224, 48 * KIB, 2 * MIB, false, false},
    {53, 0, 1, 0.92, 25.6, 48 * KIB, 256 * KIB, true, false},
    {60, 0, 56, 1.3, 732, 48 * KIB, 4 * MIB, false, false},
    {61, 0, 20, 1.7, 320, 48 * KIB, 2 * MIB, false, false},
    {62, 0, 2, 1.3, 59.7, 48 * KIB, 512 * KIB, true, false},
    {70, 0, 80, 1.5, 900, 96 * KIB, 6 * MIB, false, false},
    {72, 0, 8, 1.38, 136.5, 96 * KIB, 512 * KIB, true, false},
    {75, 0, 40, 1.6, 320, 64 * KIB, 4 * MIB, false, false},
    {80, 0, 108, 1.41, 1555, 163 * KIB, 40 * MIB, false, false},
    {86, 0, 46, 1.7, 448, 99 * KIB, 4 * MIB, false, false},
    {87, 0, 16, 1.3, 204.8, 163 * KIB, 4 * MIB, true, false},
    {89, 0, 60, 2.5, 504, 99 * KIB, 48 * MIB, false, false},
    {90, 0, 132, 1.98, 4800, 227 * KIB, 50 * MIB, false, false},
    {100, 0, 148, 1.9, 8000, 227 * KIB, 126 * MIB, false, false},
    {101, 0, 20, 1.57, 273, 227 * KIB, 32 * MIB, true, false},
    {103, 0, 148, 1.9, 8000, 227 * KIB, 126 * MIB, false, false},
    {110, 0, 20, 1.57, 273, 227 * KIB, 32 * MIB, true, false},
    {120, 0, 84, 2.4, 960, 99 * KIB, 64 * MIB, false, false},
    {121, 0, 48, 2.4, 273, 99 * KIB, 24 * MIB, true, false},
};

bool ferry_cuda_target_of_chip(int chip, ferry_cuda_target *out)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(chips); i++) {
        if (chips[i].chip != chip) continue;
        *out = chips[i];
        return true;
    }
    return false;
}

void ferry_cuda_target_name(const ferry_cuda_target *t, char out[32])
{
    snprintf(out, 32, "sm_%d%s", t->chip, t->chip >= 90 && t->lacks_clusters ? NO_CLUSTERS : "");
}

bool ferry_cuda_target_find(const char *name, ferry_cuda_target *out)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(boards); i++) {
        if (strcmp(boards[i].name, name) != 0) continue;
        *out = boards[i].target;
        return true;
    }
    if (strncmp(name, "sm_", 3) != 0) return false;
    char *end = NULL;
    const long chip = strtol(name + 3, &end, 10);
    const bool lacks_clusters = strcmp(end, NO_CLUSTERS) == 0;
    if (end == name + 3 || (*end != 0 && strcmp(end, "a") != 0 && !lacks_clusters)) return false;
    if (!ferry_cuda_target_of_chip((int)chip, out)) return false;
    out->lacks_clusters = lacks_clusters;
    return true;
}

const char *ferry_cuda_target_names(void)
{
    return "nano, tx1, tx2, xavier-nx, xavier, orin-nano, orin-nx, orin-agx, thor, or sm_53, sm_62, sm_72, sm_75, "
           "sm_80, sm_86, sm_87, sm_89, sm_90, sm_100, sm_110, sm_120";
}

void ferry_cuda_target_arch(const ferry_cuda_target *target, char out[16])
{
    snprintf(out, 16, "sm_%d%s", target->chip, target->chip == 90 ? "a" : "");
}

double ferry_cuda_peak_macs(const ferry_cuda_target *t, int dtype)
{
    // Multiply-adds of one multiprocessor in a clock.
    double each = t->chip == 60 || t->chip >= 70 ? 64 : 128;
    if (t->chip >= 86 && t->chip != 90 && t->chip != 100) each = 128;
    if (t->chip == 90 || t->chip >= 100) each = 128;
    const bool half = dtype == FERRY_F16 || dtype == FERRY_BF16;
    if (half && ferry_cuda_has_mma_f16(t))
        each = t->chip >= 90 ? 2048 : t->chip == 80 ? 1024 : 512;
    else if (half && ferry_cuda_has_f16(t))
        each *= 2;
    if (dtype == FERRY_S8 && ferry_cuda_has_mma_s8(t))
        each = t->chip >= 90 ? 4096 : t->chip == 80 ? 2048 : 1024;
    else if (dtype == FERRY_S8 && ferry_cuda_has_dp4a(t))
        each *= 4;
    return each * t->processors * t->clock_ghz * 1e9;
}
