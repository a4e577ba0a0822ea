// A PyTorch checkpoint becomes a model file: recognised by running the networks' builders over its tensors,
// in probe mode.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor_source.h"
#include "tyto/model.h"

namespace tyto {

// What a network's builder found in a set of tensors.
struct Recognition {
  std::string network;
  int found = 0;  // tensors that the builder asked for and got
  std::vector<std::string>
      missing;  // one phrase each: "'fc.weight' [any, 512] is missing; nearest: 'head.weight' [10, 512]"
  std::vector<std::string> unused;  // names that the network neither uses nor expects to ignore
  std::vector<std::string>
      ignored;  // names that it expects to ignore (counters, the classifier that is cut ...)
  std::vector<std::string> used;  // in the source's order
  bool matches() const { return missing.empty() && unused.empty(); }
};

// Runs one builder, collecting what it misses.
Recognition probe(const std::string& network, const std::map<std::string, std::string>& options,
                  const TensorSource& source);

struct ConvertOptions {
  std::optional<std::string> network;      // overrules recognition
  std::map<std::string, std::string> set;  // the network's options
  std::map<std::string, std::string>
      preprocess;  // keys of the preprocessing rule to change, values as JSON or bare text
  std::vector<std::string> class_names;
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
