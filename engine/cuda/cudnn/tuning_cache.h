// What autotuning found, in a file that outlives the process:
//
//   {"tyto_tuning_cache": 1,
//    "machines": {"NVIDIA H100, sm_90, driver 13.0, cuDNN 9.19.0, cuBLASLt 13.0.0":
//      {"fp16 convolution 8x56x56x64 -> ...": "engine 38 {2:1 12:0}", ...}}}
//
// A machine's choices are its own; those of others in the file are kept. Nothing in it is trusted: a choice
// counts only where the library proposes the same.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace tyto::cuda {

class TuningCache {
 public:
  using Choices = std::map<std::string, std::string>;  // operation -> algorithm

  // file: empty for memory alone. A file that is no cache of this version, or cannot be read, is left as it
  // is, said once to `notice`, and nothing is written to it; so is one that knows other machines only, but
  // that one is added to.
  TuningCache(std::filesystem::path file, std::string machine,
              std::function<void(const std::string&)> notice);

  std::optional<std::string> find(const std::string& operation) const;

  // Writes at once, under a temporary name that is renamed: whoever reads sees a whole file, and what others
  // wrote before is kept. A failure to write is said once.
  void keep(const std::string& operation, const std::string& algorithm);

 private:
  void notify(const std::string& text) const;

  std::filesystem::path file_;  // empty where nothing is to be written
  const std::string machine_;
  const std::function<void(const std::string&)> notice_;
  Choices choices_;
};

}  // namespace tyto::cuda
