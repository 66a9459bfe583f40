# SPDX-License-Identifier: Apache-2.0
"""Models out of PyPI's packages with random weights, as (package, name, size of the picture, exporter).

REFUSED are those that do not go through, each with words of the reason; docs/PYTHON.md lists both."""
import torch

AUTO, TRACE = "auto", "trace"

# Packages for cpu_torch.py, which installs them without what they need: torch's wheel would want all of CUDA.
PACKAGES = {
    "torchvision": ["torchvision", "pillow"],
    "timm": ["timm", "torchvision", "pyyaml", "huggingface_hub", "safetensors", "tqdm", "packaging"],
    "ultralytics": ["ultralytics", "ultralytics-thop", "torchvision", "opencv-python-headless", "requests", "urllib3",
                    "idna", "certifi", "charset-normalizer", "psutil", "matplotlib", "cycler", "kiwisolver", "pyparsing",
                    "python-dateutil", "six", "contourpy", "fonttools", "polars"],
    "exporter": ["onnxscript", "onnx_ir", "onnx", "ml_dtypes", "protobuf"],
}

GOES = [
    ("torchvision", "resnet18", 96, AUTO), ("torchvision", "resnet18", 96, TRACE),
    ("torchvision", "alexnet", 224, AUTO), ("torchvision", "vgg11_bn", 224, AUTO),
    ("torchvision", "mobilenet_v2", 96, AUTO), ("torchvision", "mobilenet_v3_small", 96, AUTO),
    ("torchvision", "mnasnet0_5", 96, TRACE), ("torchvision", "efficientnet_b0", 96, TRACE),
    ("torchvision", "squeezenet1_1", 96, AUTO), ("torchvision", "shufflenet_v2_x0_5", 96, AUTO),
    ("torchvision", "densenet121", 96, TRACE), ("torchvision", "googlenet", 96, AUTO),
    ("torchvision", "inception_v3", 149, TRACE), ("torchvision", "regnet_y_400mf", 96, TRACE),
    ("torchvision", "convnext_tiny", 64, AUTO), ("torchvision", "vit_b_16", 224, TRACE),
    ("torchvision", "swin_t", 128, TRACE), ("torchvision", "swin_v2_t", 128, TRACE),
    ("torchvision.segmentation", "deeplabv3_mobilenet_v3_large", 96, AUTO),
    ("torchvision.segmentation", "lraspp_mobilenet_v3_large", 96, AUTO),
    ("torchvision.segmentation", "fcn_resnet50", 96, TRACE),
    ("timm", "mobilenetv3_small_050", 96, AUTO), ("timm", "mobilenetv4_conv_small", 96, AUTO),
    ("timm", "efficientnet_lite0", 96, TRACE), ("timm", "tf_efficientnetv2_b0", 96, TRACE),
    ("timm", "ghostnet_100", 96, TRACE), ("timm", "repvgg_a0", 96, TRACE), ("timm", "hrnet_w18_small", 96, TRACE),
    ("timm", "convnext_atto", 96, AUTO), ("timm", "vit_tiny_patch16_224", 224, AUTO),
    ("timm", "deit_tiny_patch16_224", 224, TRACE), ("timm", "mobilevit_xxs", 128, TRACE),
    ("timm", "edgenext_xx_small", 128, TRACE), ("timm", "fastvit_t8", 128, TRACE),
    ("timm", "levit_128s", 224, TRACE), ("timm", "efficientformer_l1", 224, TRACE),
    ("timm", "mixer_s32_224", 224, TRACE), ("timm", "poolformer_s12", 96, TRACE),
    ("timm", "eva02_tiny_patch14_224", 224, AUTO),
    ("ultralytics", "yolov5n.yaml", 96, TRACE), ("ultralytics", "yolov8n.yaml", 96, AUTO),
    ("ultralytics", "yolov8n.yaml", 96, TRACE), ("ultralytics", "yolov8n-seg.yaml", 96, TRACE),
    ("ultralytics", "yolov8n-pose.yaml", 96, TRACE), ("ultralytics", "yolov8n-cls.yaml", 96, TRACE),
    ("ultralytics", "yolov8n-obb.yaml", 96, TRACE), ("ultralytics", "yolov9t.yaml", 96, TRACE),
    ("ultralytics", "yolov10n.yaml", 96, TRACE), ("ultralytics", "yolo11n.yaml", 96, AUTO),
    ("ultralytics", "yolo12n.yaml", 96, TRACE), ("ultralytics", "yolo26n.yaml", 96, TRACE),
]

# (package, name, size, exporter, words of the reason)
REFUSED = [
    ("torchvision", "maxvit_t", 224, TRACE, "operator Einsum is not supported"),
    ("torchvision.detection", "ssdlite320_mobilenet_v3_large", 320, TRACE, "operator If is not supported"),
    ("torchvision.detection", "retinanet_resnet50_fpn", 320, TRACE, "operator If is not supported"),
    ("torchvision.detection", "fasterrcnn_mobilenet_v3_large_320_fpn", 320, TRACE,
     "operator RoiAlign is not supported"),
]


def make(package, name):
    """The model, with random weights, and running statistics that are no identity."""
    torch.manual_seed(0)
    model = _made(package, name)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    for parameter in model.parameters():
        if not parameter.detach().any():  # heads that start at zero would hide everything before them
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def _made(package, name):
    if package == "timm":
        import timm
        return timm.create_model(name, pretrained=False)
    if package == "ultralytics":
        from ultralytics import YOLO
        return YOLO(name, verbose=False).model.float()
    if package == "torchvision":
        import torchvision.models
        return getattr(torchvision.models, name)(weights=None)
    import importlib
    models = importlib.import_module("torchvision.models." + package.split(".")[1])
    return getattr(models, name)(weights=None, weights_backbone=None)


def example(package, size):
    """What the model takes: torchvision's detectors take a list of pictures."""
    torch.manual_seed(1)
    picture = torch.rand(1, 3, size, size)
    return ([picture[0]],) if package == "torchvision.detection" else picture
