#include "engine/cpu/host_buffer.h"

#include <fmt/format.h>

#include "tyto/error.h"

namespace tyto::cpu {

HostBuffer::HostBuffer(int64_t bytes)
    : data_(static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment, std::nothrow))),
      bytes_(bytes) {
  if (!data_)
    throw Error(ErrorKind::Memory, fmt::format("no memory for a plan of {:.1f} MiB; use a smaller --batch",
                                               static_cast<double>(bytes) / (1 << 20)));
}

}  // namespace tyto::cpu
