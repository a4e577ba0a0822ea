// The list of a zip file's entries, from its central directory alone and only where every reader would see
// the same list.
#pragma once

#include <string>
#include <unordered_map>

#include "files/file.h"
#include "weights_converter/checkpoint/record.h"

namespace tyto {

struct ZipDirectory {
  std::string first;                                // name of the first entry
  std::unordered_map<std::string, Record> records;  // by full name
};

// Entries stored or deflated, ZIP64 or not. Error{Format} for truncated or ambiguous files (local and central
// header disagree, entries overlap, a name stands twice, bytes before or behind the archive);
// Error{Unsupported} for encryption, other methods, several disks. Checksums are not looked at: PyTorch can
// be told to write none.
ZipDirectory read_zip_directory(const File& file);

}  // namespace tyto
