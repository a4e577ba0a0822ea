#include "weights_converter/convert.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "engine/json_text.h"
#include "engine/model_file.h"
#include "engine/networks/network.h"
#include "engine/sha256.h"
#include "engine/utf8.h"
#include "weights_converter/checkpoint/checkpoint.h"
#include "weights_converter/nearest.h"

namespace tyto {
namespace {

constexpr size_t kNamesInMessage = 6;
constexpr int kMaxNesting = 4;  // of a preprocessing value

std::string some(const std::vector<std::string>& items) {
  const size_t shown = std::min(items.size(), kNamesInMessage);
  std::string text =
      fmt::format("{}", fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(shown), "; "));
  if (items.size() > shown) text += fmt::format("; and {} more", items.size() - shown);
  return text;
}

std::string describe(const Probe::Miss& miss, const std::vector<std::string>& names,
                     const TensorSource& source) {
  if (!miss.found.empty()) return fmt::format("'{}' is {}, not {}", miss.name, miss.found, miss.wanted);
  const std::string nearest = nearest_name(miss.name, names);
  if (nearest.empty()) return fmt::format("'{}' {} is missing", miss.name, miss.wanted);
  return fmt::format("'{}' {} is missing (nearest: '{}' {})", miss.name, miss.wanted, nearest,
                     source.find(nearest)->shape.str());
}

bool expected(const Probe& seen, const std::string& name) {
  return std::any_of(seen.expected_unused.begin(), seen.expected_unused.end(), [&](const std::string& e) {
    return name == e || (e.ends_with('.') && name.starts_with(e));
  });
}

// How a network fails to fit, in one phrase.
std::string difference(const Recognition& r) {
  std::string text = fmt::format("{} finds {} of its tensors", r.network, r.found);
  if (!r.missing.empty()) text += fmt::format(", misses {}: {}", r.missing.size(), some(r.missing));
  if (!r.unused.empty()) text += fmt::format(", has no use for {}: {}", r.unused.size(), some(r.unused));
  return text;
}

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

// What of the given options this network has.
std::map<std::string, std::string> known_to(const Network& network,
                                            const std::map<std::string, std::string>& given) {
  std::map<std::string, std::string> known;
  for (const OptionSpec& o : network.options)
    if (const auto it = given.find(std::string(o.name)); it != given.end()) known.insert(*it);
  return known;
}

// A name from the command line.
const std::string& named(const std::string& network) {
  try {
    find_network(network);
  } catch (const Error& e) {
    throw Error(ErrorKind::Usage, e.what());
  }
  return network;
}

Recognition recognise(const TensorSource& source, const ConvertOptions& options) {
  if (options.network) return probe(named(*options.network), options.set, source);
  std::vector<Recognition> all, matches;
  for (const Network& network : networks()) {
    all.push_back(probe(std::string(network.name), known_to(network, options.set), source));
    if (all.back().matches()) matches.push_back(all.back());
  }
  if (matches.empty() && options.allow_unused)
    std::copy_if(all.begin(), all.end(), std::back_inserter(matches),
                 [](const Recognition& r) { return r.missing.empty(); });
  if (matches.size() == 1) return probe(matches[0].network, options.set, source);
  if (matches.size() > 1) {
    std::vector<std::string> names;
    for (const Recognition& r : matches) names.push_back(r.network);
    throw Error(ErrorKind::Format, fmt::format("{} fits several networks ({}); choose with --network",
                                               source.origin(), fmt::join(names, ", ")));
  }
  const auto nearest =
      std::max_element(all.begin(), all.end(), [](const Recognition& a, const Recognition& b) {
        return a.found - static_cast<int>(a.missing.size()) < b.found - static_cast<int>(b.missing.size());
      });
  throw Error(ErrorKind::Format,
              fmt::format("{} fits no network that tyto knows; nearest: {}. `tyto inspect` lists its tensors",
                          source.origin(), difference(*nearest)));
}

}  // namespace

Recognition probe(const std::string& name, const std::map<std::string, std::string>& options,
                  const TensorSource& source) {
  const Network& network = find_network(name);
  Recognition r;
  r.network = name;
  Probe seen;
  const std::shared_ptr<const TensorSource> borrowed(&source, [](const TensorSource*) {});
  const std::vector<std::string> names = source.names();
  Graph graph;
  std::string stopped;
  try {
    network.build(graph, Weights(borrowed, &seen), Options(network, options),
                  {1, 3, network.preprocessing.height, network.preprocessing.width});
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::Usage) throw;
    stopped = e.what();
  }
  std::vector<std::string> free;  // a tensor with a place of its own is no candidate for a missing one
  for (const std::string& n : names)
    if (!seen.used.contains(n)) free.push_back(n);
  for (const Probe::Miss& miss : seen.misses) r.missing.push_back(describe(miss, free, source));
  if (r.missing.empty() && !stopped.empty()) r.missing.push_back(stopped);
  r.found = static_cast<int>(seen.used.size());
  for (const std::string& n : names) {
    if (seen.used.count(n))
      r.used.push_back(n);
    else if (stopped.empty())
      (expected(seen, n) ? r.ignored : r.unused).push_back(n);
  }
  return r;
}

Converted convert(const std::filesystem::path& checkpoint, const std::filesystem::path& model,
                  const ConvertOptions& options) {
  for (const std::string& name : options.class_names) check_text(name, "class name");
  const Checkpoint source(checkpoint);
  Converted result;
  result.recognition = recognise(source, options);
  const Recognition& r = result.recognition;
  if (!r.missing.empty())
    throw Error(ErrorKind::Format, fmt::format("{} is no {}: {}", source.origin(), r.network, difference(r)));
  if (!r.unused.empty() && !options.allow_unused)
    throw Error(ErrorKind::Format, fmt::format("{}: {}; the network that was trained may be another one "
                                               "(--allow-unused converts it all the same)",
                                               source.origin(), difference(r)));

  const Network& network = find_network(r.network);
  ModelInfo& info = result.info;
  info.network = r.network;
  const Options complete(network, options.set);
  info.options = {complete.values().begin(), complete.values().end()};
  info.preprocessing = changed_rule(to_json(network.preprocessing), options.preprocess);
  info.class_names = options.class_names;
  info.source_sha256 = sha256_of_file(checkpoint);
  write_model(model, info, source, r.used, options.poll);
  info = read_model_info(SafetensorsFile(model));
  return result;
}

}  // namespace tyto
