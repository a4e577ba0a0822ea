// cuDNN and cuBLASLt: loaded at run time, so that a program without them starts. Each library is behind one
// class that knows nothing of graphs (convolution.h, matrix_product.h); the emulated device links other
// definitions of the same classes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tyto::cuda {

struct LibraryOptions {
  int device = 0;
  int64_t workspace_limit = int64_t{256} << 20;  // bytes that one operation's plan may ask for
  bool autotune = false;                         // times the best few plans instead of taking the first
  std::filesystem::path cache;                   // of what autotuning found; empty: kept in memory alone
  std::function<void(const std::string&)> notice;
};

// Handles of one device and what autotuning knows. Serves one thread at a time.
class Libraries {
 public:
  explicit Libraries(
      LibraryOptions options);  // Error{Device} names the library that is missing and where it was sought
  ~Libraries();
  Libraries(const Libraries&) = delete;
  Libraries& operator=(const Libraries&) = delete;

  std::vector<std::pair<std::string, std::string>> describe() const;  // ("cuDNN", "9.19.0 from /usr/lib/...")

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto::cuda
