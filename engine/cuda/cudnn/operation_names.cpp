#include "engine/cuda/cudnn/operation_names.h"

#include <fmt/format.h>

namespace tyto::cuda {

std::string name_of(const ConvolutionSpec& s) {
  std::string text =
      fmt::format("{} convolution {}x{}x{}x{} -> {}x{}x{}x{}, kernel {}, stride {}, padding {}, dilation {}",
                  tyto::name_of(s.precision), s.n, s.height, s.width, s.channels, s.n, s.out_height,
                  s.out_width, s.outputs, s.kernel, s.stride, s.padding, s.dilation);
  if (s.groups != 1) text += fmt::format(", groups {}", s.groups);
  if (s.residual) text += ", residual";
  if (s.bias) text += ", bias";
  if (s.relu) text += ", relu";
  return text;
}

std::string name_of(const MatrixProductSpec& s) {
  std::string text = fmt::format("{} matrix product {}x{} -> {}x{}", tyto::name_of(s.precision), s.rows,
                                 s.inputs, s.rows, s.outputs);
  if (s.batch != 1) text += fmt::format(", batch {}", s.batch);
  if (s.transpose_a) text += ", a transposed";
  if (s.transpose_b) text += ", b transposed";
  const auto add = [&](const char* operand, const MatrixStrides& strides) {
    if (strides != MatrixStrides())
      text += fmt::format(", {} by rows {} and items {}", operand, strides.row, strides.item);
  };
  add("a", s.a);
  add("b", s.b);
  add("y", s.y);
  if (s.scale != 1) text += fmt::format(", scale {}", s.scale);
  if (s.f32_result) text += ", fp32 result";
  if (s.bias) text += ", bias";
  if (s.relu) text += ", relu";
  return text;
}

}  // namespace tyto::cuda
