"""A street that is known everywhere: the colour of its ground at any place, the boxes that stand on it, and what a camera
sees of both. Axes of the ego, metres: x forward, y left, z up; the ground is z = 0."""
import numpy as np

PAINT_EDGE = 0.06  # metres over which one colour becomes another
ASPHALT, PAVEMENT, GRASS, WHITE, YELLOW, BLACK, BRICK = (
    np.array(c, np.float32) for c in ([72, 74, 80], [168, 160, 150], [84, 128, 66], [236, 236, 230], [232, 190, 40],
                                      [28, 28, 34], [170, 74, 52]))
SKY = np.array([176, 204, 232], np.float32)

# centre x, y; length, width, height; yaw in degrees; colour
BOXES = [
    (9.8, 4.9, 4.4, 1.8, 1.5, 4, (196, 40, 40)),
    (17.0, -1.8, 8.5, 2.5, 3.2, 0, (40, 92, 176)),
    (-9.0, 1.9, 4.2, 1.8, 1.5, 178, (224, 224, 228)),
    (1.0, -10.2, 4.5, 1.9, 1.6, 90, (236, 160, 32)),
    (-16.5, -5.0, 4.3, 1.8, 1.5, 2, (60, 140, 90)),
    (7.6, -8.2, 0.5, 0.5, 3.0, 0, (90, 60, 130)),
    (-8.9, 8.4, 0.5, 0.5, 3.0, 0, (90, 60, 130)),
    (-3.0, 15.5, 2.5, 2.5, 2.2, 30, (150, 110, 80)),
]


def stripe(at, low, high):
    """1 from low to high, 0 elsewhere, with the edge of paint."""
    return np.clip((np.minimum(at - low, high - at)) / PAINT_EDGE + 0.5, 0, 1)


def wave(at, period):
    """1 in the first half of each period, 0 in the second, with the edge of paint."""
    in_period = np.mod(at, period)
    half = period / 2
    return np.clip(np.minimum(in_period, half - in_period) / PAINT_EDGE + 0.5, 0, 1) + np.clip((in_period - period) / PAINT_EDGE + 0.5, 0, 1)


def paint(ground, colour, cover):
    ground += cover[..., None] * (colour - ground)


def ground_colour(x, y):
    """[..., 3] in 0..255."""
    ground = np.broadcast_to(GRASS, (*x.shape, 3)).astype(np.float32)
    paint(ground, PAVEMENT, np.maximum(stripe(y, -9.5, 9.5), stripe(x, 12.5, 22.5)))
    paint(ground, ASPHALT, np.maximum(stripe(y, -7, 7), stripe(x, 14.5, 20.5)))  # two roads that cross
    along = 1 - stripe(x, 13, 22)  # no lines on the crossing
    for side in (-6.8, 6.6):
        paint(ground, WHITE, stripe(y, side, side + 0.2) * along)
    paint(ground, YELLOW, np.maximum(stripe(y, -0.25, -0.1), stripe(y, 0.1, 0.25)) * along)
    for lane in (-3.5, 3.5):
        paint(ground, WHITE, stripe(y, lane - 0.1, lane + 0.1) * wave(x, 4) * along)
    for first in (9, -14):  # zebra crossings
        paint(ground, WHITE, stripe(x, first, first + 3) * stripe(y, -6.5, 6.5) * wave(y, 1))
    square = stripe(x, -8, 8) * stripe(y, 10, 18)
    a, b = wave(x, 4), wave(y, 4)
    paint(ground, WHITE, square)
    paint(ground, BLACK, square * (a * (1 - b) + b * (1 - a)))
    tiles = stripe(x, -16, 5) * stripe(y, -19, -10)
    paint(ground, PAVEMENT, tiles)
    paint(ground, BRICK, tiles * np.maximum(wave(x, 3), wave(y, 3)))
    from_middle = np.hypot(x + 14, y - 14)
    for radius, colour in ((5, PAVEMENT), (4, BLACK), (2.5, WHITE), (1, YELLOW)):
        paint(ground, colour, np.clip((radius - from_middle) / PAINT_EDGE + 0.5, 0, 1))
    return ground


