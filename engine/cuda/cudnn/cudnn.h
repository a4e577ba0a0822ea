// cuDNN's C functions, bound when the library is loaded.
#pragma once

#include <cudnn_graph.h>

#include <string>

#include "engine/cuda/libraries/shared_library.h"

namespace tyto::cuda {

// clang-format off
#define TYTO_CUDNN_FUNCTIONS(X) \
  X(Create) \
  X(Destroy) \
  X(SetStream) \
  X(GetVersion) \
  X(GetErrorString) \
  X(GetLastErrorString) \
  X(BackendCreateDescriptor) \
  X(BackendDestroyDescriptor) \
  X(BackendSetAttribute) \
  X(BackendGetAttribute) \
  X(BackendFinalize) \
  X(BackendExecute)
// clang-format on

class Cudnn {
 public:
  Cudnn();  // Error{Device}: not there, or older than 9

  std::string version() const;  // "9.19.0"
  const std::string& path() const { return library_.path(); }

  // Error{Device}: "cuDNN could not ACTION: REASON".
  void check(cudnnStatus_t status, const char* action) const;

 private:
  SharedLibrary library_;

 public:  // Create is cudnnCreate, and so on
#define TYTO_DECLARE(name) decltype(&::cudnn##name) name;
  TYTO_CUDNN_FUNCTIONS(TYTO_DECLARE)
#undef TYTO_DECLARE
};

}  // namespace tyto::cuda
