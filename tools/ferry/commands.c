// SPDX-License-Identifier: Apache-2.0
// The table of subcommands, and what their help says.
#include "cli.h"

#define GROUPS(name, ...) static const cli_group *const name[] = {__VA_ARGS__, &cli_group_common, NULL}
GROUPS(build_groups, &cli_group_engine, &cli_group_device, &cli_group_build, &cli_group_calibrate, &cli_group_accuracy,
       &cli_group_shapes, &cli_group_pictures, &cli_group_results);
GROUPS(run_groups, &cli_group_run, &cli_group_device, &cli_group_load, &cli_group_pictures, &cli_group_results,
       &cli_group_build, &cli_group_shapes, &cli_group_calibrate);
GROUPS(bench_groups, &cli_group_measure, &cli_group_device, &cli_group_load, &cli_group_build, &cli_group_shapes,
       &cli_group_calibrate, &cli_group_pictures_build);
GROUPS(calibrate_groups, &cli_group_calibrate_run, &cli_group_calibrate, &cli_group_device, &cli_group_shapes,
       &cli_group_pictures);
GROUPS(inspect_groups, &cli_group_inspect, &cli_group_device, &cli_group_shapes);
GROUPS(compare_groups, &cli_group_compare, &cli_group_device, &cli_group_load, &cli_group_pictures);
GROUPS(eval_groups, &cli_group_eval, &cli_group_device, &cli_group_load, &cli_group_pictures, &cli_group_results,
       &cli_group_build, &cli_group_shapes, &cli_group_calibrate);
GROUPS(check_groups, &cli_group_device);
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
        .name = "calibrate",
        .arguments = "MODEL",
        .summary = "make a calibration cache from pictures",
        .description =
            "Runs MODEL in FP32 on the samples of --calib, chooses a scale for each of its float tensors and writes "
            "them as a TensorRT calibration cache, which 'ferry build --int8 --calib-cache' and TensorRT read.",
        .groups = calibrate_groups,
        .least_arguments = 1,
        .most_arguments = 1,
        .run = cli_calibrate,
        .examples = "  ferry calibrate mobilenet.onnx --calib pictures/ --preprocess imagenet -o mobilenet.cache\n",
    },
    {
        .name = "inspect",
        .arguments = "[FILE]",
        .summary = "show what is in an engine or a model",
        .description =
            "Of an engine: inputs and outputs, every layer with its precision, device, tactic, shapes and measured "
            "time, memory, and the texts that are stored. Of a model file: inputs, outputs and the layers as the model "
            "has them, before any rewrite.",
        .groups = inspect_groups,
        .least_arguments = 0,
        .most_arguments = 1,
        .run = cli_inspect,
        .examples = "  ferry inspect mobilenet.engine --html report.html\n",
    },
    {
        .name = "compare",
        .arguments = "ENGINE MODEL [PICTURE...]",
        .summary = "measure an engine against its model in FP32",
        .description =
            "Runs ENGINE, and MODEL in FP32 without any fusion, on the same inputs, and prints for each output the "
            "largest absolute difference, the cosine and the signal-to-quantisation-noise ratio (SQNR: 10 dB less is "
            "ten times the energy of the error), over all inputs together.\n\nWith --per-layer, every tensor that both "
            "have is compared, the worst first. 'own dB' is the SQNR that rounding and clipping to the tensor's scale "
            "alone would leave, 'lost' how many channels have lost more than half of their energy. Since errors are "
            "handed on, a second list says where they arise: the tensors whose SQNR is much lower than that of what "
            "they are made from. Keep the first of them in float with 'ferry build --layer-precision', and compare "
            "again.",
        .groups = compare_groups,
        .least_arguments = 2,
        .most_arguments = -1,
        .run = cli_compare,
        .examples = "  ferry compare yolox.engine yolox.onnx street.jpg --per-layer\n"
                    "  ferry compare model.engine model.onnx --input data=x.npy\n",
    },
    {
        .name = "eval",
        .arguments = "ENGINE|MODEL",
        .summary = "measure accuracy on labelled pictures",
        .description =
            "Classifiers with --labels-csv: top-1 and top-5. Detectors with --images and --coco: mean average "
            "precision "
            "at IoU 0.5, and over 0.5 to 0.95, as COCO defines it. Segmentation with --images and --masks: mean "
            "intersection over union and pixel accuracy. A model file is built in memory first.",
        .groups = eval_groups,
        .least_arguments = 1,
        .most_arguments = 1,
        .run = cli_eval,
        .examples =
            "  ferry eval mobilenet.engine --labels-csv imagenet/labels.csv\n"
            "  ferry eval yolox.engine --images val2017/ --coco instances_val2017.json --json\n"
            "  ferry eval m.engine --labels-csv l.csv --exclude-calib images/ --calib-count 64 --calib-seed 1\n",
    },
    {
        .name = "check",
        .arguments = "FILE",
        .summary = "say whether an engine file is sound and loads here",
        .description =
            "Reads an engine file whole, checks its structure and checksums, loads it, and says for which devices it "
            "was tuned. Exit status 1 when it does not load on this machine, with the reason.",
        .groups = check_groups,
        .least_arguments = 1,
        .most_arguments = 1,
        .run = cli_check,
    },
    {
        .name = "doctor",
        .arguments = "",
        .summary = "say what works on this machine, and what is missing",
        .description =
            "Looks at the processor, the GPU's driver, its compiler and libraries, the cache of compiled kernels, "
            "pictures and the board, then builds and runs a small network on each device. Each line begins with "
            "'works', "
            "'absent' (no fault: not everything need be there) or 'BROKEN', and says how to get what is missing.\n\n"
            "The exit status is 1 when something is broken.",
        .groups = devices_groups,
        .most_arguments = 0,
        .run = cli_doctor,
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
