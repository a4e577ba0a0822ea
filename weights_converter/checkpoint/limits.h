// What a checkpoint may ask of the reader. Every limit is far above any real checkpoint and is named in the
// error of a file that passes it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tyto::limits {

// Containers.
constexpr uint64_t kMaxRecords = 1 << 20;  // entries of a zip or tar, storages of a stream
constexpr uint64_t kMaxZipDirectoryBytes = 256 << 20;
constexpr uint64_t kMaxDeflateRatio = 1040;  // deflate cannot exceed 1032 : 1

// Pickles.
constexpr uint64_t kMaxPickleBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxPickleOpcodes = 32 << 20;
constexpr size_t kMaxPickleValues = 2 << 20;    // values made, memo entries, stack entries: each
constexpr size_t kMaxKeptTextBytes = 64 << 10;  // longer strings (source texts, blobs) are skipped unread
constexpr size_t kMaxLineBytes = 4 << 10;       // of protocol 0's newline-terminated arguments
constexpr size_t kMaxGlobals = 10'000;          // different ones

// Tensors.
constexpr size_t kMaxRank = 16;  // as in our safetensors reader
constexpr size_t kMaxNameBytes = 4 << 10;
constexpr size_t kMaxTensors = 1 << 20;
constexpr size_t kMaxModuleEntries = 8 << 20;  // visited, so that shared sub-modules cannot multiply
constexpr int kMaxModuleDepth = 64;
constexpr int kMaxNestedDicts = 6;                  // {'model': {'state_dict': ...}}
constexpr size_t kMaxStateDicts = 16;               // looked at, the largest first
constexpr int kMaxWrappers = 8;                     // Parameter of a subclass of a tensor ...
constexpr int64_t kMaxExpandedElements = 16 << 20;  // of a tensor with more elements than its storage
constexpr uint64_t kMaxOverlapBytes = 16 << 20;     // of the part of a storage that an overlapping view spans
constexpr int kMaxViewsOfStorages = 64;             // bytes read for all tensors per byte of storage ...
constexpr uint64_t kMaxViewsSlackBytes = 256 << 20;  // ... beyond this many

}  // namespace tyto::limits
