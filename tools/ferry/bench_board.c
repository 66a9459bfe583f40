// SPDX-License-Identifier: Apache-2.0
// The same figures on a board without NVIDIA's management library, from the files of its kernel: Jetson's GPU is a
// devfreq device, its temperature a thermal zone, and the board's supply is watched by an INA3221.
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

// The first line of a file; false when it can't be read.
static bool read_line(const char *path, char *out, size_t bytes)
{
    FILE *f = fopen(path, "r");
    if (!f) return false;
    const bool read = fgets(out, (int)bytes, f) != NULL;
    fclose(f);
    if (read) out[strcspn(out, "\n")] = 0;
    return read;
}

static double read_number(const char *path)
{
    char line[64];
    return read_line(path, line, sizeof line) ? strtod(line, NULL) : 0;
}

// The file `beside` the first one that matches and whose line has the word in it; "" where there is none.
static void find(const char *pattern, const char *word, const char *beside, char *out, size_t bytes)
{
    const char *root = getenv("FERRY_ROOT");
    char full[512], line[64];
    glob_t found = {0};
    out[0] = 0;
    snprintf(full, sizeof full, "%s%s", root ? root : "", pattern);
    if (glob(full, GLOB_BRACE, NULL, &found) != 0) return;
    for (size_t i = 0; i < found.gl_pathc && !out[0]; i++) {
        if (word && (!read_line(found.gl_pathv[i], line, sizeof line) || !strcasestr(line, word))) continue;
        const char *slash = strrchr(found.gl_pathv[i], '/');
        snprintf(out, bytes, "%.*s/%s", (int)(slash - found.gl_pathv[i]), found.gl_pathv[i], beside);
    }
    globfree(&found);
}

// in3_label names what in3_input (mV) and curr3_input (mA) measure.
static unsigned read_milliwatts(void)
{
    char path[512], channel[512];
    for (int i = 1; i <= 3; i++) {
        char pattern[128];
        snprintf(pattern, sizeof pattern, "/sys/bus/i2c/drivers/ina3221*/*/hwmon/hwmon*/in%d_label", i);
        snprintf(path, sizeof path, "in%d_input", i);
        find(pattern, "VDD_IN", path, channel, sizeof channel);
        if (!channel[0]) continue;
        const double millivolts = read_number(channel);
        snprintf(path, sizeof path, "%.*scurr%d_input", (int)(strrchr(channel, '/') + 1 - channel), channel, i);
        return (unsigned)(millivolts * read_number(path) / 1e3);
    }
    return 0;
}

bool cli_bench_read_board(cli_bench_sensors *out)
{
    char path[512];
    *out = (cli_bench_sensors){0};
    find("/sys/class/devfreq/*{gpu,gv11b,gp10b,ga10b}/cur_freq", NULL, "cur_freq", path, sizeof path);
    if (path[0]) out->sm_mhz = (unsigned)(read_number(path) / 1e6);
    find("/sys/class/thermal/thermal_zone*/type", "gpu", "temp", path, sizeof path);
    if (path[0]) out->celsius = (unsigned)(read_number(path) / 1e3);
    out->milliwatts = read_milliwatts();
    return out->sm_mhz || out->celsius || out->milliwatts;
}
