// Who touched which memory last. Two operations on the same bytes, one of them writing, of which neither
// waits for the other, are a fault, however the schedule ran them; so is the read of a range of which nothing
// was ever written.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "emulation/library_call.h"
#include "emulation/runtime/order.h"

namespace emulation::runtime {

// Remembers what the operation touches, each range within one live buffer. What is wrong with it, in a
// sentence that names the operations. takes_what_is_there: it may read what nothing has written.
std::optional<std::string> record_accesses(const std::shared_ptr<const Moment>& operation,
                                           std::span<const Range> reads, std::span<const Range> writes,
                                           bool takes_what_is_there);

// The last operation on memory of the range that the host has not waited for, or null.
const Moment* unknown_user_of(const Range& range);

void forget_accesses(const Range& range);  // its memory is gone

}  // namespace emulation::runtime
