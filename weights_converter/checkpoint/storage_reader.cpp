#include "weights_converter/checkpoint/storage_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "tyto/error.h"

namespace tyto {

StorageReader::StorageReader(const File& file, const StoredStorage& storage)
    : file_(file), storage_(storage), reader_(file, storage.record) {}

void StorageReader::read(uint64_t offset, std::span<std::byte> into) {
  if (storage_.latin1_bytes > 0)
    read_text(offset, into);
  else
    reader_.read(storage_.begin + offset, into);
}

void StorageReader::read_text(uint64_t offset, std::span<std::byte> into) {
  if (offset < given_) taken_ = given_ = 0;
  while (given_ < offset) next_of_text();
  for (std::byte& b : into) b = next_of_text();
  if (given_ == storage_.bytes() && taken_ != storage_.latin1_bytes)
    throw Error(ErrorKind::Format,
                fmt::format("{}: the text at byte {} of the pickle stands for more than {} bytes",
                            file_.path().string(), storage_.begin, storage_.bytes()));
}

std::byte StorageReader::next_of_text() {
  constexpr uint64_t kWindowBytes = 64 << 10;
  const auto take = [&] {
    if (taken_ == storage_.latin1_bytes)
      throw Error(ErrorKind::Format,
                  fmt::format("{}: the text at byte {} of the pickle stands for less than {} bytes",
                              file_.path().string(), storage_.begin, storage_.bytes()));
    if (taken_ < window_begin_ || taken_ >= window_begin_ + window_.size()) {
      window_begin_ = taken_;
      window_.resize(static_cast<size_t>(std::min(kWindowBytes, storage_.latin1_bytes - taken_)));
      reader_.read(storage_.begin + window_begin_, window_);
    }
    return std::to_integer<unsigned>(window_[static_cast<size_t>(taken_++ - window_begin_)]);
  };
  ++given_;
  const unsigned first = take();
  if (first < 0x80) return static_cast<std::byte>(first);
  const unsigned second = first == 0xC2 || first == 0xC3 ? take() : 0;
  if ((second & 0xC0) != 0x80)
    throw Error(ErrorKind::Format,
                fmt::format("{}: the text at byte {} of the pickle does not stand for bytes",
                            file_.path().string(), storage_.begin));
  return static_cast<std::byte>((first & 3) << 6 | (second & 0x3F));
}

}  // namespace tyto
