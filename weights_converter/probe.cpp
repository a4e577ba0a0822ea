#include "weights_converter/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/graph/weights.h"
#include "files/memory_source.h"
#include "weights_converter/nearest.h"

namespace tyto {
namespace {

constexpr size_t kMaxPrefixes = 16;  // more copies of one network than these are no reason to go on looking
constexpr size_t kNearestNamesSought = 6;  // of missing tensors; the others are counted in messages

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

// Builds the network at the sizes of its rules; why that stopped half-way, or nothing.
std::string build(const Network& network, const std::map<std::string, std::string>& given,
                  const TensorSource& source, Probe& seen, NetworkOutputs& built) {
  const std::shared_ptr<const TensorSource> borrowed(&source, [](const TensorSource*) {});
  try {
    const Weights weights(borrowed, &seen);
    const Options options(network, given);
    const std::vector<InputInfo> inputs = network.inputs(weights, options);
    Graph graph;
    built = build_whole(graph, network, weights, options, inputs, input_shapes(inputs, 1));
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::Usage) throw;
    return e.what();
  }
  return {};
}

std::string common_prefix(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string prefix = names.front();
  for (const std::string& name : names) {
    const auto differ = std::mismatch(prefix.begin(), prefix.end(), name.begin(), name.end()).first;
    prefix.erase(differ, prefix.end());
  }
  return prefix.substr(0, prefix.rfind('.') + 1);
}

}  // namespace

Probed probe(const Network& network, const std::map<std::string, std::string>& options,
             const TensorSource& source) {
  Probed r;
  r.network = network.name;
  Probe seen;
  NetworkOutputs built;
  const std::string stopped = build(network, options, source, seen, built);
  r.task = built.task;
  r.classes = built.classes;
  const std::vector<std::string> names = source.names();
  std::vector<std::string> free;  // a tensor with a place of its own is no candidate for a missing one
  for (const std::string& n : names)
    if (!seen.used.contains(n)) free.push_back(n);
  for (const Probe::Miss& miss : seen.misses)
    r.missing.push_back(
        describe(miss, r.missing.size() < kNearestNamesSought ? free : std::vector<std::string>(), source));
  if (r.missing.empty() && !stopped.empty()) r.missing.push_back(stopped);
  const auto misfits = std::count_if(seen.misses.begin(), seen.misses.end(),
                                     [](const Probe::Miss& miss) { return !miss.found.empty(); });
  r.found = static_cast<int>(seen.used.size()) - static_cast<int>(misfits);
  for (const std::string& n : names) {
    if (seen.used.count(n))
      r.used.push_back(n);
    else if (expected(seen, n))
      r.ignored.push_back(n);
    else if (stopped.empty())
      r.unused.push_back(n);
  }
  return r;
}

std::vector<std::string> prefixes(const Network& network, const std::map<std::string, std::string>& options,
                                  const TensorSource& source) {
  Probe asked;
  NetworkOutputs built;
  build(network, options, MemorySource({}), asked, built);
  const std::vector<std::string> names = source.names();
  std::set<std::string> found = {"", common_prefix(names)};
  for (const std::string& name : names) {
    if (!asked.first || found.size() == kMaxPrefixes) break;
    if (name.ends_with("." + asked.first->name) && fits(*source.find(name), asked.first->dims))
      found.insert(name.substr(0, name.size() - asked.first->name.size()));
  }
  return {found.begin(), found.end()};
}

}  // namespace tyto
