// Checkpoints of PyTorch 1.6 and later: <name>/data.pkl and a record <name>/data/<key> per storage.
#include <fmt/format.h>

#include "tyto/error.h"
#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/zip_directory.h"

namespace tyto {
namespace {

// TorchScript and torch.export archives look alike, but hold programs.
void refuse_programs(const ZipDirectory& directory, const std::string& folder, const std::string& origin) {
  if (directory.records.contains(folder + "constants.pkl") || directory.records.contains(folder + "code/"))
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("{}: a TorchScript archive (torch.jit.save), not a checkpoint; load it in Python and "
                    "torch.save its state_dict()",
                    origin));
  if (directory.records.contains(folder + "serialized_exported_program.json") ||
      directory.records.contains(folder + "archive_format"))
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("{}: a torch.export archive, not a checkpoint; torch.save the state_dict()", origin));
}

void check_byte_order(const File& file, const ZipDirectory& directory, const std::string& folder) {
  const auto entry = directory.records.find(folder + "byteorder");
  if (entry == directory.records.end()) return;  // written since PyTorch 2.1
  RecordReader reader(file, entry->second);
  PickleInput input(reader, 0, file.path().string());
  const std::string order = input.text(reader.bytes());
  if (order != "little")
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: its byte order is '{}'; only little-endian checkpoints are read",
                            file.path().string(), printable(order)));
}

void place_storage(const StorageId& id, const ZipDirectory& directory, const std::string& folder,
                   const std::string& origin, Archive& archive) {
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::Format, fmt::format("{}: storage '{}' {}", origin, printable(id.key), why));
  };
  const auto record = directory.records.find(folder + "data/" + id.key);
  if (record == directory.records.end()) fail("is missing");
  const StoredStorage storage{.record = record->second, .elements = id.elements, .type = id.type};
  if (storage.bytes() > storage.record.bytes)
    fail(fmt::format("has {} bytes where {} elements of {} need {}", storage.record.bytes, id.elements,
                     id.type.name, storage.bytes()));
  const auto [known, is_new] = archive.storages.emplace(id.key, storage);
  if (!is_new && (known->second.elements != id.elements || known->second.type != id.type))
    fail("is described in two ways");
}

}  // namespace

void open_zip(const File& file, Archive& archive) {
  const std::string origin = file.path().string();
  const ZipDirectory directory = read_zip_directory(file);
  const std::string folder = directory.first.substr(0, directory.first.find('/')) + "/";
  refuse_programs(directory, folder, origin);
  const auto pickle = directory.records.find(folder + "data.pkl");
  if (pickle == directory.records.end())
    throw Error(ErrorKind::Format,
                fmt::format("{}: a zip file without '{}data.pkl', so not a PyTorch checkpoint", origin,
                            printable(folder)));
  check_byte_order(file, directory, folder);

  archive.pickle = pickle->second;
  RecordReader reader(file, archive.pickle);
  PickleInput input(reader, 0, origin);
  archive.object = unpickle(input, archive.space);
  for (PickleRef reference : archive.space.persistent) {
    const auto id = parse_storage_id(*reference->as<PicklePersistent>(), origin);
    if (!id) throw Error(ErrorKind::Format, fmt::format("{}: a persistent id that names no storage", origin));
    place_storage(*id, directory, folder, origin, archive);
  }
}

}  // namespace tyto
