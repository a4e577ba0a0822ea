#include "engine/cuda/cudnn/cudnn.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tyto/error.h"

namespace tyto::cuda {

#define TYTO_BIND(name) name = reinterpret_cast<decltype(name)>(library_.symbol("cudnn" #name));
Cudnn::Cudnn()
    : library_("cuDNN 9", "libcudnn_graph.so.9"){TYTO_CUDNN_FUNCTIONS(TYTO_BIND)}
#undef TYTO_BIND

      std::string Cudnn::version() const {
  const size_t v = GetVersion();
  return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

void Cudnn::check(cudnnStatus_t status, const char* action) const {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> text{};
  GetLastErrorString(text.data(), text.size());
  std::string reason = text.data();
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  throw Error(ErrorKind::Device, fmt::format("cuDNN could not {}: {}{}", action, GetErrorString(status),
                                             reason.empty() ? "" : " (" + reason + ")"));
}

}  // namespace tyto::cuda
