// What device code asks of the block that runs it, but for its warp.
#include "emulation/builtins.h"

#include "emulation/barrier.h"
#include "emulation/block.h"
#include "emulation/observer.h"
#include "emulation/shared_memory.h"

namespace emulation {

uint3 thread_index() { return Block::running().thread_index(); }
uint3 block_index() {
  const dim3 index = Block::running().index();
  return {index.x, index.y, index.z};
}
dim3 block_size() { return Block::running().request().block; }
dim3 grid_size() { return Block::running().request().grid; }

BarrierVotes block_barrier(const char* operation, bool vote, Where where) {
  return Block::running().barrier(operation, vote, where, __builtin_return_address(0));
}

namespace {

constexpr size_t kStaticLimit = 48 << 10;  // ptxas's, whatever the architecture

void check_shared(const Block& block, size_t static_bytes, Where where) {
  const auto limit = static_cast<size_t>(architecture().shared_bytes_per_block);
  if (static_bytes > kStaticLimit)
    block.fault(std::to_string(static_bytes) + " bytes of static shared memory; at most " +
                    std::to_string(kStaticLimit) + " can be declared",
                where);
  if (static_bytes + block.request().shared_bytes > limit)
    block.fault(std::to_string(static_bytes) + " static and " + std::to_string(block.request().shared_bytes) +
                    " dynamic bytes of shared memory; " + architecture().name + " has " +
                    std::to_string(limit) + " for a block",
                where);
}

}  // namespace

void* shared_array(const void* site, size_t bytes, const char* name, Where where) {
  Block& block = Block::running();
  void* data = block.shared().array(site, bytes, name, where);
  check_shared(block, block.shared().static_bytes(), where);
  return data;
}

void* shared_dynamic(const char* name, Where where) { return Block::running().shared().dynamic(name, where); }

const ThreadId* running_thread() {
  const Block* block = Block::running_if_any();
  return block ? block->thread() : nullptr;
}

bool on_running_stack(const void* address) {
  const Block* block = Block::running_if_any();
  return block && block->fibre().holds(address);
}

}  // namespace emulation
