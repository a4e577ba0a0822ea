"""Writes the shapes of the tensors of every network at its full size, as PyTorch's own classes have them, to a file:

    network NAME HEIGHT WIDTH [option=value ...]
    TENSOR dimension dimension ... [= value value ...]
"""
import os
import sys

import torchvision

PARITY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "parity")
sys.path.insert(0, PARITY)
import reference_bev as bev  # noqa: E402
import reference_cross_modality as cross_modality  # noqa: E402
import reference_detectors as detectors  # noqa: E402
import reference_efficientnet as efficientnet  # noqa: E402
import reference_networks as networks  # noqa: E402
import reference_two_stage as two_stage  # noqa: E402

FEW = "pre_nms=100 post_nms=12 score_threshold=0.001"  # regions; some are found in with any weights


def torchvision_detector(name):
    return getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None, num_classes=91)


CASES = {
    "ft_net 256 128": lambda: networks.FtNet().state_dict(),
    "ft_net 256 128 stride=1": lambda: networks.FtNet(stride=1, ibn=True).state_dict(),
    "resnet 224 224": lambda: networks.resnet(50).state_dict(),
    "resnet 224 224 stride=2": lambda: networks.resnet(18).state_dict(),
    "mobilenet_v2 224 224": lambda: networks.mobilenet_v2().state_dict(),
    "mobilenet_v2_trunk 128 64": lambda: networks.flatten_names(networks.mobilenet_v2(classifier=False).state_dict()),
    "vgg 224 224": lambda: networks.vgg("vgg16_bn").state_dict(),
    "convnext 64 64": lambda: networks.convnext_tiny().state_dict(),
    "densenet 64 64": lambda: networks.densenet121().state_dict(),
    "efficientnet 64 64": lambda: efficientnet.EfficientNet().state_dict(),
    "vision_transformer 224 224": lambda: networks.vision_transformer(1, 224).state_dict(),
    "ssd300 300 300": lambda: detectors.Ssd300(21).state_dict(),
    "ssd300_vgg16 300 300": lambda: torchvision_detector("ssd300_vgg16").state_dict(),
    "ssdlite320_mobilenet_v3_large 320 320": lambda: torchvision_detector("ssdlite320_mobilenet_v3_large").state_dict(),
    "ssdlite_mobilenet_v2 300 300": lambda: detectors.SsdliteMobilenetV2(2).state_dict(),
    f"simple_faster_rcnn 128 160 {FEW} min_size=4": lambda: two_stage.SimpleFasterRcnn().state_dict(),
    f"fasterrcnn_resnet_fpn 96 128 {FEW}": lambda: torchvision_detector("fasterrcnn_resnet50_fpn").state_dict(),
    f"fasterrcnn_resnet_fpn 96 128 {FEW} norm_eps=1e-5": lambda: torchvision_detector("fasterrcnn_resnet50_fpn_v2").state_dict(),
    f"fasterrcnn_mobilenet_v3_large_fpn 96 128 {FEW}": lambda: torchvision_detector("fasterrcnn_mobilenet_v3_large_fpn").state_dict(),
    f"fasterrcnn_mobilenet_v3_large_320_fpn 96 128 {FEW}":
        lambda: torchvision_detector("fasterrcnn_mobilenet_v3_large_320_fpn").state_dict(),
    "agw 96 64": lambda: cross_modality.Agw().state_dict(),
    "ddag 96 64 modality=thermal": lambda: cross_modality.Ddag().state_dict(),
    "hetero_center_triplet 96 64": lambda: cross_modality.HeteroCenterTriplet().state_dict(),
    "lift_splat_shoot 128 352": lambda: bev.LiftSplatShoot().state_dict(),
    "dpan 96 64 modality=thermal": lambda: cross_modality.Dpan().state_dict(),
}

VALUES = ("dx", "bx", "nx", "frustum")  # which say how large a graph is

with open(sys.argv[1], "w") as out:
    for title, state in CASES.items():
        print("network", title, file=out)
        for name, tensor in state().items():
            values = ["=", *tensor.flatten().tolist()] if name in VALUES else []
            print(name, *tensor.shape, *values, file=out)
