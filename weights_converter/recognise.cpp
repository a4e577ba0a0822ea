// Which network a set of tensors belongs to.
#include "weights_converter/recognise.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "engine/networks/network.h"
#include "weights_converter/nearest.h"

namespace tyto {
namespace {

constexpr size_t kNamesInMessage = 6;

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

// How well a network fits: tensors found, less those missed.
int fit(const Recognition& r) { return r.found - static_cast<int>(r.missing.size()); }

// The best fit, and a second one if it finds anything at all.
std::string near_misses(std::vector<Recognition> all) {
  std::sort(all.begin(), all.end(), [](const Recognition& a, const Recognition& b) {
    return std::pair(-fit(a), a.network) < std::pair(-fit(b), b.network);
  });
  std::string text = difference(all[0]);
  if (all.size() > 1 && fit(all[1]) > 0) text += ". Next: " + difference(all[1]);
  return text;
}

}  // namespace

std::string difference(const Recognition& r) {
  std::string text = fmt::format("{} finds {} of its tensors", r.network, r.found);
  if (!r.missing.empty()) text += fmt::format(", misses {}: {}", r.missing.size(), some(r.missing));
  if (!r.unused.empty()) text += fmt::format(", has no use for {}: {}", r.unused.size(), some(r.unused));
  return text;
}

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
  for (const auto& [output, value] : graph.outputs()) {
    const Shape& shape = graph.shape(value);
    if (output == "logits") r.classes = shape[shape.rank() - 1];
    r.detects |= output == "detections";
  }
  std::vector<std::string> free;  // a tensor with a place of its own is no candidate for a missing one
  for (const std::string& n : names)
    if (!seen.used.contains(n)) free.push_back(n);
  for (const Probe::Miss& miss : seen.misses)
    r.missing.push_back(
        describe(miss, r.missing.size() < kNamesInMessage ? free : std::vector<std::string>(), source));
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

Recognition recognise(const TensorSource& source, const std::optional<std::string>& network,
                      const std::map<std::string, std::string>& options, bool allow_unused) {
  if (network) return probe(named(*network), options, source);
  std::vector<Recognition> all, matches;
  for (const Network& n : networks()) {
    all.push_back(probe(std::string(n.name), known_to(n, options), source));
    if (all.back().matches()) matches.push_back(all.back());
  }
  if (matches.empty() && allow_unused)
    std::copy_if(all.begin(), all.end(), std::back_inserter(matches),
                 [](const Recognition& r) { return r.missing.empty(); });
  if (matches.size() == 1) return probe(matches[0].network, options, source);
  if (matches.empty())
    throw Error(
        ErrorKind::Format,
        fmt::format("{} fits no network that tyto knows; nearest: {}. `tyto inspect` lists its tensors",
                    source.origin(), near_misses(all)));
  std::vector<std::string> names;
  for (const Recognition& r : matches) names.push_back(r.network);
  throw Error(ErrorKind::Format, fmt::format("{} fits several networks ({}); choose with --network",
                                             source.origin(), fmt::join(names, ", ")));
}

}  // namespace tyto
