#include "emulation/async_copy.h"

#include <cstdint>
#include <string>

#include "emulation/block.h"

namespace emulation {

void pend(const PendingCopy& copy, Where where) {
  Block& block = Block::running();
  const auto misaligned = [&](const void* address) {
    return reinterpret_cast<uintptr_t>(address) % copy.bytes != 0;
  };
  const std::string size = std::to_string(copy.bytes);
  if (misaligned(copy.to) || misaligned(copy.from))
    block.fault("an asynchronous copy of " + size + " bytes whose addresses are no multiples of " + size,
                where);
  if (copy.valid < 0 || copy.valid > copy.bytes)
    block.fault(
        "an asynchronous copy of " + size + " bytes, of which " + std::to_string(copy.valid) + " are valid",
        where);
  if (!block.shared().holds(copy.to)) block.fault("an asynchronous copy to memory that is not shared", where);
  PendingCopies& pending = block.pending_copies();
  pending.copies.push_back(copy);
  pending.copies.back().group = pending.group;
}

void commit_async() { ++Block::running().pending_copies().group; }

bool take_landed(int groups, PendingCopy& copy) {
  PendingCopies& pending = Block::running().pending_copies();
  if (pending.copies.empty() || pending.copies.front().group >= pending.group - groups) return false;
  copy = pending.copies.front();
  pending.copies.erase(pending.copies.begin());
  return true;
}

}  // namespace emulation
