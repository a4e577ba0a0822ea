#include "kernels/image/normalize.h"

namespace tyto::kernels {

NormalizeTable make_normalize_table(const NormalizeParams& p) {
  NormalizeTable table;
  table.channel = p.order == ChannelOrder::RGB ? std::array{0, 1, 2} : std::array{2, 1, 0};
  for (int plane = 0; plane < 3; ++plane) {
    for (int v = 0; v < 256; ++v) {
      const float pixel = static_cast<float>(v);
      const float scaled = p.scale == 1.0f / 255 ? pixel / 255.0f : pixel * p.scale;
      table.value[plane][v] = (scaled - p.mean[plane]) / p.std[plane];
    }
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
