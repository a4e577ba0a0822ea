// Moving values: nothing is computed.
#include "bench/kernels/kernel_case.h"
#include "bench/kernels/one_dnn.h"
#include "kernels/layout/pad.h"
#include "kernels/layout/strided_copy.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);

Work padded(Arrays& a, PadMode mode) {
  const auto x = a.input_map("x", {1, 64, 150, 150}, numbers(64 * 150 * 150));
  const auto y = a.output_map("y", {1, 64, 152, 152});
  const Border border = {.top = 1, .left = 1, .mode = mode};
  Work work;
  work.bytes = kFloat * static_cast<double>(x.elements() + y.elements());
  work.cpu = [=] { pad_cpu(x.blocks, border, y.blocks); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { pad(x.nhwc, border, y.nhwc, s); };
  return work;
}

// Tokens of 12 heads to heads of tokens.
Work permuted(Arrays& a) {
  constexpr int64_t kTokens = 8 * 197, kHeads = 12, kWidth = 64;
  const float* x = a.input("x", {8, 197, kHeads, kWidth}, numbers(kTokens * kHeads * kWidth));
  float* y = a.output<float>("y", {8, kHeads, 197, kWidth});
  const StridedBox<2> box = {4,
                             {8, kHeads, 197, kWidth},
                             {{{197 * kHeads * kWidth, kWidth, kHeads * kWidth, 1},
                               {197 * kHeads * kWidth, 197 * kWidth, kWidth, 1}}}};
  Work work;
  work.bytes = 2 * kFloat * kTokens * kHeads * kWidth;
  work.cpu = one_dnn(a, {"x"}, "y", [](Graph& g, const std::vector<Value>& v) {
    return g.permute(g.to_rows(v[0]), {0, 2, 1, 3});
  });
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { strided_copy(x, 4, box, y, s); };
  return work;
}

}  // namespace

void add_layout_cases(Cases& cases) {
  cases.push_back({"pad/zeros_64x150x150", [](Arrays& a) { return padded(a, PadMode::Zeros); }});
  cases.push_back({"pad/reflect_64x150x150", [](Arrays& a) { return padded(a, PadMode::Reflect); }});
  cases.push_back({"strided_copy/8x197x12x64", permuted});
}

}  // namespace tyto::bench
