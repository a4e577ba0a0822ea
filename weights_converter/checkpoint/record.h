// A run of bytes in a checkpoint, stored plainly or deflated, and its reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "files/file.h"

namespace tyto {

struct Record {
  uint64_t begin = 0;         // first byte in the file
  uint64_t stored_bytes = 0;  // in the file
  uint64_t bytes = 0;         // after inflating; equal to stored_bytes where nothing is deflated
  bool deflated = false;
};

// Reads a record forward. Going back in a deflated one starts over; a plain one is read at any place for the
// same price. Owns its position: one reader per thread.
class RecordReader {
 public:
  RecordReader(const File& file, const Record& record);
  ~RecordReader();
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  uint64_t bytes() const { return record_.bytes; }

  // Fills `into` from byte `offset` of the record on. Error{Format} past its end or in a damaged deflate
  // stream.
  void read(uint64_t offset, std::span<std::byte> into);

 private:
  struct Inflater;

  const File& file_;
  Record record_;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace tyto
