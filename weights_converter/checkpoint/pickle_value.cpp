#include "weights_converter/checkpoint/pickle_value.h"

#include <iterator>

namespace tyto {

std::string_view kind_of(const PickleValue& value) {
  constexpr std::string_view kNames[] = {
      "None",    "a bool", "an int", "a float", "an int",   "a string",        "a bytes object",
      "a tuple", "a list", "a set",  "a dict",  "a global", "a stored object", "an object"};
  static_assert(std::size(kNames) == std::variant_size_v<PickleValue::variant>);
  return kNames[value.index()];
}

const PickleValue* lookup(const PickleValue& dict, std::string_view key) {
  const PicklePairs* pairs = pairs_of(dict);
  if (!pairs) return nullptr;
  for (auto pair = pairs->rbegin(); pair != pairs->rend(); ++pair)
    if (const auto* text = pair->first->as<PickleText>(); text && text->text == key) return pair->second;
  return nullptr;
}

const PicklePairs* pairs_of(const PickleValue& value) {
  if (const auto* dict = value.as<PickleDict>()) return &dict->pairs;
  if (const auto* object = value.as<PickleObject>(); object && !object->pairs.empty()) return &object->pairs;
  return nullptr;
}

const PickleItems* items_of(const PickleValue& value) {
  if (const auto* tuple = value.as<PickleTuple>()) return &tuple->items;
  if (const auto* list = value.as<PickleList>()) return &list->items;
  if (const auto* set = value.as<PickleSet>()) return &set->items;
  // Made by a call with one tuple or list.
  const std::string_view made_by = class_of(value);
  if (made_by != "torch.Size" && made_by != "builtins.set" && made_by != "__builtin__.set") return nullptr;
  const auto* arguments = value.as<PickleObject>()->arguments->as<PickleTuple>();
  if (!arguments || arguments->items.size() != 1) return nullptr;
  const PickleValue& content = *arguments->items.front();
  if (const auto* tuple = content.as<PickleTuple>()) return &tuple->items;
  const auto* list = content.as<PickleList>();
  return list ? &list->items : nullptr;
}

std::string_view class_of(const PickleValue& value) {
  const auto* object = value.as<PickleObject>();
  if (!object) return {};
  const PickleValue* made_by = object->callable;
  if (const auto* persistent =
          made_by->as<PicklePersistent>()) {  // ('module', class, source file, source) of PyTorch < 1.6
    const PickleItems* id = items_of(*persistent->id);
    if (!id || id->size() < 2) return {};
    made_by = (*id)[1];
  }
  const auto* global = made_by->as<PickleGlobal>();
  return global ? std::string_view(global->name) : std::string_view();
}

}  // namespace tyto
