#include "weights_converter/checkpoint/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "engine/utf8.h"
#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {
namespace {

constexpr auto kUsualKeys = std::to_array<std::string_view>(
    {"state_dict", "model", "model_state_dict", "net", "network", "ema", "model_ema", "params"});
constexpr auto kPrefixes = std::to_array<std::string_view>({"module.", "_orig_mod."});

class Finder {
 public:
  Finder(const Archive& archive, const std::string& origin) : archive_(archive), origin_(origin) {}

  StateDict find() {
    const PickleValue& top = *archive_.object;
    if (!locate(top, "", 0)) fail(fmt::format("no tensors by name were found in it; {}", describe(top)));
    std::vector<std::string*> names;
    for (auto& [name, tensor] : found_.tensors) names.push_back(&name);
    found_.stripped_prefixes = strip_prefixes(names);
    check_cost();
    return std::move(found_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", origin_, why));
  }

  bool locate(const PickleValue& value, const std::string& path, int depth) {
    if (depth > limits::kMaxNestedDicts || !tried_.insert(&value).second) return false;
    if (const PickleValue* members = module_members(value)) {
      walk_module(*members, "", 0);
      found_.path = path;
      return true;
    }
    const PicklePairs* pairs = pairs_of(value);
    if (!pairs) return false;
    const auto tensors = static_cast<size_t>(std::count_if(
        pairs->begin(), pairs->end(), [&](const auto& pair) { return is_tensor(archive_, *pair.second); }));
    if (tensors < pairs->size() || pairs->empty())
      for (std::string_view key : kUsualKeys)
        if (const PickleValue* inner = lookup(value, key);
            inner &&
            locate(*inner, path.empty() ? std::string(key) : fmt::format("{}.{}", path, key), depth + 1)) {
          if (depth == 0) note_scalars(*pairs);
          return true;
        }
    if (tensors == 0) return false;
    for (const auto& [key, tensor] : *pairs) add(storage_key(*key), *tensor);
    found_.path = path;
    return true;
  }

  // The __dict__ of a pickled nn.Module, null for any other value. Classes with __slots__ pickle (dict,
  // slots).
  const PickleValue* module_members(const PickleValue& value) {
    const auto* object = value.as<PickleObject>();
    if (!object || !object->state) return nullptr;
    const PickleValue* members = object->state;
    if (const auto* pair = members->as<PickleTuple>(); pair && pair->items.size() == 2)
      members = pair->items[0];
    const auto* dict = members->as<PickleDict>();
    if (!dict) return nullptr;
    spend(dict->pairs.size());
    return lookup(*members, "_parameters") && lookup(*members, "_modules") ? members : nullptr;
  }

  // Parameters and buffers first, then sub-modules, as Module.state_dict() orders them.
  void walk_module(const PickleValue& members, const std::string& prefix, int depth) {
    if (depth > limits::kMaxModuleDepth)
      fail(fmt::format("its modules are nested more than {} deep", limits::kMaxModuleDepth));
    std::unordered_set<std::string> transient;
    if (const PickleValue* names = lookup(members, "_non_persistent_buffers_set"))
      if (const PickleItems* items = items_of(*names)) {
        spend(items->size());
        for (PickleRef item : *items) transient.insert(storage_key(*item));
      }
    for (const char* group : {"_parameters", "_buffers"})
      for_each(lookup(members, group), [&](const std::string& name, const PickleValue& value) {
        if (!transient.contains(name)) add(prefix + name, value);
      });
    for_each(lookup(members, "_modules"), [&](const std::string& name, const PickleValue& value) {
      if (const PickleValue* inner = module_members(value))
        walk_module(*inner, prefix + name + ".", depth + 1);
    });
  }

  template <class Visit>
  void for_each(const PickleValue* dict, Visit&& visit) {
    const PicklePairs* pairs = dict ? pairs_of(*dict) : nullptr;
    if (!pairs) return;
    spend(pairs->size());
    for (const auto& [key, value] : *pairs) visit(storage_key(*key), *value);
  }

  // Modules may share sub-modules, and a hostile file 2^60 paths to one of them.
  void spend(size_t entries) {
    entries_visited_ += entries + 1;
    if (entries_visited_ > limits::kMaxModuleEntries)
      fail(fmt::format("its modules have more than {} entries", limits::kMaxModuleEntries));
  }

  void add(const std::string& name, const PickleValue& value) {
    if (name.size() > limits::kMaxNameBytes || !is_utf8(name))
      fail(fmt::format("a tensor's name is longer than {} bytes or not UTF-8: '{}'", limits::kMaxNameBytes,
                       printable(name)));
    auto tensor = tensor_from(archive_, value, fmt::format("{}: tensor '{}'", origin_, printable(name)));
    if (!tensor) return;
    const auto [place, is_new] = places_.emplace(name, found_.tensors.size());
    if (!is_new) {
      found_.tensors[place->second].second = std::move(*tensor);
      return;
    }
    if (found_.tensors.size() == limits::kMaxTensors)
      fail(fmt::format("more than {} tensors", limits::kMaxTensors));
    found_.tensors.emplace_back(name, std::move(*tensor));
  }

  void note_scalars(const PicklePairs& pairs) {
    for (const auto& [key, value] : pairs) {
      constexpr size_t kLongest = 80;
      const auto* name = key->as<PickleText>();
      if (!name || name->text.size() > kLongest) continue;
      std::string text;
      if (const auto* number = value->as<int64_t>()) text = std::to_string(*number);
      if (const auto* number = value->as<double>()) text = fmt::format("{}", *number);
      if (const auto* flag = value->as<bool>()) text = *flag ? "true" : "false";
      if (const auto* words = value->as<PickleText>(); words && words->text.size() <= kLongest)
        text = printable(words->text);
      if (!text.empty()) found_.scalars.emplace_back(printable(name->text), text);
    }
  }

  // Many tensors may view one storage; a few kilobytes must not become terabytes of reading.
  void check_cost() const {
    double held = 0, needed = 0;
    for (const auto& [key, storage] : archive_.storages) held += static_cast<double>(storage.bytes());
    for (const auto& [name, value] : found_.tensors)
      if (value.unsupported.empty()) needed += static_cast<double>(bytes_to_read(value.tensor));
    if (needed > held * limits::kMaxViewsOfStorages + limits::kMaxViewsSlackBytes)
      throw Error(
          ErrorKind::Unsupported,
          fmt::format("{}: its tensors view its storages more than {} times over; save a copy in which "
                      "each tensor was clone()d",
                      origin_, limits::kMaxViewsOfStorages));
  }

  std::string describe(const PickleValue& top) const {
    if (is_tensor(archive_, top)) return "it holds a single tensor";
    const PicklePairs* pairs = pairs_of(top);
    if (!pairs) return fmt::format("it holds {}", kind_of(top));
    constexpr size_t kShown = 12;
    std::vector<std::string> keys;
    for (const auto& [key, value] : *pairs)
      if (keys.size() < kShown) keys.push_back(fmt::format("'{}'", printable(storage_key(*key))));
    return fmt::format("it holds a dict with the keys {}{}; looked for under {}", fmt::join(keys, ", "),
                       pairs->size() > kShown ? " ..." : "", fmt::join(kUsualKeys, ", "));
  }

  const Archive& archive_;
  const std::string& origin_;
  StateDict found_;
  std::unordered_set<const PickleValue*> tried_;
  std::unordered_map<std::string, size_t> places_;  // of names in found_.tensors
  uint64_t entries_visited_ = 0;
};

}  // namespace

// Repeatedly, since DataParallel may stand around torch.compile or inside it.
std::vector<std::string> strip_prefixes(std::span<std::string* const> names) {
  std::vector<std::string> stripped;
  for (bool again = !names.empty(); again;) {
    again = false;
    for (std::string_view prefix : kPrefixes) {
      if (!std::all_of(names.begin(), names.end(),
                       [&](const auto* name) { return name->starts_with(prefix); }))
        continue;
      for (std::string* name : names) name->erase(0, prefix.size());
      stripped.emplace_back(prefix);
      again = true;
    }
  }
  return stripped;
}

StateDict find_state_dict(const Archive& archive, const std::string& origin) {
  return Finder(archive, origin).find();
}

}  // namespace tyto
