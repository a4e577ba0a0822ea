// SHA-256 (FIPS 180-4), fed piecewise.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace tyto {

class Sha256 {
 public:
  Sha256();
  void update(const void* data, size_t bytes);
  std::string hex();  // of all that was fed; ends the computation

 private:
  std::shared_ptr<void> state_;
};

std::string sha256_of_file(const std::filesystem::path& path,
                           uint64_t from = 0);  // from that byte to the end

}  // namespace tyto
