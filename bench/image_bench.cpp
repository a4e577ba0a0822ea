// Resampling and normalising, one thread: time an image, and the source pixels read a second.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"

namespace tyto::kernels {
namespace {

std::vector<uint8_t> noise(size_t bytes) {
  std::vector<uint8_t> v(bytes);
  uint32_t state = 1;
  for (uint8_t& b : v) b = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  return v;
}

// A 640 x 480 photograph to a network's input.
void resize(benchmark::State& state, Resampling resampling, int width, int height) {
  const std::vector<uint8_t> image = noise(640 * 480 * 3);
  std::vector<uint8_t> out(static_cast<size_t>(width * height * 3));
  ResizeScratch scratch;
  const ResizeParams params{640, 480, width, height, 0, 0, width, height, resampling};
  for (auto _ : state) {
    resize_cpu(image.data(), out.data(), width * 3, params, scratch);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["source bytes"] =
      benchmark::Counter(static_cast<double>(image.size()), benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::kIs1024);
}
BENCHMARK_CAPTURE(resize, pillow_bicubic_128x256, Resampling::PilBicubic, 128, 256);
BENCHMARK_CAPTURE(resize, pillow_bilinear_224x224, Resampling::PilBilinear, 224, 224);
BENCHMARK_CAPTURE(resize, pillow_lanczos_144x288, Resampling::PilLanczos, 144, 288);
BENCHMARK_CAPTURE(resize, opencv_bilinear_224x224, Resampling::CvBilinear, 224, 224);

void normalize(benchmark::State& state) {
  const int64_t pixels = 224 * 224;
  const std::vector<uint8_t> image = noise(static_cast<size_t>(pixels * 3));
  std::vector<float> planes(static_cast<size_t>(pixels * 3));
  const NormalizeTable table =
      make_normalize_table({.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}});
  for (auto _ : state) {
    normalize_cpu(image.data(), pixels, table, planes.data());
    benchmark::DoNotOptimize(planes.data());
  }
  state.SetBytesProcessed(state.iterations() * pixels * 3 * 5);  // a byte in, a float out
}
BENCHMARK(normalize);

}  // namespace
}  // namespace tyto::kernels
