#include "emulation/runtime/accesses.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "emulation/runtime/memory.h"
#include "emulation/runtime/operations.h"
#include "emulation/sanitizer.h"

namespace emulation::runtime {
namespace {

using Moments = std::vector<std::shared_ptr<const Moment>>;

// Bytes with one history.
struct Segment {
  std::uintptr_t end = 0;
  std::shared_ptr<const Moment> writer;
  Moments readers;  // since then; none comes before another
};
using Segments = std::map<std::uintptr_t, Segment>;  // by their begin; they do not overlap

Segments& segments() {
  static Segments segments;
  return segments;
}

std::uintptr_t begin_of(const Range& range) { return reinterpret_cast<std::uintptr_t>(range.data); }
std::uintptr_t end_of(const Range& range) { return begin_of(range) + range.bytes; }

void split_at(std::uintptr_t address) {
  auto next = segments().upper_bound(address);
  if (next == segments().begin()) return;
  auto& [begin, segment] = *std::prev(next);
  if (begin == address || segment.end <= address) return;
  Segment rest = segment;
  segment.end = address;
  segments().emplace_hint(next, address, std::move(rest));
}

// The range's segments, its gaps filled with fresh ones.
template <class Visit>
void for_segments(const Range& range, Visit visit) {
  if (range.bytes == 0) return;
  split_at(begin_of(range));
  split_at(end_of(range));
  for (std::uintptr_t at = begin_of(range); at < end_of(range);) {
    auto next = segments().lower_bound(at);
    if (next == segments().end() || next->first != at) {
      const std::uintptr_t end =
          next == segments().end() ? end_of(range) : std::min(next->first, end_of(range));
      next = segments().emplace_hint(next, at, Segment{end, nullptr, {}});
    }
    visit(next->first, next->second);
    at = next->second.end;
  }
}

// "bytes 0 to 20 of device buffer 3 (64 bytes)"
std::string place(std::uintptr_t begin, std::uintptr_t end) {
  const Buffer* buffer = buffer_at(reinterpret_cast<const void*>(begin));
  if (!buffer) return "no buffer";
  const auto start = reinterpret_cast<std::uintptr_t>(buffer->data);
  return "bytes " + std::to_string(begin - start) + " to " + std::to_string(end - start) + " of " +
         name_of(*buffer);
}

// Whether all that writes there is seen: not the host, nor kernels under AddressSanitizer.
bool sees_writers(const Range& range) {
  const Buffer* buffer = buffer_at(range.data);
  return !kAddressSanitizer && buffer && buffer->space == Space::Device;
}

}  // namespace

std::optional<std::string> record_accesses(const std::shared_ptr<const Moment>& operation,
                                           std::span<const Range> reads, std::span<const Range> writes,
                                           bool takes_what_is_there) {
  std::optional<std::string> wrong;
  const auto require_order = [&](const std::shared_ptr<const Moment>& other, const char* does,
                                 const char* did, std::uintptr_t begin, const Segment& segment) {
    if (!wrong && other && !comes_before(*other, *operation))
      wrong = operation->name + " " + does + " what " + other->name + " " + did +
              ", and neither waits for the other: " + place(begin, segment.end);
  };
  for (const Range& range : reads) {
    bool written = takes_what_is_there || range.bytes == 0 || !sees_writers(range);
    for_segments(range, [&](std::uintptr_t begin, Segment& segment) {
      written |= segment.writer != nullptr;
      require_order(segment.writer, "reads", "writes", begin, segment);
      std::erase_if(segment.readers, [&](const auto& reader) { return comes_before(*reader, *operation); });
      segment.readers.push_back(operation);
    });
    if (wrong || written) continue;
    const Moment* late = pending_writer_of(range);
    wrong = operation->name + " reads what " +
            (late ? late->name + " has yet to write, and does not wait for it: " : "nothing has written: ") +
            place(begin_of(range), end_of(range));
  }
  for (const Range& range : writes)
    for_segments(range, [&](std::uintptr_t begin, Segment& segment) {
      require_order(segment.writer, "writes", "writes", begin, segment);
      for (const auto& reader : segment.readers) require_order(reader, "writes", "reads", begin, segment);
      segment.writer = operation;
      segment.readers.clear();
    });
  return wrong;
}

const Moment* unknown_user_of(const Range& range) {
  constexpr OperationId kNever = std::numeric_limits<OperationId>::max();
  const Moment* last = nullptr;
  for_segments(range, [&](std::uintptr_t, const Segment& segment) {
    Moments users = segment.readers;
    if (segment.writer) users.push_back(segment.writer);
    for (const auto& user : users)
      if (user->known_from == kNever && (!last || last->id < user->id)) last = user.get();
  });
  return last;
}

void forget_accesses(const Range& range) {
  split_at(begin_of(range));
  split_at(end_of(range));
  segments().erase(segments().lower_bound(begin_of(range)), segments().lower_bound(end_of(range)));
}

}  // namespace emulation::runtime