class Camera:
    """What samples.jsonl says of a camera; matrices row by row. Whole numbers are the centres of pixels."""

    def __init__(self, name, intrinsics, camera_to_ego, width, height, scale=1.0):
        self.name, self.intrinsics, self.camera_to_ego = name, intrinsics, camera_to_ego
        # Each pixel of the smaller image is as many of the camera's: its centre lies between theirs.
        self.augmentation = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
        self.width, self.height = round(width * scale), round(height * scale)

    def projection(self):
        """[3, 4] from a place to (u w, v w, w)."""
        to_camera = np.linalg.inv(self.camera_to_ego)[:3]
        return self.augmentation @ self.intrinsics @ to_camera

    def rays(self, u, v):
        """[..., 3] from the camera through pixels, one metre along its axis."""
        back = self.camera_to_ego[:3, :3] @ np.linalg.inv(self.augmentation @ self.intrinsics)
        return np.stack([u, v, np.ones_like(u)], -1) @ back.T

    def place(self):
        return self.camera_to_ego[:3, 3]


def box_in_image(camera, box):
    """Rows and columns of the image beyond which the box does not show."""
    x, y, length, width, height, yaw, _ = box
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    corners = np.array([[x + c * a * length / 2 - s * b * width / 2, y + s * a * length / 2 + c * b * width / 2, h, 1]
                        for a in (-1, 1) for b in (-1, 1) for h in (0, height)])
    seen = corners @ camera.projection().T
    if (seen[:, 2] <= 0).all():
        return slice(0), slice(0)
    if (seen[:, 2] <= 0.1).any():
        return slice(None), slice(None)
    u, v = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    return (slice(max(0, int(v.min()) - 1), max(0, int(v.max()) + 3)), slice(max(0, int(u.min()) - 1), max(0, int(u.max()) + 3)))


def meet_box(origin, rays, box):
    """How far along its ray the box is met, infinite where it is not, and the colour there."""
    x, y, length, width, height, yaw, colour = box
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    from_centre = turn @ (origin - np.array([x, y, height / 2]))
    half = np.array([length / 2, width / 2, height / 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = rays @ turn.T
        enter = (-np.sign(direction) * half - from_centre) / direction
        leave = (np.sign(direction) * half - from_centre) / direction
    face = enter.argmax(-1)
    near = enter.max(-1)
    hit = (near < leave.min(-1)) & (near > 0)
    shade = np.array([0.8, 0.6, 1.0], np.float32)[face]
    return np.where(hit, near, np.inf), shade[..., None] * np.array(colour, np.float32)


def photograph(camera, samples):
    """What the camera sees, each pixel the mean of samples x samples rays: [height, width, 3] bytes; and where it sees
    nothing but ground: [height, width]."""
    rows, columns = np.mgrid[0:camera.height, 0:camera.width].astype(float)
    origin = camera.place()
    total = np.zeros((camera.height, camera.width, 3), np.float32)
    only_ground = np.ones((camera.height, camera.width), bool)
    places = [box_in_image(camera, box) for box in BOXES]
    for i in range(samples * samples):
        # A rotated grid: no two rays of a pixel in one row or column.
        a, b = divmod(i, samples)
        du, dv = ((a + (b + 0.5) / samples) / samples - 0.5, (b + (a + 0.5) / samples) / samples - 0.5)
        rays = camera.rays(columns + du, rows + dv)
        down = rays[..., 2] < -1e-6
        distance = np.where(down, -origin[2] / np.where(down, rays[..., 2], -1), np.inf)
        colour = np.broadcast_to(SKY, total.shape).copy()
        at = origin[:2] + distance[down][:, None] * rays[down][:, :2]
        colour[down] = ground_colour(at[:, 0], at[:, 1])
        is_ground = down.copy()
        for box, (r, k) in zip(BOXES, places):
            far, shade = meet_box(origin, rays[r, k], box)
            nearer = far < distance[r, k]
            colour[r, k][nearer] = shade[nearer]
            distance[r, k] = np.where(nearer, far, distance[r, k])
            is_ground[r, k] &= ~nearer
        total += colour
        only_ground &= is_ground
    return np.rint(total / samples**2).astype(np.uint8), only_ground


def looked_up(camera, only_ground, x, y):
    """Where the four pixels around a place of the ground are in the image, and where they also show nothing but ground."""
    seen = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], -1) @ camera.projection().T
    before = seen[..., 2] > 0
    w = np.where(before, seen[..., 2], 1)
    u, v = seen[..., 0] / w, seen[..., 1] / w
    inside = before & (u >= 0) & (v >= 0) & (u <= camera.width - 1) & (v <= camera.height - 1)
    clear = inside.copy()
    left, top = np.floor(u[inside]).astype(int), np.floor(v[inside]).astype(int)
    right, bottom = np.minimum(left + 1, camera.width - 1), np.minimum(top + 1, camera.height - 1)
    clear[inside] = only_ground[top, left] & only_ground[top, right] & only_ground[bottom, left] & only_ground[bottom, right]
    return inside, clear
