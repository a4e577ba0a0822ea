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
  if (s.bias) text += ", bias";
  if (s.relu) text += ", relu";
  return text;
}

}  // namespace tyto::cuda
