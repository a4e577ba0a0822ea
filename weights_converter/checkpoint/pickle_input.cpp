#include "weights_converter/checkpoint/pickle_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {

PickleInput::PickleInput(RecordReader& record, uint64_t offset, std::string origin)
    : record_(record), origin_(std::move(origin)), window_begin_(offset) {
  require(0);
}

void PickleInput::require(uint64_t bytes) const {
  const uint64_t end = record_.bytes();
  if (position() > end || bytes > end - position())
    throw Error(ErrorKind::Format,
                fmt::format("{}: truncated: {} bytes are needed at byte {}, where {} are left", origin_,
                            bytes, position(), position() > end ? 0 : end - position()));
}

void PickleInput::refill() {
  constexpr uint64_t kWindowBytes = 64 << 10;
  require(1);
  window_begin_ = position();
  next_ = 0;
  window_.resize(static_cast<size_t>(std::min(kWindowBytes, record_.bytes() - window_begin_)));
  record_.read(window_begin_, window_);
}

uint8_t PickleInput::byte() {
  if (next_ == window_.size()) refill();
  return static_cast<uint8_t>(window_[next_++]);
}

void PickleInput::read(std::span<std::byte> into) {
  require(into.size());
  while (!into.empty()) {
    if (next_ == window_.size()) refill();
    const size_t n = std::min(into.size(), window_.size() - next_);
    std::memcpy(into.data(), window_.data() + next_, n);
    next_ += n;
    into = into.subspan(n);
  }
}

void PickleInput::skip(uint64_t bytes) {
  require(bytes);
  if (bytes <= window_.size() - next_) {
    next_ += static_cast<size_t>(bytes);
    return;
  }
  window_begin_ = position() + bytes;
  window_.clear();
  next_ = 0;
}

std::string PickleInput::text(uint64_t bytes) {
  if (bytes > limits::kMaxKeptTextBytes) {
    skip(bytes);
    return {};
  }
  require(bytes);
  std::string out(static_cast<size_t>(bytes), '\0');
  read(std::as_writable_bytes(std::span(out)));
  return out;
}

std::string PickleInput::line() {
  std::string out;
  for (char c; (c = static_cast<char>(byte())) != '\n'; out.push_back(c))
    if (out.size() == limits::kMaxLineBytes)
      throw Error(ErrorKind::Format, fmt::format("{}: a line of the pickle at byte {} exceeds {} bytes",
                                                 origin_, position(), limits::kMaxLineBytes));
  return out;
}

}  // namespace tyto
