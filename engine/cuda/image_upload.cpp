#include "engine/cuda/image_upload.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/image/resize_tables.h"

namespace tyto::cuda {
namespace {

constexpr int64_t kAlignment = 256;  // of what stands in a piece, for wide loads
constexpr int64_t kMinStaged = int64_t{1} << 20;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t table_bytes(const ImageFit& fit) {
  if (!kernels::gives_bytes(fit.resize.resampling)) return 0;
  return kernels::resize_tables_size(fit.resize) * static_cast<int64_t>(sizeof(int32_t));
}

template <class Buffer>
void grow(Buffer& buffer, int64_t bytes) {
  if (buffer.bytes() >= bytes) return;
  buffer = Buffer();  // both at once may be more than there is
  buffer = Buffer(bytes);
}

}  // namespace

void ImageUpload::upload(std::span<const Image> images, const Preprocessing& rule, const Shape& shape,
                         float* input, const Stream& stream) {
  const int64_t row_values = shape[1] * shape[2] * shape[3];
  float* row = input;
  piece_.clear();
  for (const Image& image : images) {
    const ImageFit fit = fit_image(rule, image.width, image.height);
    if (aligned(static_cast<int64_t>(image.rgb.size())) + table_bytes(fit) > kMaxStaged) {
      preprocess_on_host(image, rule, {row, static_cast<size_t>(row_values)}, stream);
      row += row_values;
      continue;
    }
    Staged next = staged(image, fit, row);
    if (end_of(next) > kMaxStaged) {
      flush(rule, stream);
      stream.wait();  // for the memory that the next piece takes
      next = staged(image, fit, row);
    }
    piece_.push_back(next);
    row += row_values;
  }
  flush(rule, stream);
  const auto empty = static_cast<size_t>((shape[0] - static_cast<int64_t>(images.size())) * row_values);
  if (empty > 0)
    check(cudaMemsetAsync(input + static_cast<int64_t>(images.size()) * row_values, 0, empty * sizeof(float),
                          stream),
          "clear a batch on the GPU");
}

ImageUpload::Staged ImageUpload::staged(const Image& image, const ImageFit& fit, float* row) const {
  Staged next{&image, fit, 0, 0, true, row};
  if (!piece_.empty()) next.pixels = end_of(piece_.back());
  next.tables = next.pixels + aligned(static_cast<int64_t>(image.rgb.size()));
  if (!piece_.empty() && piece_.back().fit.resize == fit.resize) {
    next.tables = piece_.back().tables;
    next.own_tables = false;
  }
  return next;
}

int64_t ImageUpload::end_of(const Staged& s) {
  const int64_t pixels_end = s.pixels + aligned(static_cast<int64_t>(s.image->rgb.size()));
  return s.own_tables ? pixels_end + aligned(table_bytes(s.fit)) : pixels_end;
}

void ImageUpload::flush(const Preprocessing& rule, const Stream& stream) {
  if (piece_.empty()) return;
  const int64_t bytes = end_of(piece_.back());
  const auto staged_bytes =
      static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max(bytes, kMinStaged))));
  grow(host_, staged_bytes);
  grow(device_, staged_bytes);
  grow(canvas_, piece_.back().fit.values());
  int64_t workspace = 0;
  for (const Staged& s : piece_) {
    if (kernels::gives_bytes(rule.resampling))
      workspace = std::max(workspace, kernels::resize_workspace_bytes(s.fit.resize));
    std::memcpy(host_.data() + s.pixels, s.image->rgb.data(), s.image->rgb.size());
    if (s.own_tables && table_bytes(s.fit) > 0)
      kernels::make_resize_tables(s.fit.resize, scratch_,
                                  reinterpret_cast<int32_t*>(host_.data() + s.tables));
  }
  grow(workspace_, workspace);
  check(cudaMemcpyAsync(device_.data(), host_.data(), static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                        stream),
        "copy images to the GPU");
  for (const Staged& s : piece_) preprocess(s, rule, stream);
  piece_.clear();
}

void ImageUpload::preprocess(const Staged& s, const Preprocessing& rule, cudaStream_t stream) const {
  const kernels::ResizeParams& p = s.fit.resize;
  const kernels::NormalizeParams normalization = normalization_of(rule);
  const auto* image = reinterpret_cast<const uint8_t*>(device_.data() + s.pixels);
  const auto* tables = reinterpret_cast<const int32_t*>(device_.data() + s.tables);
  auto* canvas = reinterpret_cast<uint8_t*>(canvas_.data());
  const int width = s.fit.width;
  const int64_t area = int64_t{s.fit.height} * width;
  const int64_t corner = int64_t{s.fit.top} * width + s.fit.left;  // of the window
  if (!s.fit.covers()) {
    if (s.fit.background)
      check(cudaMemsetAsync(canvas, *s.fit.background, static_cast<size_t>(3 * area), stream),
            "clear a canvas on the GPU");
    else
      check(cudaMemsetAsync(s.row, 0, static_cast<size_t>(3 * area) * sizeof(float), stream),
            "clear an input on the GPU");
  }
  if (kernels::gives_bytes(rule.resampling)) {
    kernels::resize(image, canvas + 3 * corner, int64_t{3} * width, p, tables, workspace_.data(), stream);
    kernels::normalize(canvas, area, normalization, s.row, stream);
  } else {
    if (!s.fit.covers() && s.fit.background) kernels::normalize(canvas, area, normalization, s.row, stream);
    kernels::resize_bilinear(image, p, normalization, s.row + corner, area, width, stream);
  }
}

void ImageUpload::preprocess_on_host(const Image& image, const Preprocessing& rule, std::span<float> row,
                                     const Stream& stream) {
  if (!preprocessor_ || preprocessor_->rule() != rule) preprocessor_.emplace(rule);
  grow(host_, static_cast<int64_t>(row.size_bytes()));  // nothing of a piece stands there yet
  auto* const preprocessed = reinterpret_cast<float*>(host_.data());
  preprocessor_->run(image, {preprocessed, row.size()});
  check(cudaMemcpyAsync(row.data(), preprocessed, row.size_bytes(), cudaMemcpyHostToDevice, stream),
        "copy an image to the GPU");
  stream.wait();  // before its memory is used again
}

int64_t ImageUpload::bytes() const { return device_.bytes() + canvas_.bytes() + workspace_.bytes(); }

}  // namespace tyto::cuda
