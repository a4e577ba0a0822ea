// cuBLASLt's C functions, bound when the library is loaded.
#pragma once

#include <cublasLt.h>

#include <string>

#include "engine/cuda/libraries/shared_library.h"

namespace tyto::cuda {

// clang-format off
#define TYTO_CUBLASLT_FUNCTIONS(X) \
  X(Create) \
  X(Destroy) \
  X(GetVersion) \
  X(GetStatusString) \
  X(Matmul) \
  X(MatmulAlgoGetHeuristic) \
  X(MatmulDescCreate) \
  X(MatmulDescDestroy) \
  X(MatmulDescSetAttribute) \
  X(MatrixLayoutCreate) \
  X(MatrixLayoutDestroy) \
  X(MatrixLayoutSetAttribute) \
  X(MatmulPreferenceCreate) \
  X(MatmulPreferenceDestroy) \
  X(MatmulPreferenceSetAttribute)
// clang-format on

class CublasLt {
 public:
  CublasLt();  // Error{Device}: not there

  std::string version() const;  // "13.1.0"
  const std::string& path() const { return library_.path(); }

  // Error{Device}: "cuBLASLt could not ACTION: REASON".
  void check(cublasStatus_t status, const char* action) const;

 private:
  SharedLibrary library_;

 public:  // Create is cublasLtCreate, and so on
#define TYTO_DECLARE(name) decltype(&::cublasLt##name) name;
  TYTO_CUBLASLT_FUNCTIONS(TYTO_DECLARE)
#undef TYTO_DECLARE
};

}  // namespace tyto::cuda
