// SPDX-License-Identifier: Apache-2.0
// ferry calibrate
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

// A cache has a line for its version, then one for each tensor.
static size_t count_tensors(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines ? lines - 1 : 0;
}

static int report(const cli_settings *settings, const char *path, const char *text, double seconds)
{
    const int header = (int)strcspn(text, "\n");
    const size_t tensors = count_tensors(text);
    printf("%s: %zu scales (%.*s), %.2f s\n", path, tensors, header, text, seconds);
    if (!settings->json) return CLI_OK;
    return cli_print_json(json_pack("{s:s, s:I, s:s%, s:f}", "cache", path, "tensors", (json_int_t)tensors, "header",
                                    text, (size_t)header, "seconds", seconds));
}

// The library writes the cache with its side file, unless the scales come from another cache that exists already.
static int calibrate(const cli_settings *settings, ferry_runtime *runtime, const ferry_network *network,
                     const char *path, char **out_text)
{
    ferry_error err = {.text = ""};
    ferry_calibration_options calibration = settings->calibration;
    cli_build_request *request = malloc(sizeof *request);
    if (!request) return cli_fail("out of memory");
    int status = cli_build_request_open(request, settings, runtime, network);
    if (!calibration.cache_path) {
        calibration.cache_path = path;
        calibration.recalibrate = true;
    }
    request->options.calibration = &calibration;
    if (status == CLI_OK) {
        const ferry_status s = ferry_calibrate(runtime, network, &request->options, out_text, &err);
        if (s != FERRY_OK) status = cli_fail_with(s, &err);
    }
    if (status == CLI_OK && settings->calibration.cache_path && settings->output &&
        ferry_file_write(path, *out_text, strlen(*out_text), &err) != FERRY_OK)
        status = cli_fail("%s", err.text);
    cli_build_request_close(request);
    free(request);
    return status;
}

int cli_calibrate(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    const double begun = cli_now_s();
    ferry_runtime *runtime = NULL;
    ferry_network *network = NULL;
    char *text = NULL;
    if (!settings->calibration.source && !settings->calibration.cache_path)
        return cli_usage("calibrate", "name the samples with --calib: a folder of pictures, a list or a .npy file");
    if (cli_is_engine(argv[0])) return cli_fail("%s is an engine; calibration takes the model", argv[0]);
    char *made = cli_sibling_name(argv[0], ".cache");
    const char *path = settings->output                   ? settings->output
                       : settings->calibration.cache_path ? settings->calibration.cache_path
                                                          : made;
    int status = path ? cli_check_output(path) : cli_fail("out of memory");
    if (status == CLI_OK) status = cli_runtime_open(settings, &runtime);
    if (status == CLI_OK) status = cli_network_open(settings, argv[0], &network);
    if (status == CLI_OK) status = calibrate(settings, runtime, network, path, &text);
    if (status == CLI_OK) status = report(settings, path, text, cli_now_s() - begun);
    if (text) ferry_bytes_free(text, strlen(text) + 1);
    ferry_network_release(network);
    ferry_runtime_release(runtime);
    free(made);
    return status;
}
