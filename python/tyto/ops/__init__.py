"""Operators as functions of PyTorch's tensors, with gradients.

Each is a call of tyto's C libraries, the same bits in every call; on CUDA it starts kernels on PyTorch's current stream and waits
for nothing."""
from .attention import attention, position_attention
from .bev import BevIndex, bev_index, bev_pool
from .roi import roi_align, roi_pool
from .suppression import Detections, Kept, batched_nms, multiclass_nms, nms

__all__ = [
    "BevIndex",
    "Detections",
    "Kept",
    "attention",
    "batched_nms",
    "bev_index",
    "bev_pool",
    "multiclass_nms",
    "nms",
    "position_attention",
    "roi_align",
    "roi_pool",
]
