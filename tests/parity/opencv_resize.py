"""cv2.resize(image, (width, height), interpolation=INTER_LINEAR) of 8-bit images, in OpenCV 4's fixed point."""
import numpy as np

WEIGHT_BITS = 11  # INTER_RESIZE_COEF_BITS


def axis(inputs, outputs):
    """Where each output lies: the source index before it, and how far behind that."""
    at = ((np.arange(outputs) + 0.5) * (inputs / outputs) - 0.5).astype(np.float32)
    first = np.floor(at).astype(int)
    return first, at - first.astype(np.float32)


def weights(fraction):
    return np.rint(np.stack((1 - fraction, fraction)) * np.float32(1 << WEIGHT_BITS)).astype(np.int64)


def resize(image, width, height):
    """image [h, w, 3], bytes; not for exact halving, which OpenCV serves with a mean of 2x2 pixels."""
    assert image.shape[:2] != (2 * height, 2 * width)
    if image.shape[:2] == (height, width):
        return image
    inputs_high, inputs_wide = image.shape[:2]
    pixels = image.astype(np.int64)
    # Beyond the left and right border the border pixel counts once; beyond top and bottom both rows are the border's.
    left, fraction = axis(inputs_wide, width)
    fraction = np.where((left < 0) | (left >= inputs_wide - 1), np.float32(0), fraction)
    a, b = weights(fraction)[:, :, None]
    left = left.clip(0, inputs_wide - 1)
    sums = pixels[:, left] * a + pixels[:, np.minimum(left + 1, inputs_wide - 1)] * b
    top, fraction = axis(inputs_high, height)
    c, d = weights(fraction)[:, :, None, None]
    rows = [sums[row.clip(0, inputs_high - 1)] >> 4 for row in (top, top + 1)]
    return (((c * rows[0] >> 16) + (d * rows[1] >> 16) + 2) >> 2).astype(np.uint8)
