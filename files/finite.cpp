#include "files/finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tyto {

void check_finite(const Tensor& tensor, const std::string& name, const std::string& origin) {
  const DType t = tensor.dtype();
  if (t != DType::F32 && t != DType::F16 && t != DType::BF16 && t != DType::F64) return;
  const Tensor values = tensor.to_f32();
  const auto all = values.as<float>();
  const auto bad = std::find_if_not(all.begin(), all.end(), [](float v) { return std::isfinite(v); });
  if (bad != all.end())
    throw Error(
        ErrorKind::Format,
        fmt::format(
            "{}: '{}' holds a value that is not finite ({}); the training diverged or the file is damaged",
            origin, name, *bad));
}

}  // namespace tyto
