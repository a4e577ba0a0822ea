// A library of NVIDIA's, found when it is needed.
#pragma once

#include <string>

namespace tyto::cuda {

// Sought in the folders that TYTO_CUDA_LIBRARIES lists (with colons between them), where the system's loader
// looks, and in /usr/local/cuda/lib64. Stays loaded for good: its threads may outlive whoever asked for it.
class SharedLibrary {
 public:
  // product: "cuDNN 9", file: "libcudnn_graph.so.9". Error{Device} names both, where they were sought and
  // what to do.
  SharedLibrary(const std::string& product, const std::string& file);

  void* symbol(const char* name) const;  // Error{Device} where the library is too old to have it
  const std::string& path() const { return path_; }

 private:
  std::string product_, path_;
  void* handle_ = nullptr;
};

}  // namespace tyto::cuda
