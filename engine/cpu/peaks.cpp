#include "engine/cpu/peaks.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <memory>

#include "engine/runtime/peak_rate.h"

namespace tyto::cpu {
namespace {

template <class Work>
double best_seconds(const Work& work) {
  work();
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kPeakTries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

double peak_flops(const dnnl::engine& engine, dnnl::stream& stream, Precision precision) {
  using dnnl::memory;
  const auto type = precision == Precision::Bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  return peak_rate(kSmallestProduct, kLargestProduct, product_flop, [&](int64_t n) {
    const memory::desc rows({n, n}, type, memory::format_tag::ab), any({n, n}, type, memory::format_tag::any);
    const dnnl::matmul::primitive_desc pd(dnnl::matmul::desc(rows, any, rows), engine);
    const dnnl::matmul product(pd);
    const auto filled = [&](const memory::desc& desc) {
      memory m(desc, engine);
      std::memset(m.get_data_handle(), 0x3c, desc.get_size());  // 0.011, in both types
      return m;
    };
    const memory a = filled(pd.src_desc()), b = filled(pd.weights_desc()), c = filled(pd.dst_desc());
    return best_seconds([&] {
      product.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
      stream.wait();
    });
  });
}

double peak_bandwidth() {
  constexpr auto kCount = int64_t{1} << 24;  // three arrays of 64 MiB, which no cache holds
  const auto array = [] {
    auto values = std::make_unique_for_overwrite<float[]>(kCount);
    float* const v = values.get();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < kCount; ++i) v[i] = 1;  // each thread's pages near it
    return values;
  };
  const auto a = array(), b = array(), c = array();
  float *const to = a.get(), *const x = b.get(), *const y = c.get();
  const double seconds = best_seconds([&] {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < kCount; ++i) to[i] = x[i] + 0.5f * y[i];
  });
  return 3.0 * kCount * sizeof(float) / seconds;
}

}  // namespace tyto::cpu
