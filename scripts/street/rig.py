"""The six cameras of a nuScenes car, as numbers: /shared/reference/bev.md has them as facts. Images of 1600 x 900 pixels."""
import numpy as np

WIDTH, HEIGHT = 1600, 900
# name: focal length, principal point, quaternion w x y z from camera to ego, translation
CAMERAS = {
    "CAM_FRONT_LEFT": (1272.598, (826.615, 479.752), (.675727, -.673627, .212140, -.211228), (1.5239, .4946, 1.5093)),
    "CAM_FRONT": (1266.417, (816.267, 491.507), (.499802, -.503032, .499780, -.497371), (1.7008, .0159, 1.5110)),
    "CAM_FRONT_RIGHT": (1260.847, (807.968, 495.334), (.206035, -.202694, .682451, -.671361), (1.5508, -.4934, 1.4957)),
    "CAM_BACK_LEFT": (1256.741, (792.113, 492.776), (.692419, -.703162, -.116483, .112033), (1.0357, .4848, 1.5910)),
    "CAM_BACK": (809.221, (829.220, 481.778), (.503787, -.497402, -.494185, .504550), (.0283, .0035, 1.5791)),
    "CAM_BACK_RIGHT": (1259.514, (807.253, 501.196), (.122810, -.132401, -.700431, .690496), (1.0149, -.4806, 1.5624)),
}


def rotation_of(quaternion):
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])


def intrinsics_of(name):
    focal, (center_x, center_y), _, _ = CAMERAS[name]
    return np.array([[focal, 0, center_x], [0, focal, center_y], [0, 0, 1]])


def camera_to_ego(name, yaw_error=0.0):
    """[4, 4]; yaw_error: degrees by which the camera is taken to be turned to the left of how it is mounted."""
    _, _, quaternion, translation = CAMERAS[name]
    c, s = np.cos(np.radians(yaw_error)), np.sin(np.radians(yaw_error))
    pose = np.eye(4)
    pose[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ rotation_of(quaternion)
    pose[:3, 3] = translation
    return pose
