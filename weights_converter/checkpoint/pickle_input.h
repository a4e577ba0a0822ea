// Bytes of a pickle in order, through a small window of the file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weights_converter/checkpoint/record.h"

namespace tyto {

// Everything throws Error{Format} where the record ends too early.
class PickleInput {
 public:
  // Reads from byte `offset` of the record on. `origin` stands in front of error messages.
  PickleInput(RecordReader& record, uint64_t offset, std::string origin);

  const std::string& origin() const { return origin_; }
  uint64_t position() const { return window_begin_ + next_; }  // byte of the record that comes next
  uint64_t remaining() const { return record_.bytes() - position(); }

  uint8_t byte();
  void read(std::span<std::byte> into);
  void skip(uint64_t bytes);
  std::string text(uint64_t bytes);  // "" where longer than limits::kMaxKeptTextBytes
  std::string line();                // up to the newline, which is dropped
  template <class T>
  T little_endian() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    read(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }

 private:
  void refill();
  void require(uint64_t bytes) const;

  RecordReader& record_;
  std::string origin_;
  std::vector<std::byte> window_;
  uint64_t window_begin_;
  size_t next_ = 0;
};

}  // namespace tyto
