#include "kernels/image/normalize_math.h"

namespace tyto::kernels {

NormalizeTable make_normalize_table(const NormalizeParams& p) {
  NormalizeTable table;
  for (int plane = 0; plane < 3; ++plane) {
    table.channel[plane] = channel_of(p.order, plane);
    for (int v = 0; v < 256; ++v) table.value[plane][v] = normalized(static_cast<float>(v), p, plane);
  }
  return table;
}

void normalize_cpu(const uint8_t* pixels, int64_t count, const NormalizeTable& table, float* planes) {
  for (int plane = 0; plane < 3; ++plane) {
    const uint8_t* from = pixels + table.channel[plane];
    const float* value = table.value[plane].data();
    float* to = planes + plane * count;
    for (int64_t i = 0; i < count; ++i) to[i] = value[from[3 * i]];
  }
}

}  // namespace tyto::kernels
