// SPDX-License-Identifier: Apache-2.0
// Looks at this machine as a place to run ferry: what each backend says, memory, pictures, and the board.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diagnosis.h"
#include "ferry/picture.h"
#include "runtime/internal.h"

// A file below FERRY_ROOT where that is set, or below /.
static FILE *open_file(const char *path)
{
    const char *root = getenv("FERRY_ROOT");
    char full[512];
    snprintf(full, sizeof full, "%s%s", root ? root : "", path);
    return fopen(full, "r");
}

// --- Memory ---------------------------------------------------------------------------------------------------------

static void add_memory(ferry_diagnosis *d)
{
    char line[256];
    double total = 0, available = 0;
    FILE *f = open_file("/proc/meminfo");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "MemTotal:", 9) == 0) total = strtod(line + 9, NULL);
        if (strncmp(line, "MemAvailable:", 13) == 0) available = strtod(line + 13, NULL);
    }
    if (f) fclose(f);
    if (total > 0)
        ferry_diagnosis_add(d, "memory", FERRY_FOUND_WORKS, NULL, "%.1f of %.1f GB free", available * 1024 / 1e9,
                            total * 1024 / 1e9);
}

// --- Pictures -------------------------------------------------------------------------------------------------------

// A picture there and back. A JPEG of one colour comes back nearly as it was.
static bool survives(bool png, ferry_error *err)
{
    ferry_picture picture, again;
    void *data = NULL;
    size_t bytes = 0;
    if (ferry_picture_init(&picture, NULL, 16, 16, 3, err) != FERRY_OK) return false;
    for (size_t y = 0; y < picture.height; y++) memset(picture.pixels + y * picture.stride_bytes, 100, (size_t)16 * 3);
    ferry_status s = png ? ferry_picture_encode_png(&picture, NULL, &data, &bytes, err)
                         : ferry_picture_encode_jpeg(&picture, 95, NULL, &data, &bytes, err);
    bool same = false;
    if (s == FERRY_OK) s = ferry_picture_decode(data, bytes, NULL, NULL, &again, err);
    if (s == FERRY_OK) {
        same = again.width == 16 && again.height == 16 && abs(again.pixels[0] - 100) <= (png ? 0 : 3);
        if (!same) (void)ferry_fail(err, FERRY_ERR_INTERNAL, "a picture comes back as another one");
        ferry_picture_deinit(&again);
    }
    ferry_picture_free_encoded(NULL, data, bytes);
    ferry_picture_deinit(&picture);
    return same;
}

static void add_pictures(ferry_diagnosis *d)
{
    for (int png = 0; png < 2; png++) {
        ferry_error err = {.text = ""};
        const char *part = png ? "PNG" : "JPEG";
        if (survives(png, &err))
            ferry_diagnosis_add(d, part, FERRY_FOUND_WORKS, NULL, "pictures are read and written");
        else
            ferry_diagnosis_add(d, part, FERRY_FOUND_BROKEN, "install ferry anew, with the library it was built with",
                                "%s", err.text);
    }
}

// --- Jetson ---------------------------------------------------------------------------------------------------------

// The name of the power mode in force, out of nvpmodel's files.
static void find_power_mode(char *out, size_t bytes)
{
    char line[256], name[64];
    int mode = -1, id = -1;
    out[0] = 0;
    FILE *f = open_file("/var/lib/nvpmodel/status");
    if (f && (!fgets(line, sizeof line, f) || sscanf(line, "pmode:%d", &mode) != 1)) mode = -1;
    if (f) fclose(f);
    if (mode < 0) return;
    snprintf(out, bytes, "power mode %d", mode);
    f = open_file("/etc/nvpmodel.conf");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, " < POWER_MODEL ID=%d NAME=%63s", &id, name) == 2 && id == mode)
            snprintf(out, bytes, "power mode %d (%s)", mode, name);
    if (f) fclose(f);
}

static void add_jetson(ferry_diagnosis *d)
{
    static const struct {
        int l4t, jetpack;
    } releases[] = {{32, 4}, {34, 5}, {35, 5}, {36, 6}, {38, 7}};
    char line[256], mode[128], jetpack[32] = "";
    int major = 0, minor = 0, patch = 0;
    FILE *f = open_file("/etc/nv_tegra_release");
    const bool read = f && fgets(line, sizeof line, f) &&
                      sscanf(line, "# R%d (release), REVISION: %d.%d", &major, &minor, &patch) >= 2;
    if (f) fclose(f);
    if (!read) return;
    for (size_t i = 0; i < FERRY_COUNT_OF(releases); i++)
        if (releases[i].l4t == major) snprintf(jetpack, sizeof jetpack, "JetPack %d, ", releases[i].jetpack);
    find_power_mode(mode, sizeof mode);
    ferry_diagnosis_add(d, "Jetson", FERRY_FOUND_WORKS, NULL, "%sL4T %d.%d.%d%s%s", jetpack, major, minor, patch,
                        mode[0] ? ", " : "", mode);
}

// --------------------------------------------------------------------------------------------------------------------

static void add_cpu(ferry_diagnosis *d, const ferry_backend *backend)
{
    ferry_error err = {.text = ""};
    ferry_device *device = NULL;
    ferry_device_info info;
    const char *held = getenv("FERRY_CPU");
    if (backend->open("", ferry_heap_default(), NULL, &device, &err) != FERRY_OK) {
        ferry_diagnosis_add(d, "CPU", FERRY_FOUND_BROKEN, held ? "unset FERRY_CPU" : NULL, "%s", err.text);
        return;
    }
    backend->describe(device, &info);
    ferry_diagnosis_add(d, "CPU", FERRY_FOUND_WORKS, NULL, "%s%s%s", info.name,
                        held && held[0] ? "; held to it by FERRY_CPU=" : "", held && held[0] ? held : "");
    backend->close(device);
}

ferry_status ferry_diagnose(char **out_text, ferry_error *error)
{
    ferry_diagnosis d;
    *out_text = NULL;
    ferry_diagnosis_init(&d);
    add_cpu(&d, ferry_backend_find("cpu"));
    add_memory(&d);
    for (const ferry_backend *const *b = ferry_backends(); *b; b++)
        if ((*b)->diagnose) (*b)->diagnose(&d);
    if (!ferry_backend_find("dla"))
        ferry_diagnosis_add(&d, "DLA", FERRY_FOUND_ABSENT, NULL, "this build of ferry has no DLA backend");
    add_pictures(&d);
    add_jetson(&d);
    json_t *json =
        json_pack("{s:s, s:b, s:O}", "ferry", ferry_version(), "works", (int)!d.broken, "findings", d.findings);
    char *text = json && !d.incomplete ? json_dumps(json, JSON_COMPACT) : NULL;
    *out_text = text ? ferry_heap_strdup(ferry_heap_default(), text) : NULL;
    json_decref(json);
    free(text);
    ferry_diagnosis_deinit(&d);
    return *out_text ? FERRY_OK : ferry_fail_memory(error, "a diagnosis");
}
