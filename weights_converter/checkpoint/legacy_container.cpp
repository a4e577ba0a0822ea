// Checkpoints of PyTorch 0.1.10 to 1.5 (and later ones on request): five pickles (magic number, protocol
// version, system information, object, storage keys), then the storages in the keys' order, each with its
// element count.
#include <fmt/format.h>

#include <limits>

#include "tyto/error.h"
#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {
namespace {

constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr int64_t kProtocolVersion = 1001;

[[noreturn]] void fail(const std::string& origin, const std::string& why) {
  throw Error(ErrorKind::Format, fmt::format("{}: {}", origin, why));
}

// The first pickle of whatever file is no zip, no tar and no safetensors.
const PickleValue* read_first(PickleInput& input, PickleSpace& space) {
  try {
    return unpickle(input, space);
  } catch (const Error& error) {
    fail(input.origin(),
         fmt::format("not a checkpoint, or damaged at its very beginning: neither zip, tar nor "
                     "safetensors, and read as a pickle: {}",
                     std::string_view(error.what()).substr(input.origin().size() + 2)));
  }
}

void check_preamble(PickleInput& input, PickleSpace& space) {
  const std::string& origin = input.origin();
  const auto* magic = read_first(input, space)->as<PickleLong>();
  if (!magic || magic->bytes != kMagic)
    fail(origin,
         "a pickle, but not one that torch.save wrote; load it in Python and torch.save what it holds");
  const auto* version = unpickle(input, space)->as<int64_t>();
  if (!version || *version != kProtocolVersion)
    fail(origin, fmt::format("its protocol version is not {}", kProtocolVersion));
  const PickleValue* little = lookup(*unpickle(input, space), "little_endian");
  const bool* is_little = little ? little->as<bool>() : nullptr;
  if (!is_little) fail(origin, "it does not say in which byte order it was written");
  if (!*is_little)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: it is big-endian; only little-endian checkpoints are read", origin));
}

std::unordered_map<std::string, StorageId> storage_ids(const PickleSpace& space, const std::string& origin) {
  std::unordered_map<std::string, StorageId> ids;
  for (PickleRef reference : space.persistent) {
    const auto id = parse_storage_id(*reference->as<PicklePersistent>(), origin);
    if (!id) continue;  // ('module', class, file, source)
    const auto [known, is_new] = ids.emplace(id->key, *id);
    if (!is_new && (known->second.elements != id->elements || known->second.type != id->type))
      fail(origin, fmt::format("storage '{}' is described in two ways", printable(id->key)));
  }
  return ids;
}

void place_storages(const PickleItems& keys, PickleInput& input, Archive& archive) {
  const std::string& origin = input.origin();
  const auto ids = storage_ids(archive.space, origin);
  for (PickleRef value : keys) {
    const std::string key = storage_key(*value);
    const auto id = ids.find(key);
    if (id == ids.end()) fail(origin, fmt::format("storage '{}' belongs to nothing", printable(key)));
    const auto count = input.little_endian<int64_t>();
    const auto element = static_cast<uint64_t>(id->second.type.bytes);
    if (count < id->second.elements)
      fail(origin, fmt::format("storage '{}' has {} elements at byte {}, where {} were announced",
                               printable(key), count, input.position(), id->second.elements));
    if (static_cast<uint64_t>(count) > input.remaining() / element)
      fail(origin,
           fmt::format(
               "truncated: storage '{}' has {} elements of {} bytes at byte {}, where {} bytes are left",
               printable(key), count, element, input.position(), input.remaining()));
    const uint64_t bytes = static_cast<uint64_t>(count) * element;
    const Record record{.begin = input.position(), .stored_bytes = bytes, .bytes = bytes};
    const StoredStorage storage{.record = record, .elements = id->second.elements, .type = id->second.type};
    if (!archive.storages.emplace(key, storage).second)
      fail(origin, fmt::format("storage '{}' stands twice", printable(key)));
    input.skip(bytes);
  }
}

}  // namespace

void open_legacy(const File& file, Archive& archive) {
  archive.pickle = {.stored_bytes = file.size(), .bytes = file.size()};
  RecordReader reader(file, archive.pickle);
  PickleInput input(reader, 0, file.path().string());
  check_preamble(input, archive.space);
  archive.object = unpickle(input, archive.space);
  const PickleValue* keys = unpickle(input, archive.space);
  const auto* list = keys->as<PickleList>();
  if (!list) fail(input.origin(), "the list of its storages is missing");
  place_storages(list->items, input, archive);
}

}  // namespace tyto
