#include "engine/cuda/peaks.h"

#include <limits>

#include "engine/cuda/matrix_product.h"
#include "engine/runtime/peak_rate.h"

namespace tyto::cuda {
namespace {

constexpr int kFill = 0x3c;  // in every byte of a value: 0.011 as F32 and BF16, 1.06 as F16

DeviceBuffer filled(int64_t bytes, cudaStream_t stream) {
  DeviceBuffer buffer(bytes);
  check(cudaMemsetAsync(buffer.data(), kFill, static_cast<size_t>(bytes), stream), "fill memory");
  return buffer;
}

template <class Work>
double best_seconds(const Stream& stream, const Work& work) {
  const TimedEvent start, stop;
  double best = std::numeric_limits<double>::infinity();
  work();  // loads its kernels
  for (int i = 0; i < kPeakTries; ++i) {
    start.record(stream);
    work();
    stop.record(stream);
    stop.wait();
    best = std::min(best, double{stop.milliseconds_since(start)} / 1e3);
  }
  return best;
}

}  // namespace

double peak_flops(Libraries& libraries, const Stream& stream, Precision precision) {
  return peak_rate(kSmallestProduct, kLargestProduct, product_flop, [&](int64_t n) {
    MatrixProductSpec spec;
    spec.precision = precision;
    spec.rows = spec.inputs = spec.outputs = n;
    spec.transpose_b = true;
    MatrixProduct product(libraries, spec);
    const int64_t bytes = n * n * size_of(activation_type(precision));
    const DeviceBuffer x = filled(bytes, stream), weights = filled(bytes, stream), y = filled(bytes, stream),
                       workspace(product.workspace_bytes());
    return best_seconds(
        stream, [&] { product.run(x.data(), weights.data(), nullptr, y.data(), workspace.data(), stream); });
  });
}

double peak_bandwidth(const Stream& stream) {
  const auto both = [](int64_t bytes) { return 2.0 * static_cast<double>(bytes); };  // read and written
  return peak_rate(kSmallestArray, kLargestArray, both, [&](int64_t bytes) {
    const DeviceBuffer from = filled(bytes, stream), to = filled(bytes, stream);
    return best_seconds(stream, [&] {
      check(cudaMemcpyAsync(to.data(), from.data(), static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                            stream),
            "copy on the GPU");
    });
  });
}

}  // namespace tyto::cuda
