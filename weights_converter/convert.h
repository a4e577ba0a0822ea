// A PyTorch checkpoint becomes a model file.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/networks/network.h"
#include "tyto/model.h"
#include "weights_converter/recognise.h"

namespace tyto {

struct ConvertOptions {
  Wanted wanted;  // what is known of the network
  // Changed keys of the preprocessing rule, values being JSON or bare text. With several inputs of images a
  // key is INPUT.key.
  std::map<std::string, std::string> preprocess;
  std::vector<std::string>
      class_names;             // of every class, or of a detector's but its background; empty: the usual ones
  std::function<void()> poll;  // called now and then; what it throws stops the conversion
};

struct Converted {
  Recognition recognition;
  ModelInfo info;
  std::vector<Decision> decisions;  // on options that were left open
};

// Errors as of recognise(), and Error{Format} where a weight is not finite. Nothing is written then.
Converted convert(const std::filesystem::path& checkpoint, const std::filesystem::path& model,
                  const ConvertOptions& options);

}  // namespace tyto
