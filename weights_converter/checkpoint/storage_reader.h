// The bytes of a storage, wherever and however they are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weights_converter/checkpoint/stored_tensor.h"

namespace tyto {

// Reads a storage forward. Going back in one that is deflated or kept as text starts over. One reader per
// thread.
class StorageReader {
 public:
  StorageReader(const File& file, const StoredStorage& storage);

  // Fills `into` from byte `offset` of the storage on, which holds as many. Error{Format} for a damaged
  // deflate stream, and where text that stands for bytes holds other characters than U+0000 to U+00FF, or not
  // as many as bytes are needed.
  void read(uint64_t offset, std::span<std::byte> into);

 private:
  void read_text(uint64_t offset, std::span<std::byte> into);
  std::byte next_of_text();

  const File& file_;
  const StoredStorage storage_;
  RecordReader reader_;
  std::vector<std::byte> window_;   // of the text
  uint64_t window_begin_ = 0;       // in the text
  uint64_t taken_ = 0, given_ = 0;  // bytes of the text, bytes of the storage
};

}  // namespace tyto
