#include "weights_converter/convert.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/images/image_fit.h"
#include "engine/model/model_file.h"
#include "engine/networks/heads/class_names.h"
#include "engine/networks/network.h"
#include "files/json.h"
#include "files/sha256.h"
#include "files/utf8.h"

namespace tyto {
namespace {

constexpr int kMaxNesting = 4;  // of a preprocessing value

void check_text(const std::string& text, const char* what) {
  if (!is_utf8(text)) throw Error(ErrorKind::Usage, fmt::format("{} '{}' is not UTF-8", what, text));
}

// Values may be bare words or JSON: size=[384,128], fit=stretch, mean=[0.5,0.5,0.5].
Preprocessing changed_rule(const std::string& rule, const std::map<std::string, std::string>& changes) {
  auto j = nlohmann::ordered_json::parse(rule);
  if (const auto fit = changes.find("fit"); fit != changes.end()) {
    for (const char* key : {"shorter_side", "longest_side", "multiple_of", "fill", "bottom"})
      j.erase(key);  // of the former fit
    if (fit->second == "shorter-side" || fit->second == "longest-side" || fit->second == "within")
      j.erase("size");
  }
  for (const auto& [key, value] : changes) {
    check_text(key + "=" + value, "preprocessing");
    try {
      j[key] = parse_json(value, kMaxNesting, key);
    } catch (const Error&) {
      j[key] = value;
    }
  }
  try {
    return preprocessing_from_json(j.dump());
  } catch (const Error& e) {
    throw Error(ErrorKind::Usage, fmt::format("--preprocess: {}", e.what()));
  }
}

// --preprocess, sorted by the input whose rule it changes.
std::map<std::string, std::map<std::string, std::string>> changes_by_input(
    const std::vector<InputInfo>& inputs, const std::map<std::string, std::string>& changes) {
  std::vector<std::string> images;
  for (const InputInfo& input : inputs)
    if (input.is_images()) images.push_back(input.name);
  std::map<std::string, std::map<std::string, std::string>> sorted;
  for (const auto& [key, value] : changes) {
    const size_t dot = key.rfind('.');
    const std::string name = dot != std::string::npos ? key.substr(0, dot)
                             : images.size() == 1     ? images.front()
                                                      : "";
    if (std::ranges::find(images, name) == images.end())
      throw Error(
          ErrorKind::Usage,
          fmt::format("--preprocess {}={}: the inputs of images are {}; say which as "
                      "NAME.key=value",
                      key, value, images.empty() ? "none" : fmt::format("{}", fmt::join(images, ", "))));
    sorted[name][dot == std::string::npos ? key : key.substr(dot + 1)] = value;
  }
  return sorted;
}

std::vector<InputInfo> with_changed_rules(std::vector<InputInfo> inputs,
                                          const std::map<std::string, std::string>& changes) {
  const auto sorted = changes_by_input(inputs, changes);
  for (InputInfo& input : inputs)
    if (const auto it = sorted.find(input.name); it != sorted.end())
      input = image_input(changed_rule(input.preprocessing, it->second), input.name, input.views);
  return inputs;
}

// What the network is and computes. It must be able to run at the sizes that rules were changed to.
void describe(const Network& network, const Weights& weights, const Options& options, ModelInfo& info) {
  Graph graph;
  NetworkOutputs built;
  try {
    built = build_whole(graph, network, weights, options, info.inputs, input_shapes(info.inputs, 1));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::Shape) throw;
    std::vector<std::string> sizes;
    for (const InputInfo& input : info.inputs)
      if (input.is_images()) sizes.push_back(fmt::format("size=[{},{}]", input.sample[1], input.sample[2]));
    throw Error(ErrorKind::Usage, fmt::format("--preprocess {}: {}", fmt::join(sizes, " "), e.what()));
  }
  info.task = built.task;
  info.grid = built.grid;
  info.state = network.state;
  for (const auto& output : built.values) info.outputs.push_back(describe_output(graph, output));
}

// One name a class, a detector's background first.
std::vector<std::string> named_classes(const Recognition& r, std::vector<std::string> names) {
  const bool detects = r.task == Task::Detect;
  if (names.empty() && detects) names = usual_class_names(r.network, r.classes);
  if (names.empty() || r.classes == 0) return names;
  const auto count = static_cast<int64_t>(names.size());
  if (detects && count == r.classes - 1) names.insert(names.begin(), "background");
  if (static_cast<int64_t>(names.size()) != r.classes)
    throw Error(ErrorKind::Usage,
                fmt::format("--classes lists {} names, but {} has {} classes{}", count, r.network,
                            detects ? r.classes - 1 : r.classes, detects ? " and a background" : ""));
  return names;
}

}  // namespace

Converted convert(const std::filesystem::path& checkpoint, const std::filesystem::path& model,
                  const ConvertOptions& options) {
  for (const std::string& name : options.class_names) check_text(name, "class name");
  Converted result;
  const Checkpoint opened(checkpoint);
  result.recognition = recognise(opened, checkpoint.string(), options.wanted);
  const Recognition& r = result.recognition;

  const Network& network = find_network(r.network);
  ModelInfo& info = result.info;
  info.network = r.network;
  const Weights weights(r.tensors);
  std::map<std::string, std::string> set = options.wanted.set;
  if (network.decide) {
    const auto& scalars = opened.scalars();
    result.decisions = network.decide(weights, Options(network, set), Facts(scalars.begin(), scalars.end()));
    for (const Decision& d : result.decisions) set[d.option] = d.value;
  }
  const Options complete(network, set);
  info.options = {complete.values().begin(), complete.values().end()};
  info.inputs = with_changed_rules(network.inputs(weights, complete), options.preprocess);
  describe(network, weights, complete, info);
  info.class_names = named_classes(r, options.class_names);
  info.source_sha256 = sha256_of_file(checkpoint);
  write_model(model, info, *r.tensors, r.used, options.poll);
  info = read_model_info(SafetensorsFile(model));
  return result;
}

}  // namespace tyto
