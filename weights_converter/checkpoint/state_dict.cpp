#include "weights_converter/checkpoint/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "files/utf8.h"
#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {
namespace {

// The __dict__ of an object whose class pickles it as its state; null for any other value. Classes with
// __slots__ pickle (dict, slots).
const PickleValue* members_of(const PickleValue& value) {
  const auto* object = value.as<PickleObject>();
  if (!object || !object->state) return nullptr;
  const PickleValue* members = object->state;
  if (const auto* pair = members->as<PickleTuple>(); pair && pair->items.size() == 2)
    members = pair->items[0];
  return members->as<PickleDict>() ? members : nullptr;
}

const PickleValue* module_members(const PickleValue& value) {
  const PickleValue* members = members_of(value);
  return members && lookup(*members, "_parameters") && lookup(*members, "_modules") ? members : nullptr;
}

// The tensors of one dict or module, by name.
class Collector {
 public:
  // entries_visited: of all modules of the file.
  Collector(const Archive& archive, const std::string& origin, uint64_t& entries_visited)
      : archive_(archive), origin_(origin), entries_visited_(entries_visited) {}

  StateDict collect(const std::string& key, const PickleValue& value) {
    found_.key = key;
    if (const PickleValue* members = module_members(value))
      walk_module(*members, "", 0);
    else
      for (const auto& [name, tensor] : *pairs_of(value)) add(storage_key(*name), *tensor);
    return std::move(found_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", origin_, why));
  }

  // Parameters and buffers first, then sub-modules, as Module.state_dict() orders them.
  void walk_module(const PickleValue& members, const std::string& prefix, int depth) {
    if (depth > limits::kMaxModuleDepth)
      fail(fmt::format("its modules are nested more than {} deep", limits::kMaxModuleDepth));
    spend(pairs_of(members)->size());
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
    if (name.empty()) return;  // under a key that is no name
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

  const Archive& archive_;
  const std::string& origin_;
  StateDict found_;
  std::unordered_map<std::string, size_t> places_;  // of names in found_.tensors
  uint64_t& entries_visited_;
};

// Where dicts of tensors lie.
class Finder {
 public:
  Finder(const Archive& archive, const std::string& origin) : archive_(archive), origin_(origin) {}

  std::vector<StateDict> find() {
    search(*archive_.object, "", 0);
    if (places_.empty())
      throw Error(ErrorKind::Format,
                  fmt::format("{}: no tensors by name were found in it; {}", origin_, describe()));
    std::stable_sort(places_.begin(), places_.end(),
                     [](const Place& a, const Place& b) { return a.tensors > b.tensors; });
    std::vector<StateDict> dicts;
    for (const Place& place : places_) {
      if (place.tensors * 8 <= places_.front().tensors || dicts.size() == limits::kMaxStateDicts) break;
      dicts.push_back(collect(place.key, *place.value));
      check_cost(dicts.back());
    }
    return dicts;
  }

 private:
  struct Place {
    std::string key;
    const PickleValue* value;  // a dict or module
    size_t tensors;
  };

  StateDict collect(const std::string& key, const PickleValue& value) {
    return Collector(archive_, origin_, entries_visited_).collect(key, value);
  }

  void search(const PickleValue& value, const std::string& key, int depth) {
    if (depth > limits::kMaxNestedDicts || !tried_.insert(&value).second || is_tensor(archive_, value))
      return;
    if (module_members(value)) {
      if (const size_t tensors = collect(key, value).tensors.size(); tensors > 0)
        places_.push_back({key, &value, tensors});
      return;
    }
    if (pairs_of(value)) search_dict(value, key, depth);
    if (const PickleValue* members = members_of(value)) search_dict(*members, key, depth);
    const auto* tuple = value.as<PickleTuple>();
    const auto* list = value.as<PickleList>();
    if (!tuple && !list) return;
    const PickleItems& items = tuple ? tuple->items : list->items;
    for (size_t i = 0; i < items.size(); ++i) search(*items[i], fmt::format("{}[{}]", key, i), depth + 1);
  }

  void search_dict(const PickleValue& dict, const std::string& key, int depth) {
    const PicklePairs& pairs = *pairs_of(dict);
    const auto tensors = static_cast<size_t>(std::count_if(pairs.begin(), pairs.end(), [&](const auto& pair) {
      return !storage_key(*pair.first).empty() && is_tensor(archive_, *pair.second);
    }));
    if (tensors > 0) places_.push_back({key, &dict, tensors});
    for (const auto& [name, inner] : pairs) {
      const std::string step = printable(storage_key(*name));
      search(*inner, key.empty() ? step : key + "." + step, depth + 1);
    }
  }

  // Many tensors may view one storage; a few kilobytes must not become terabytes of reading.
  void check_cost(const StateDict& dict) const {
    double held = 0, needed = 0;
    for (const auto& [key, storage] : archive_.storages) held += static_cast<double>(storage.bytes());
    std::set<uint64_t> in_pickle;  // arrays whose elements were counted
    for (const auto& [name, value] : dict.tensors) {
      if (!value.foreign_type.empty()) continue;
      const StoredStorage& storage = value.tensor.storage;
      needed += static_cast<double>(bytes_to_read(value.tensor));
      if (storage.record.begin == archive_.pickle.begin && in_pickle.insert(storage.begin).second)
        held += static_cast<double>(storage.bytes());
    }
    if (needed > held * limits::kMaxViewsOfStorages + limits::kMaxViewsSlackBytes)
      throw Error(
          ErrorKind::Unsupported,
          fmt::format("{}: its tensors view its storages more than {} times over; save a copy in which "
                      "each tensor was clone()d",
                      origin_, limits::kMaxViewsOfStorages));
  }

  std::string describe() const {
    const PickleValue& top = *archive_.object;
    if (is_tensor(archive_, top)) return "it holds a single tensor";
    const PicklePairs* pairs = pairs_of(top);
    if (!pairs) return fmt::format("it holds {}", kind_of(top));
    constexpr size_t kShown = 12;
    std::vector<std::string> keys;
    for (const auto& [key, value] : *pairs)
      if (keys.size() < kShown) keys.push_back(fmt::format("'{}'", printable(storage_key(*key))));
    return fmt::format("it holds a dict with the keys {}{}", fmt::join(keys, ", "),
                       pairs->size() > kShown ? " ..." : "");
  }

  const Archive& archive_;
  const std::string& origin_;
  std::vector<Place> places_;
  std::unordered_set<const PickleValue*> tried_;
  uint64_t entries_visited_ = 0;
};

// Those of a dict, and of the dicts in it, one level deep.
void append_scalars(const PickleValue& dict, const std::string& path, int depth,
                    std::vector<std::pair<std::string, std::string>>& scalars) {
  constexpr size_t kLongest = 80;
  constexpr int kDeepest = 2;
  const PicklePairs* pairs = pairs_of(dict);
  if (!pairs) return;
  for (const auto& [key, value] : *pairs) {
    const auto* name = key->as<PickleText>();
    if (!name || name->text.size() > kLongest) continue;
    const std::string at = path + printable(name->text);
    if (depth < kDeepest) append_scalars(*value, at + '.', depth + 1, scalars);
    std::string text;
    if (const auto* number = value->as<int64_t>()) text = std::to_string(*number);
    if (const auto* number = value->as<double>()) text = fmt::format("{}", *number);
    if (const auto* flag = value->as<bool>()) text = *flag ? "true" : "false";
    if (const auto* words = value->as<PickleText>(); words && words->text.size() <= kLongest)
      text = printable(words->text);
    if (!text.empty()) scalars.emplace_back(at, text);
  }
}

}  // namespace

std::vector<StateDict> find_state_dicts(const Archive& archive, const std::string& origin) {
  return Finder(archive, origin).find();
}

std::vector<std::pair<std::string, std::string>> scalars_of(const Archive& archive) {
  std::vector<std::pair<std::string, std::string>> scalars;
  append_scalars(*archive.object, "", 1, scalars);
  return scalars;
}

}  // namespace tyto
