#include "weights_converter/checkpoint/archive.h"

#include <fmt/format.h>

#include "tyto/error.h"

namespace tyto {
namespace {

[[noreturn]] void malformed(const std::string& origin, std::string_view what) {
  throw Error(ErrorKind::Format, fmt::format("{}: malformed reference to a storage: {}", origin, what));
}

void parse_view(const PickleValue& view, StorageId& id, const std::string& origin) {
  if (view.as<PickleNone>()) return;
  const PickleItems* items = items_of(view);  // (key, offset, elements)
  if (!items || items->size() != 3) malformed(origin, "its view is no triple");
  const auto *offset = (*items)[1]->as<int64_t>(), *elements = (*items)[2]->as<int64_t>();
  if (!offset || !elements || *offset < 0 || *elements < 0 || *offset > id.elements ||
      *elements > id.elements - *offset)
    malformed(origin, fmt::format("its view lies outside its {} elements", id.elements));
  id.view_offset = *offset;
  id.view_elements = *elements;
}

}  // namespace

std::string storage_key(const PickleValue& value) {
  if (const auto* text = value.as<PickleText>()) return text->text;
  if (const auto* number = value.as<int64_t>()) return std::to_string(*number);
  return {};
}

std::optional<StorageId> parse_storage_id(const PicklePersistent& persistent, const std::string& origin) {
  const PickleItems* items = items_of(*persistent.id);
  const auto* kind = items && !items->empty() ? items->front()->as<PickleText>() : nullptr;
  if (!kind || kind->text != "storage") return std::nullopt;
  if (items->size() != 5 && items->size() != 6) malformed(origin, "it has no five or six members");
  const auto* type = (*items)[1]->as<PickleGlobal>();
  if (!type) malformed(origin, "it names no class");
  const std::optional<ElementType> element = storage_element_type(type->name);
  if (!element) malformed(origin, printable(type->name) + " is no class of storages");
  const auto* elements = (*items)[4]->as<int64_t>();
  if (!elements || *elements < 0 || *elements > (int64_t{1} << 48))
    malformed(origin, "its element count is absurd");
  StorageId id{
      .key = storage_key(*(*items)[2]), .type = *element, .elements = *elements, .view_elements = *elements};
  if (id.key.empty()) malformed(origin, "it has no key");
  if (items->size() == 6) parse_view(*(*items)[5], id, origin);
  return id;
}

std::optional<StoredStorage> find_storage(const Archive& archive, const PickleValue& value,
                                          const std::string& origin) {
  const auto* persistent = value.as<PicklePersistent>();
  const auto id = persistent ? parse_storage_id(*persistent, origin) : std::nullopt;
  if (!id) return std::nullopt;
  const auto entry = archive.storages.find(id->key);
  if (entry == archive.storages.end())
    malformed(origin, fmt::format("there is no storage '{}'", printable(id->key)));
  StoredStorage storage = entry->second;
  storage.begin += static_cast<uint64_t>(id->view_offset * storage.type.bytes);
  storage.elements = id->view_elements;
  return storage;
}

}  // namespace tyto
