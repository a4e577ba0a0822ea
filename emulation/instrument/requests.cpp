#include "emulation/instrument/requests.h"

#include <algorithm>
#include <bit>

#include "emulation/instrument/transactions.h"

namespace emulation::instrument {

void Requests::launch_begins(dim3 block) {
  threads_ = block.x * block.y * block.z;
  warps_.resize(std::max<size_t>(warps_.size(), (threads_ + 31) / 32));
  for (Warp& warp : warps_) {
    // Another kernel has other sites; and a launch that ended in a fault leaves its requests behind.
    warp.touched.clear();
    warp.by_site.clear();
  }
}

void Requests::block_begins() {
  for (unsigned i = 0; i < threads_; i += 32)
    warps_[i / 32].live = threads_ - i >= 32 ? ~0u : (1u << (threads_ - i)) - 1;
}

void Requests::add(ThreadId thread, SiteId site, AccessKind kind, Space space, uintptr_t address, int bytes) {
  Warp& warp = warps_[static_cast<size_t>(thread.warp)];
  if (site >= warp.by_site.size()) warp.by_site.resize(site + 1u);
  Pending& pending = warp.by_site[site];
  if (pending.used == 0) warp.touched.push_back(site);
  const uint32_t visit = pending.visits[thread.lane]++;
  if (visit >= pending.used) {
    if (visit >= pending.requests.size()) pending.requests.resize(visit + 1u + visit / 2);
    for (; pending.used <= visit; ++pending.used)
      pending.requests[pending.used].device_lanes = pending.requests[pending.used].shared_lanes = 0;
  }
  Request& request = pending.requests[visit];
  request.bytes = static_cast<uint8_t>(bytes);
  request.kind = kind;
  request.address[thread.lane] = address;
  (space == Space::Shared ? request.shared_lanes : request.device_lanes) |= 1u << thread.lane;
}

void Requests::reconverge(int index, uint32_t lanes, CountsBySite& counts) {
  Warp& warp = warps_[static_cast<size_t>(index)];
  if ((lanes & warp.live) == warp.live) return flush(warp, counts);
  // Some lanes go on without the others, which may yet follow them: from here on these count alike.
  for (const SiteId site : warp.touched) {
    auto& visits = warp.by_site[site].visits;
    uint32_t most = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) most = std::max(most, visits[std::countr_zero(rest)]);
    for (uint32_t rest = lanes; rest; rest &= rest - 1) visits[std::countr_zero(rest)] = most;
  }
}

void Requests::reconverge_all(CountsBySite& counts) {
  for (unsigned i = 0; i < threads_; i += 32) flush(warps_[i / 32], counts);
}

void Requests::thread_ends(ThreadId thread, CountsBySite& counts) {
  Warp& warp = warps_[static_cast<size_t>(thread.warp)];
  warp.live &= ~(1u << thread.lane);
  if (warp.live == 0) flush(warp, counts);
}

void Requests::flush(Warp& warp, CountsBySite& counts) {
  for (const SiteId site : warp.touched) {
    Pending& pending = warp.by_site[site];
    if (site >= counts.size()) counts.resize(site + 1u);
    for (uint32_t i = 0; i < pending.used; ++i) account(pending.requests[i], counts[site]);
    pending.used = 0;
    std::fill(std::begin(pending.visits), std::end(pending.visits), 0);
  }
  warp.touched.clear();
}

void Requests::account(const Request& request, Counts& counts) {
  const bool reads = request.kind != AccessKind::Write, writes = request.kind != AccessKind::Read;
  if (const uint32_t lanes = request.device_lanes) {
    uintptr_t addresses[32];
    size_t active = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      addresses[active++] = request.address[std::countr_zero(rest)];
    const Cost cost = sectors({addresses, active}, request.bytes);
    const auto bytes = static_cast<int64_t>(active) * request.bytes;
    ++counts.global_requests;
    counts.sectors += cost.actual;
    counts.ideal_sectors += cost.ideal;
    counts.lanes += static_cast<int64_t>(active);
    if (reads) counts.global_bytes_read += bytes;
    if (writes) counts.global_bytes_written += bytes;
  }
  if (const uint32_t lanes = request.shared_lanes) {
    const Cost cost = wavefronts(request.address, lanes, request.bytes);
    const auto active = static_cast<int64_t>(std::popcount(lanes));
    ++counts.shared_requests;
    counts.wavefronts += cost.actual;
    counts.ideal_wavefronts += cost.ideal;
    counts.lanes += active;
    if (reads) counts.shared_bytes_read += active * request.bytes;
    if (writes) counts.shared_bytes_written += active * request.bytes;
  }
  if (request.kind == AccessKind::Atomic)
    counts.atomics += std::popcount(request.device_lanes | request.shared_lanes);
}

}  // namespace emulation::instrument
