// A checkpoint's container, opened: the pickled object and the places of its storages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "files/file.h"
#include "weights_converter/checkpoint/pickle_machine.h"
#include "weights_converter/checkpoint/stored_tensor.h"

namespace tyto {

struct Archive {
  PickleSpace space;
  const PickleValue* object = nullptr;                      // what torch.save was given
  Record pickle;                                            // in which its pickle lies
  std::unordered_map<std::string, StoredStorage> storages;  // by key
  std::unordered_map<std::string, StoredTensor> tensors;    // by key; only tar files keep tensors apart
};

// Each fills `archive` from a file of its format; where it throws, what was read until then stays in
// `archive`. Error{Format}, Error{Unsupported}, Error{File}.
void open_zip(const File& file, Archive& archive);     // PyTorch 1.6 and later
void open_legacy(const File& file, Archive& archive);  // 0.1.10 to 1.5: five pickles, then the storages
void open_tar(const File& file, Archive& archive);     // before 0.1.10

// The persistent id of a storage: ('storage', class, key, location, elements[, view]).
struct StorageId {
  std::string key;
  ElementType type;
  int64_t elements = 0;
  int64_t view_offset = 0;    // the storage proper is this part of the one under `key`
  int64_t view_elements = 0;  // equal to elements where there is no view
};

// nullopt where the id is not one of a storage. Error{Format} where it is one and malformed.
std::optional<StorageId> parse_storage_id(const PicklePersistent& persistent, const std::string& origin);

// A key, which some writers give as a number; "" for any other value.
std::string storage_key(const PickleValue& value);

// Where the storage that a persistent id names lies; nullopt where `value` is no such id.
std::optional<StoredStorage> find_storage(const Archive& archive, const PickleValue& value,
                                          const std::string& origin);

}  // namespace tyto
