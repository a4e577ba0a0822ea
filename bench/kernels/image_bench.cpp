// Resampling and normalising. On the CPU an image is one thread's, and others decode and resample beside it;
// the bounds are all threads'. Bytes of 8-bit pixels are counted as they are.
#include <numeric>

#include "bench/kernels/kernel_case.h"
#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"
#include "kernels/image/resize_bilinear.h"
#include "kernels/image/resize_tables.h"
#include "kernels/image/upsample.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);
const NormalizeParams kImageNet = {.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};

ResizeParams whole(int in_width, int in_height, int out_width, int out_height, Resampling resampling) {
  return {in_width, in_height, out_width, out_height, 0, 0, out_width, out_height, resampling};
}

double weights_of(const AxisRange& range) {
  ResampleAxis axis;
  prepare_axis(axis, range);
  return std::accumulate(axis.count.begin(), axis.count.end(), 0.0);
}

// A 640 x 480 photograph to a network's input.
Work resize(Arrays& a, Resampling resampling, int width, int height) {
  const ResizeParams p = whole(640, 480, width, height, resampling);
  const uint8_t* image = a.input("image", {480, 640, 3}, noise(640 * 480 * 3));
  uint8_t* out = a.output<uint8_t>("resized", {height, width, 3});
  const auto scratch = std::make_shared<ResizeScratch>();
  std::vector<int32_t> weights(static_cast<size_t>(resize_tables_size(p)));
  make_resize_tables(p, *scratch, weights.data());
  const int32_t* tables = a.input("tables", {static_cast<int64_t>(weights.size())}, weights);
  Work work;
  work.bytes = 3.0 * (640 * 480 + width * height);
  // Two passes, rows of the source first; a weight is a product and a sum.
  work.operations = 2 * 3 * (weights_of(horizontal_range(p)) * 480 + weights_of(vertical_range(p)) * width);
  work.cpu = [=] { resize_cpu(image, out, int64_t{3} * width, p, *scratch); };
  if constexpr (kHasCuda) {
    void* workspace = a.scratch(resize_workspace_bytes(p));
    work.cuda = [=](Stream s) { kernels::resize(image, out, int64_t{3} * width, p, tables, workspace, s); };
  }
  return work;
}

// The same to what torchvision's detectors see.
Work torch_resize(Arrays& a) {
  constexpr int kWidth = 1066, kHeight = 800;
  const ResizeParams p = whole(640, 480, kWidth, kHeight, Resampling::TorchBilinear);
  const uint8_t* image = a.input("image", {480, 640, 3}, noise(640 * 480 * 3));
  float* planes = a.output<float>("planes", {3, kHeight, kWidth});
  const auto scratch = std::make_shared<BilinearScratch>();
  const NormalizeTable table = make_normalize_table(kImageNet);
  Work work;
  work.bytes = 3.0 * 640 * 480 + kFloat * 3 * kWidth * kHeight;
  // A pixel of the source scaled, centred, divided; one of the result is four products and three sums.
  work.operations = 3.0 * 3 * 640 * 480 + 7.0 * 3 * kWidth * kHeight;
  work.cpu = [=] {
    resize_bilinear_cpu(image, p, table, planes, int64_t{kWidth} * kHeight, kWidth, *scratch);
  };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) {
      resize_bilinear(image, p, kImageNet, planes, int64_t{kWidth} * kHeight, kWidth, s);
    };
  return work;
}

Work normalized(Arrays& a) {
  constexpr int64_t kPixels = 224 * 224;
  const uint8_t* image = a.input("image", {kPixels, 3}, noise(kPixels * 3));
  float* planes = a.output<float>("planes", {3, kPixels});
  const NormalizeTable table = make_normalize_table(kImageNet);
  Work work;
  work.bytes = kPixels * 3 * (1 + kFloat);
  work.operations = 3.0 * 3 * kPixels;
  work.cpu = [=] { normalize_cpu(image, kPixels, table, planes); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { normalize(image, kPixels, kImageNet, planes, s); };
  return work;
}

Work flipped(Arrays& a) {
  constexpr int64_t kRows = 8 * 3 * 256, kWidth = 128;
  const float* in = a.input("x", {kRows, kWidth}, numbers(kRows * kWidth));
  float* out = a.output<float>("y", {kRows, kWidth});
  Work work;
  work.bytes = 2 * kFloat * kRows * kWidth;
  work.cpu = [=] { flip_horizontal_cpu(in, kRows, kWidth, out); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { flip_horizontal(in, kRows, kWidth, out, s); };
  return work;
}

// Images of re-identification, a tenth larger.
Work bicubic_planes(Arrays& a) {
  const BicubicParams p = {.planes = 24, .height = 256, .width = 128, .scale = 1.1};
  const int64_t height = bicubic_size(p.height, p.scale), width = bicubic_size(p.width, p.scale);
  const float* in = a.input("x", {8, 3, p.height, p.width}, numbers(p.planes * p.height * p.width));
  float* out = a.output<float>("y", {8, 3, height, width});
  Work work;
  const auto results = static_cast<double>(p.planes * height * width);
  work.bytes = kFloat * (static_cast<double>(p.planes * p.height * p.width) + results);
  work.operations = 5 * 7 * results;  // four rows and the column of them: four products and three sums each
  work.cpu = [=] { bicubic_cpu(in, out, p); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { bicubic(in, out, p, s); };
  return work;
}

// The step between two levels of a feature pyramid.
Work upsampled(Arrays& a, Upsampling mode) {
  const auto x = a.input_map("x", {1, 256, 50, 68}, numbers(256 * 50 * 68));
  const auto y = a.output_map("y", {1, 256, 100, 136});
  const UpsampleSteps steps = {upsample_step(mode, 50, 100), upsample_step(mode, 68, 136)};
  Work work;
  work.bytes = kFloat * static_cast<double>(x.elements() + y.elements());
  work.operations = mode == Upsampling::Nearest ? 0 : 7.0 * static_cast<double>(y.elements());
  work.cpu = [=] { upsample_cpu(x.blocks, mode, steps, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { upsample(x.nhwc, mode, steps, y.nhwc, s); };
  return work;
}

}  // namespace

void add_image_cases(Cases& cases) {
  cases.push_back({"resize/pillow_bicubic_128x256",
                   [](Arrays& a) { return resize(a, Resampling::PilBicubic, 128, 256); }});
  cases.push_back({"resize/pillow_bilinear_224x224",
                   [](Arrays& a) { return resize(a, Resampling::PilBilinear, 224, 224); }});
  cases.push_back({"resize/pillow_lanczos_144x288",
                   [](Arrays& a) { return resize(a, Resampling::PilLanczos, 144, 288); }});
  cases.push_back({"resize/opencv_bilinear_224x224",
                   [](Arrays& a) { return resize(a, Resampling::CvBilinear, 224, 224); }});
  cases.push_back({"resize_torch/1066x800", torch_resize});
  cases.push_back({"normalize/224x224", normalized});
  cases.push_back({"flip/8x3x256x128", flipped});
  cases.push_back({"bicubic/8x3x256x128", bicubic_planes});
  cases.push_back(
      {"upsample/nearest_256x100x136", [](Arrays& a) { return upsampled(a, Upsampling::Nearest); }});
  cases.push_back(
      {"upsample/bilinear_256x100x136", [](Arrays& a) { return upsampled(a, Upsampling::Bilinear); }});
}

}  // namespace tyto::bench
