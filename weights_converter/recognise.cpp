#include "weights_converter/recognise.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "weights_converter/derived_source.h"
#include "weights_converter/nearest.h"
#include "weights_converter/reparametrised.h"
#include "weights_converter/wrappers.h"

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

// "resnet", "resnet in 'model_ema' under 'encoder_q.'".
std::string location(const Recognition& r) {
  std::string text = r.network;
  if (!r.key.empty()) text += fmt::format(" in '{}'", r.key);
  if (!r.prefix.empty()) text += fmt::format(" under '{}'", r.prefix);
  return text;
}

// How a network fails to fit, in one phrase that names the first few tensors.
std::string difference(const Recognition& r) {
  std::string text = fmt::format("{} finds {} of its tensors", location(r), r.found);
  if (!r.missing.empty()) text += fmt::format(", misses {}: {}", r.missing.size(), some(r.missing));
  if (!r.unused.empty()) text += fmt::format(", has no use for {}: {}", r.unused.size(), some(r.unused));
  if (r.missing.empty() && !r.unused.empty()) text += " (--allow-unused converts it all the same)";
  return text;
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
const Network& named(const std::string& network) {
  try {
    return find_network(network);
  } catch (const Error& e) {
    throw Error(ErrorKind::Usage, e.what());
  }
}

// The dicts that come into question.
std::vector<NamedTensors> chosen_dicts(const Checkpoint& checkpoint, const std::string& origin,
                                       const std::optional<std::string>& key) {
  if (!key) return checkpoint.dicts();
  std::vector<std::string> keys;
  for (const NamedTensors& dict : checkpoint.dicts()) {
    if (dict.key == *key) return {dict};
    keys.push_back(fmt::format("'{}'", dict.key));
  }
  throw Error(ErrorKind::Usage, fmt::format("{} has no tensors under --key '{}', but under {}", origin, *key,
                                            fmt::join(keys, ", ")));
}

// As it stands in names without wrappers, with its dot.
std::string chosen_prefix(const std::string& given) {
  std::vector<std::string> wrappers;
  const std::string prefix = given.empty() || given.ends_with('.') ? given : given + '.';
  return without_wrappers(prefix, wrappers);
}

std::shared_ptr<const TensorSource> below(const std::shared_ptr<const TensorSource>& tensors,
                                          const std::string& prefix) {
  if (prefix.empty()) return tensors;
  auto out = std::make_shared<DerivedSource>(tensors->origin());
  for (const std::string& name : tensors->names())
    if (name.starts_with(prefix)) out->add(name.substr(prefix.size()), tensors, name);
  return out;
}

void check_prefix(const std::vector<NamedTensors>& dicts, const std::string& origin,
                  const std::string& prefix) {
  std::vector<std::string> known;
  for (const NamedTensors& dict : dicts)
    for (const std::string& name : dict.tensors->names()) {
      if (name.starts_with(prefix)) return;
      known.push_back(name.substr(0, name.find('.') + 1));
    }
  const std::string nearest = nearest_name(prefix, known);
  throw Error(ErrorKind::Usage,
              fmt::format("no tensor of {} has a name under --prefix '{}'{}", origin, prefix,
                          nearest.empty() ? "" : fmt::format("; nearest: '{}'", nearest)));
}

// tensors: those of the dict below the prefix
Recognition probe_below(const Network& network, const std::map<std::string, std::string>& options,
                        const NamedTensors& dict, const std::string& prefix,
                        const std::shared_ptr<const TensorSource>& tensors, bool rest_counts) {
  Recognition r;
  static_cast<Probed&>(r) = probe(network, options, *tensors);
  r.key = dict.key;
  r.prefix = prefix;
  r.wrappers = dict.wrappers;
  r.tensors = tensors;
  for (const std::string& name : dict.tensors->names())
    if (!name.starts_with(prefix)) (rest_counts ? r.unused : r.outside).push_back(name);
  return r;
}

// Whether a is a part of b, which finds more: a trunk within a whole network, say, with the classifier that b
// ignores.
bool is_within(const Recognition& a, const Recognition& b) {
  if (a.key != b.key || a.found >= b.found) return false;
  std::set<std::string> of_b;
  for (const auto* names : {&b.used, &b.ignored})
    for (const std::string& name : *names) of_b.insert(b.prefix + name);
  return std::all_of(a.used.begin(), a.used.end(),
                     [&](const std::string& name) { return of_b.contains(a.prefix + name); });
}

// Those that miss nothing and are no part of another network, which may miss something: a detector that lacks
// one tensor is not its trunk.
std::vector<Recognition> largest_fits(const std::vector<Recognition>& all) {
  std::vector<Recognition> fits;
  std::copy_if(all.begin(), all.end(), std::back_inserter(fits), [&](const Recognition& r) {
    return r.missing.empty() &&
           std::none_of(all.begin(), all.end(), [&](const Recognition& o) { return is_within(r, o); });
  });
  return fits;
}

[[noreturn]] void refuse_several(const std::string& origin, const std::vector<Recognition>& fits) {
  std::set<std::string> networks, keys, prefixes;
  std::vector<std::string> locations, ways;
  for (const Recognition& r : fits) {
    locations.push_back(location(r));
    networks.insert(r.network);
    keys.insert(r.key);
    prefixes.insert(r.prefix);
  }
  if (networks.size() > 1) ways.emplace_back("--network");
  if (keys.size() > 1) ways.emplace_back("--key");
  if (prefixes.size() > 1) ways.emplace_back("--prefix");
  throw Error(ErrorKind::Format, fmt::format("{} fits in several ways ({}); choose with {}", origin,
                                             fmt::join(locations, ", "), fmt::join(ways, " and ")));
}

// The nearest shares most tensors; a second one is worth a word where it shares half as many.
[[noreturn]] void refuse_all(const std::string& origin, std::vector<Recognition> all, const Wanted& wanted) {
  std::sort(all.begin(), all.end(), [](const Recognition& a, const Recognition& b) {
    return std::tuple(-a.found, a.missing.size(), a.network) <
           std::tuple(-b.found, b.missing.size(), b.network);
  });
  const Recognition& nearest = all.front();
  if (wanted.network && nearest.missing.empty())
    throw Error(ErrorKind::Format, fmt::format("{}: {}; the network that was trained may be another one",
                                               origin, difference(nearest)));
  if (wanted.network)
    throw Error(ErrorKind::Format,
                fmt::format("{} is no {}: {}", origin, nearest.network, difference(nearest)));
  std::string text = "none of its tensors has the name of one of theirs";
  if (nearest.found > 0) text = "nearest: " + difference(nearest);
  const auto next = std::find_if(all.begin() + 1, all.end(),
                                 [&](const Recognition& r) { return r.network != nearest.network; });
  if (next != all.end() && next->found > 0 && next->found >= nearest.found / 2)
    text += ". Next: " + difference(*next);
  throw Error(
      ErrorKind::Format,
      fmt::format("{} fits no network that tyto knows; {}. `tyto inspect` lists its tensors", origin, text));
}

}  // namespace

