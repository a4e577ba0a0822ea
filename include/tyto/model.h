// A trained network in a model file: safetensors with one metadata key that says what the tensors are.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tyto/tensor.h"

namespace tyto {

using InputShapes = std::map<std::string, Shape>;  // by the inputs' names

class SafetensorsFile;
class TensorSource;

// The `tyto` key of a model file.
struct ModelInfo {
  static constexpr int kFormatVersion = 1;

  std::string network;                         // a name of the registry, e.g. "ft_net"
  std::map<std::string, std::string> options;  // what the tensors' shapes cannot tell, e.g. stride=1
  std::string preprocessing;                   // the preprocessing rule as JSON; `tyto inspect` shows it
  std::vector<std::string> class_names;        // of the logits, where known
  std::string source_sha256;                   // of the checkpoint's bytes
  std::string tensors_sha256;  // of the tensors' bytes in the model file: the model's identity
};

// A model is immutable; threads share it. The tensors stay in the file until a plan packs them.
class Model {
 public:
  explicit Model(const std::filesystem::path& path);  // Error{File, Format, Unsupported}

  const ModelInfo& info() const { return info_; }
  const std::filesystem::path& path() const;
  InputShapes input_shapes(int64_t batch) const;  // images as large as their preprocessing rules say

  // Whether the tensors' bytes still have the SHA-256 they were written with; reads the whole file.
  bool intact() const;
  void verify() const;  // Error{Format} where they have not

 private:
  friend std::shared_ptr<const TensorSource> tensors_of(const Model& model);

  std::shared_ptr<const SafetensorsFile> file_;
  ModelInfo info_;
  int64_t height_ = 0, width_ = 0;
};

}  // namespace tyto
