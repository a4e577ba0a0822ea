#include "engine/cuda/cublas/cublas_lt.h"

#include <fmt/format.h>

#include "tyto/error.h"

namespace tyto::cuda {

#define TYTO_BIND(name) name = reinterpret_cast<decltype(name)>(library_.symbol("cublasLt" #name));
CublasLt::CublasLt()
    : library_("cuBLASLt 13", "libcublasLt.so.13"){TYTO_CUBLASLT_FUNCTIONS(TYTO_BIND)}
#undef TYTO_BIND

      std::string CublasLt::version() const {
  const size_t v = GetVersion();
  return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

void CublasLt::check(cublasStatus_t status, const char* action) const {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(ErrorKind::Device, fmt::format("cuBLASLt could not {}: {}", action, GetStatusString(status)));
}

}  // namespace tyto::cuda