Recognition recognise(const Checkpoint& checkpoint, const std::string& origin, const Wanted& wanted) {
  std::vector<NamedTensors> dicts = chosen_dicts(checkpoint, origin, wanted.key);
  for (NamedTensors& dict : dicts) dict.tensors = with_weights_of_parts(dict.tensors);
  std::vector<Network> candidates = networks();
  if (wanted.network) candidates = {named(*wanted.network)};
  const auto prefix = wanted.prefix ? std::optional(chosen_prefix(*wanted.prefix)) : std::nullopt;
  if (prefix) check_prefix(dicts, origin, *prefix);

  std::vector<Recognition> all, matches;
  for (const NamedTensors& dict : dicts) {
    std::map<std::string, std::shared_ptr<const TensorSource>> views;  // by prefix
    for (const Network& network : candidates) {
      const auto options = wanted.network ? wanted.set : known_to(network, wanted.set);
      const auto tried = prefix ? std::vector{*prefix} : prefixes(network, options, *dict.tensors);
      for (const std::string& p : tried) {
        auto& view = views[p];
        if (!view) view = below(dict.tensors, p);
        all.push_back(probe_below(network, options, dict, p, view, !prefix));
      }
    }
  }
  std::copy_if(all.begin(), all.end(), std::back_inserter(matches),
               [](const Recognition& r) { return r.matches(); });
  if (matches.empty()) {
    matches = largest_fits(all);
    if (matches.size() == 1 && !wanted.allow_unused) refuse_all(origin, all, wanted);
  }
  if (matches.empty()) refuse_all(origin, all, wanted);
  if (matches.size() > 1) refuse_several(origin, matches);
  if (!wanted.network)
    Options(find_network(matches[0].network), wanted.set);  // Error{Usage}: one that it lacks
  return std::move(matches[0]);
}

}  // namespace tyto
