// Decoded images to rows of a network's input on the GPU: one copy of their bytes, then resampling and
// normalisation there, with the bits of the CPU's Preprocessor.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/cuda/runtime.h"
#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"
#include "tyto/tensor.h"

namespace tyto::cuda {

// One batch at a time. Its memory grows to the largest batch of images seen, up to kMaxStaged; then nothing
// is allocated.
class ImageUpload {
 public:
  // Bytes that are copied in one piece. What a batch has more goes in further pieces, for each of which the
  // host waits; a single larger image is preprocessed on the host.
  static constexpr int64_t kMaxStaged = int64_t{64} << 20;

  // input: F32, of `shape` [rows, 3, height, width], on the device; rows beyond the images become zero. The
  // images have been checked, and the rule makes that height and width of each; they may go when the call
  // returns, the work is done in the stream's order. The batch before must be done.
  void upload(std::span<const Image> images, const Preprocessing& rule, const Shape& shape, float* input,
              const Stream& stream);

  int64_t bytes() const;  // of device memory held

 private:
  struct Staged {
    const Image* image;
    ImageFit fit;
    int64_t pixels, tables;  // where they stand in the piece, in bytes
    bool own_tables;         // not those of the image before it, whose sizes are the same
    float* row;              // of the network's input
  };

  static int64_t end_of(const Staged& staged);                               // in the piece
  Staged staged(const Image& image, const ImageFit& fit, float* row) const;  // behind the piece
  void flush(const Preprocessing& rule, const Stream& stream);
  void preprocess(const Staged& staged, const Preprocessing& rule, cudaStream_t stream) const;
  void preprocess_on_host(const Image& image, const Preprocessing& rule, std::span<float> row,
                          const Stream& stream);

  PinnedBuffer host_;
  DeviceBuffer device_, canvas_, workspace_;
  std::vector<Staged> piece_;
  kernels::ResizeScratch scratch_;  // keeps the tables while the sizes stay
  std::optional<Preprocessor> preprocessor_;
};

}  // namespace tyto::cuda
