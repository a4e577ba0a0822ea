// One convolution with its epilogue, planned once and run many times.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/common/stream.h"
#include "tyto/plan.h"
#include "tyto/tensor.h"

namespace tyto::cuda {

class Libraries;

// Sums are kept in fp32; fp32 multiplies in fp32 (no tensor cores).
struct ConvolutionSpec {
  Precision precision = Precision::Fp32;
  int64_t n = 0, height = 0, width = 0, channels = 0;                 // of x
  int64_t out_height = 0, out_width = 0, outputs = 0;                 // of y
  int kernel = 1, stride = 1, padding = 0, dilation = 1, groups = 1;  // square, padded alike on all sides
  bool residual = false, bias = false, relu = false;

  auto operator<=>(const ConvolutionSpec&) const = default;
};

// The layer that a convolution is one of, whatever the batch and the size of its maps.
inline ConvolutionSpec family_of(ConvolutionSpec spec) {
  spec.n = spec.height = spec.width = spec.out_height = spec.out_width = 0;
  return spec;
}

// y = relu?(convolution(x, weights) + residual? + bias?); the residual before the bias, which is the order
// that cuDNN has precompiled engines for.
//
// cuDNN's heuristics are asked once a family: their choice for the first size is taken for every other, as
// far as it serves that. So the algorithm of a size follows from the sizes that these Libraries planned
// before it.
class Convolution {
 public:
  // Error{Unsupported} names the spec that no engine serves.
  Convolution(Libraries& libraries, const ConvolutionSpec& spec);
  ~Convolution();
  Convolution(Convolution&&) noexcept;

  // All of activation_type(precision), dense, 16-byte aligned:
  // x [n, height, width, channels], weights [outputs, kernel, kernel, channels / groups], bias [outputs],
  // residual, y [n, out_height, out_width, outputs]; bias and residual null where the spec has none.
  // workspace: workspace_bytes(), 256-byte aligned. Asynchronous, no allocation; may be captured in a graph.
  void run(const void* x, const void* weights, const void* bias, const void* residual, void* y,
           void* workspace, kernels::Stream stream);

  int64_t workspace_bytes() const;
  const std::string& algorithm() const;  // "cudnn engine 15 {2:4 18:0} (winograd)", its knobs in braces

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto::cuda
