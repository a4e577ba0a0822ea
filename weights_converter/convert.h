// A PyTorch checkpoint becomes a model file: recognised by running the networks' builders over its tensors,
// in probe mode.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tyto/model.h"
#include "weights_converter/recognise.h"

namespace tyto {

struct ConvertOptions {
  std::optional<std::string> network;             // overrules recognition
  std::map<std::string, std::string> set;         // the network's options
  std::map<std::string, std::string> preprocess;  // changed keys of the rule: JSON or bare text
  std::vector<std::string>
      class_names;             // of every class, or of a detector's but its background; empty: the usual ones
  bool allow_unused = false;   // convert although tensors are left over
  std::function<void()> poll;  // called now and then; what it throws stops the conversion
};

struct Converted {
  Recognition recognition;
  ModelInfo info;
};

// Error{Format}: no network matches, or several; the sentence lists the nearest and how they differ. Nothing
// is written then.
Converted convert(const std::filesystem::path& checkpoint, const std::filesystem::path& model,
                  const ConvertOptions& options);

}  // namespace tyto
