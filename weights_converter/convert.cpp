#include "weights_converter/convert.h"

#include <fmt/format.h>

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
std::string changed_rule(const std::string& rule, const std::map<std::string, std::string>& changes) {
  auto j = nlohmann::ordered_json::parse(rule);
  if (changes.contains("fit"))  // the keys of the former way to fit go with it
    for (const char* key : {"shorter_side", "fill"}) j.erase(key);
  for (const auto& [key, value] : changes) {
    check_text(key + "=" + value, "preprocessing");
    try {
      j[key] = parse_json(value, kMaxNesting, key);
    } catch (const Error&) {
      j[key] = value;
    }
  }
  try {
    return to_json(preprocessing_from_json(j.dump()));
  } catch (const Error& e) {
    throw Error(ErrorKind::Usage, fmt::format("--preprocess: {}", e.what()));
  }
}

// The network must be able to run at the size that the rule was changed to.
void check_size(const Network& network, const std::shared_ptr<const TensorSource>& source,
                const Options& options, const std::string& rule) {
  const Preprocessing p = preprocessing_from_json(rule);
  Graph graph;
  try {
    network.build(graph, Weights(source), options, {1, 3, p.height, p.width});
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::Shape) throw;
    throw Error(ErrorKind::Usage, fmt::format("--preprocess size=[{},{}]: {}", p.height, p.width, e.what()));
  }
}

// One name a class, a detector's background first.
std::vector<std::string> named_classes(const Recognition& r, std::vector<std::string> names) {
  if (names.empty() && r.detects) names = usual_class_names(r.network, r.classes);
  if (names.empty() || r.classes == 0) return names;
  const auto count = static_cast<int64_t>(names.size());
  if (r.detects && count == r.classes - 1) names.insert(names.begin(), "background");
  if (static_cast<int64_t>(names.size()) != r.classes)
    throw Error(ErrorKind::Usage,
                fmt::format("--classes lists {} names, but {} has {} classes{}", count, r.network,
                            r.detects ? r.classes - 1 : r.classes, r.detects ? " and a background" : ""));
  return names;
}

}  // namespace

Converted convert(const std::filesystem::path& checkpoint, const std::filesystem::path& model,
                  const ConvertOptions& options) {
  for (const std::string& name : options.class_names) check_text(name, "class name");
  Converted result;
  result.recognition = recognise(Checkpoint(checkpoint), checkpoint.string(), options.wanted);
  const Recognition& r = result.recognition;

  const Network& network = find_network(r.network);
  ModelInfo& info = result.info;
  info.network = r.network;
  const Options complete(network, options.wanted.set);
  info.options = {complete.values().begin(), complete.values().end()};
  info.preprocessing = changed_rule(to_json(network.preprocessing), options.preprocess);
  check_size(network, r.tensors, complete, info.preprocessing);
  info.class_names = named_classes(r, options.class_names);
  info.source_sha256 = sha256_of_file(checkpoint);
  write_model(model, info, *r.tensors, r.used, options.poll);
  info = read_model_info(SafetensorsFile(model));
  return result;
}

}  // namespace tyto
