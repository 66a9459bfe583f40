// SPDX-License-Identifier: Apache-2.0
// The table of subcommands, and what their help says.
#include "cli.h"

static const cli_group *const build_groups[] = {&cli_group_engine,  &cli_group_device,    &cli_group_build,
                                                &cli_group_shapes,  &cli_group_calibrate, &cli_group_pictures,
                                                &cli_group_results, &cli_group_common,    NULL};
static const cli_group *const run_groups[] = {&cli_group_tensors,   &cli_group_device, &cli_group_pictures,
                                              &cli_group_results,   &cli_group_build,  &cli_group_shapes,
                                              &cli_group_calibrate, &cli_group_common, NULL};
static const cli_group *const bench_groups[] = {
    &cli_group_measure,   &cli_group_device,   &cli_group_build,  &cli_group_shapes,
    &cli_group_calibrate, &cli_group_pictures, &cli_group_common, NULL};
static const cli_group *const devices_groups[] = {&cli_group_common, NULL};

static const cli_command commands[] = {
    {
        .name = "build",
        .arguments = "MODEL",
        .summary = "make an engine from a model",
        .description =
            "Imports MODEL (.onnx), optimises it, chooses precisions (calibrating INT8 on pictures where asked), "
            "times tactics on the device and writes an engine file.\n\nThe engine also keeps how pictures are "
            "preprocessed, what its outputs mean, and the names of the classes, so that 'ferry run' needs "
            "nothing else.",
        .groups = build_groups,
        .least_arguments = 1,
        .most_arguments = 1,
        .run = cli_build,
        .examples = "  ferry build mobilenet.onnx -o mobilenet.engine --preprocess imagenet --labels names.txt\n"
                    "  ferry build mobilenet.onnx --int8 --calib pictures/ --preprocess imagenet\n"
                    "  ferry build yolo.onnx --shape images=1x3x640x640 --preprocess yolo --decoder yolov8\n",
    },
    {
        .name = "run",
        .arguments = "ENGINE|MODEL [PICTURE...]",
        .summary = "run an engine on pictures or raw tensors",
        .description =
            "Runs on each picture and prints the best classes, the boxes or the masks; --draw writes the pictures "
            "with them. With --input, runs on raw tensors; --output writes the raw outputs. A model file is "
            "built in memory first.",
        .groups = run_groups,
        .least_arguments = 1,
        .most_arguments = -1,
        .run = cli_run,
        .examples = "  ferry run mobilenet.engine cat.jpg\n  ferry run yolo.engine street.jpg --draw out/\n"
                    "  ferry run model.onnx --input data=x.npy --output out/\n",
    },
    {
        .name = "bench",
        .arguments = "ENGINE|MODEL",
        .summary = "measure an engine's speed",
        .description = "Runs inferences on random data and prints trtexec's performance summary.",
        .groups = bench_groups,
        .least_arguments = 1,
        .most_arguments = 1,
        .run = cli_bench,
        .examples = "  ferry bench mobilenet.engine --threads 1 --json\n",
    },
    {
        .name = "devices",
        .arguments = "",
        .summary = "list what this machine has",
        .description =
            "Lists the devices that engines can be built for and run on, and says of the others what is missing.",
        .groups = devices_groups,
        .most_arguments = 0,
        .run = cli_devices,
    },
};

const cli_command *cli_command_at(size_t index)
{
    return index < sizeof commands / sizeof *commands ? &commands[index] : NULL;
}
