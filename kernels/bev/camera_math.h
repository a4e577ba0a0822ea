// Matrices of cameras, row-major: what maps pixels to points and points to pixels.
#pragma once

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// By the adjugate: without a pivot, the same steps everywhere. Not finite where there is no inverse.
template <class C>
TYTO_HOST_DEVICE inline void invert3(const C (&m)[9], C (&out)[9]) {
  const C c0 = m[4] * m[8] - m[5] * m[7], c1 = m[5] * m[6] - m[3] * m[8], c2 = m[3] * m[7] - m[4] * m[6];
  const C inverse = C(1) / (m[0] * c0 + m[1] * c1 + m[2] * c2);
  out[0] = c0 * inverse;
  out[1] = (m[2] * m[7] - m[1] * m[8]) * inverse;
  out[2] = (m[1] * m[5] - m[2] * m[4]) * inverse;
  out[3] = c1 * inverse;
  out[4] = (m[0] * m[8] - m[2] * m[6]) * inverse;
  out[5] = (m[2] * m[3] - m[0] * m[5]) * inverse;
  out[6] = c2 * inverse;
  out[7] = (m[1] * m[6] - m[0] * m[7]) * inverse;
  out[8] = (m[0] * m[4] - m[1] * m[3]) * inverse;
}

template <class C>
TYTO_HOST_DEVICE inline void multiply3(const C (&a)[9], const C (&b)[9], C (&out)[9]) {
  for (int row = 0; row < 3; ++row)
    for (int column = 0; column < 3; ++column)
      out[3 * row + column] =
          a[3 * row] * b[column] + a[3 * row + 1] * b[3 + column] + a[3 * row + 2] * b[6 + column];
}

// Pixel (u, v) of a network's input at depth d is the point linear * (u d, v d, d) + offset.
template <class C>
struct Unprojection {
  C linear[9];
  C offset[3];

  TYTO_HOST_DEVICE void point(C u, C v, C depth, C (&out)[3]) const {
    const C x = u * depth, y = v * depth;
    out[0] = linear[0] * x + linear[1] * y + linear[2] * depth + offset[0];
    out[1] = linear[3] * x + linear[4] * y + linear[5] * depth + offset[1];
    out[2] = linear[6] * x + linear[7] * y + linear[8] * depth + offset[2];
  }
};

// R K^-1 A^-1 and t: of intrinsics [3, 3], camera_to_grid [4, 4] and image_augmentation [3, 3] or null.
template <class M, class C>
TYTO_HOST_DEVICE inline Unprojection<C> unprojection_of(const M* intrinsics, const M* camera_to_grid,
                                                        const M* augmentation) {
  C k[9], inverse[9], rotation[9];
  for (int i = 0; i < 9; ++i) {
    k[i] = C(intrinsics[i]);
    rotation[i] = C(camera_to_grid[i / 3 * 4 + i % 3]);
  }
  if (augmentation) {
    C a[9], raw[9];
    for (int i = 0; i < 9; ++i) {
      a[i] = C(augmentation[i]);
      raw[i] = k[i];
    }
    multiply3(a, raw, k);
  }
  invert3(k, inverse);
  Unprojection<C> out;
  multiply3(rotation, inverse, out.linear);
  for (int axis = 0; axis < 3; ++axis) out.offset[axis] = C(camera_to_grid[4 * axis + 3]);
  return out;
}

// (u w, v w, w) = linear * p + offset: the inverse of the above. w is the depth along the camera's axis.
template <class C>
struct Projection {
  C linear[9];
  C offset[3];

  TYTO_HOST_DEVICE void homogeneous(const C (&p)[3], C (&out)[3]) const {
    for (int row = 0; row < 3; ++row)
      out[row] =
          linear[3 * row] * p[0] + linear[3 * row + 1] * p[1] + linear[3 * row + 2] * p[2] + offset[row];
  }
};

template <class M, class C>
TYTO_HOST_DEVICE inline Projection<C> projection_of(const M* intrinsics, const M* camera_to_grid,
                                                    const M* augmentation) {
  const Unprojection<C> back = unprojection_of<M, C>(intrinsics, camera_to_grid, augmentation);
  Projection<C> out;
  invert3(back.linear, out.linear);
  for (int row = 0; row < 3; ++row)
    out.offset[row] = -(out.linear[3 * row] * back.offset[0] + out.linear[3 * row + 1] * back.offset[1] +
                        out.linear[3 * row + 2] * back.offset[2]);
  return out;
}

}  // namespace tyto::kernels
