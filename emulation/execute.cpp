// A launch: its blocks, one after the other.
#include <cstdint>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>

#include "emulation/block.h"
#include "emulation/emulation.h"
#include "emulation/kernel_entry.h"
#include "emulation/observer.h"

namespace emulation {
namespace {

uint64_t count(const dim3& d) { return uint64_t{d.x} * d.y * d.z; }

// Blocks come in any order on a device. Here: rising, falling, or with a start and a stride that the seed
// chooses.
class BlockOrder {
 public:
  BlockOrder(const Schedule& schedule, uint64_t n) : blocks_(n) {
    if (schedule.order == Schedule::Order::Reverse) next_ = stride_ = n - 1;
    if (schedule.order != Schedule::Order::Shuffled && schedule.order != Schedule::Order::WarpAhead) return;
    Random random(schedule.seed);
    next_ = random.next() % n;
    do stride_ = 1 + random.next() % n;
    while (std::gcd(stride_, n) != 1);
  }
  uint64_t next() { return std::exchange(next_, (next_ + stride_) % blocks_); }

 private:
  uint64_t blocks_, next_ = 0, stride_ = 1;
};

void check(const LaunchRequest& request) {
  const auto refuse = [&](const std::string& why) {
    throw Fault{"kernel " + request.kernel->name + ": " + why};
  };
  const Architecture& limits = architecture();
  const uint64_t threads = count(request.block);
  if (threads == 0 || threads > static_cast<uint64_t>(limits.max_threads_per_block))
    refuse("a block of " + std::to_string(threads) + " threads; " + limits.name + " takes 1 to " +
           std::to_string(limits.max_threads_per_block));
  if (request.shared_bytes > static_cast<uint64_t>(limits.shared_bytes_per_block))
    refuse(std::to_string(request.shared_bytes) + " bytes of shared memory; " + limits.name + " has " +
           std::to_string(limits.shared_bytes_per_block) + " for a block");
}

}  // namespace

void execute(const LaunchRequest& request) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  check(request);
  ++request.kernel->launches;
  if (observer()) observer()->launch_begins(request);
  const uint64_t blocks = count(request.grid);
  if (blocks > 0) {
    Block block(request, schedule());
    BlockOrder order(schedule(), blocks);
    const dim3 grid = request.grid;
    for (uint64_t turn = 0; turn < blocks; ++turn) {
      const uint64_t i = order.next();
      block.run(dim3(static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                     static_cast<unsigned>(i / grid.x / grid.y)));
    }
  }
  if (observer()) observer()->launch_ends(request);
}

}  // namespace emulation
