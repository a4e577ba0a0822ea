#include "emulation/instrument/instrument.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <unordered_map>

#include "emulation/instrument/access.h"
#include "emulation/instrument/findings.h"
#include "emulation/instrument/memory_map.h"
#include "emulation/instrument/race_check.h"
#include "emulation/instrument/requests.h"
#include "emulation/instrument/source_lines.h"
#include "emulation/observer.h"

namespace emulation::instrument {
namespace {

constexpr size_t kWidestAccess = 16;

class Instrument final : public Observer {
 public:
  void access(const void* address, size_t bytes, AccessKind kind, const void* position, size_t alignment,
              bool order_matters = false);
  std::vector<Finding> take_findings();
  Profile take_profile();
  void discard_profile();

  void launch_begins(const LaunchRequest& request) override;
  void launch_ends(const LaunchRequest& request) override;
  void block_begins(dim3 block) override;
  void thread_ends(ThreadId thread) override { requests_.thread_ends(thread, counts_); }
  void block_barrier() override;
  void warp_rendezvous(int warp, uint32_t lanes, bool orders_memory) override;
  void threads_missed_barrier(const MissedBarrier& missed) override;
  void atomic(const void* address, size_t bytes, const void* position, bool order_matters) override;
  void tensor_products(TensorOperands operands, int64_t products, const void* position) override;
  void allocated(const void* address, size_t bytes, Space space, int) override {
    memory_.add(address, bytes, space);
  }
  void freed(const void* address) override { memory_.remove(address); }
  void written(const void* address, size_t bytes) override;

 private:
  struct Piece {  // of an access: what one instruction moves
    uintptr_t address;
    int bytes;
    AccessKind kind;
    SiteId site;
    bool order_matters;  // of an atomic one
  };
  void access(Allocation& memory, Piece piece, ThreadId thread);
  std::optional<Conflict> conflict(Allocation& memory, Piece piece, ThreadId thread);
  bool is_constant(uintptr_t address, size_t bytes) const;
  std::string out_of_bounds(uintptr_t address, size_t bytes, AccessKind kind) const;
  [[noreturn]] void die_misaligned(const std::string& detail, const void* position);
  Occurrence& find(FindingKind kind, SiteId site, SiteId other_site, ThreadId thread);
  Counts& counts_at(SiteId site);

  MemoryMap memory_;
  RaceCheck races_;
  Requests requests_;
  SourceLines lines_;
  std::map<std::string, KernelRecord> kernels_;

  // The launch that is running.
  KernelRecord* kernel_ = nullptr;
  const LaunchRequest* request_ = nullptr;
  LaunchProfile launch_;
  CountsBySite counts_;
  dim3 block_;
  std::unordered_map<uintptr_t, int64_t> device_atomics_, shared_atomics_;  // by address
};

void Instrument::launch_begins(const LaunchRequest& request) {
  kernel_ = &kernels_[request.kernel->name];
  request_ = &request;
  launch_ = {};
  launch_.grid = request.grid;
  launch_.block = request.block;
  launch_.dynamic_shared_bytes = request.shared_bytes;
  launch_.operations = request.work.operations;
  launch_.exponentials = request.work.exponentials;
  counts_.assign(kernel_->sites.size(), {});
  device_atomics_.clear();
  if (races_.launch_begins()) memory_.forget_accesses();
  requests_.launch_begins(request.block);
}

void Instrument::launch_ends(const LaunchRequest&) {
  requests_.reconverge_all(counts_);
  if (kernel_->counts.size() < counts_.size()) kernel_->counts.resize(counts_.size());
  for (size_t site = 0; site < counts_.size(); ++site) {
    kernel_->counts[site] += counts_[site];
    launch_.counts += counts_[site];
  }
  kernel_->launches.push_back(launch_);
  kernel_ = nullptr;
  request_ = nullptr;
}

void Instrument::block_begins(dim3 block) {
  block_ = block;
  shared_atomics_.clear();
  races_.block_begins(block);
  requests_.block_begins();
}

void Instrument::block_barrier() {
  ++launch_.block_barriers;
  races_.block_barrier();
  requests_.reconverge_all(counts_);
}

void Instrument::warp_rendezvous(int warp, uint32_t lanes, bool orders_memory) {
  if (orders_memory) races_.warp_sync(warp, lanes);
  requests_.reconverge(warp, lanes, counts_);
}

void Instrument::written(const void* address, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  if (Allocation* memory = memory_.find(begin); memory && memory->contains(begin, bytes))
    memory->mark_written(begin, bytes);
}

void Instrument::threads_missed_barrier(const MissedBarrier& missed) {
  const SiteId site = kernel_->sites.id(missed.position, AccessKind::Read);
  Occurrence& first = find(FindingKind::MissedBarrier, site, 0, {missed.first_ended});
  if (first.count == 1)
    first.detail = "has ended without " + std::string(missed.operation) + ", which " +
                   std::to_string(missed.arrived) + " threads of its block reach and " +
                   std::to_string(missed.ended) + " do not";
}

void Instrument::atomic(const void* address, size_t bytes, const void* position, bool order_matters) {
  access(address, bytes, AccessKind::Atomic, position, bytes, order_matters);
}

void Instrument::tensor_products(TensorOperands operands, int64_t products, const void* position) {
  Counts& counts = counts_at(kernel_->sites.id(position, AccessKind::Read));
  (operands == TensorOperands::Tf32 ? counts.tf32_products : counts.half_products) += products;
}

void Instrument::access(const void* pointer, size_t bytes, AccessKind kind, const void* position,
                        size_t alignment, bool order_matters) {
  const ThreadId* running = running_thread();
  if (!running || !kernel_ || bytes == 0) return;
  const ThreadId thread = *running;
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (on_running_stack(pointer)) {
    counts_at(kernel_->sites.id(position, kind)).local_bytes += static_cast<int64_t>(bytes);
    return;
  }
  Allocation* memory = memory_.find(address);
  if (!memory && kind != AccessKind::Write && is_constant(address, bytes)) return;
  const SiteId site = kernel_->sites.id(position, kind);
  if (!memory || !memory->contains(address, bytes)) {
    Occurrence& first = find(FindingKind::Bounds, site, 0, thread);
    if (first.count == 1) first.detail = out_of_bounds(address, bytes, kind);
    return;
  }
  if (address % alignment != 0) {
    const std::string detail = std::string(does(kind)) + " " + std::to_string(bytes) +
                               " bytes at an address that " + std::to_string(alignment) + " does not divide";
    if (bytes == kWidestAccess) die_misaligned(detail, position);
    Occurrence& first = find(FindingKind::Misaligned, site, 0, thread);
    if (first.count == 1) first.detail = detail;
  }
  // What the compiler announced as one range, several instructions move, as wide as its alignment lets them
  // be.
  const size_t widest = std::min(size_t{1} << std::countr_zero(address | bytes), kWidestAccess);
  for (size_t done = 0; done < bytes; done += widest)
    access(*memory, {address + done, static_cast<int>(widest), kind, site, order_matters}, thread);
}

void Instrument::access(Allocation& memory, Piece piece, ThreadId thread) {
  requests_.add(thread, piece.site, piece.kind, memory.space(), piece.address, piece.bytes);
  const auto bytes = static_cast<size_t>(piece.bytes);
  if (piece.kind != AccessKind::Write && !memory.is_written(piece.address, bytes))
    find(FindingKind::Uninitialised, piece.site, 0, thread);
  if (piece.kind != AccessKind::Read) memory.mark_written(piece.address, bytes);
  if (piece.kind == AccessKind::Atomic) {
    auto& times = memory.space() == Space::Shared ? shared_atomics_ : device_atomics_;
    launch_.most_atomics_on_one_address =
        std::max(launch_.most_atomics_on_one_address, ++times[piece.address]);
  }
  if (const auto with = conflict(memory, piece, thread)) {
    const bool atomics = piece.kind == AccessKind::Atomic && with->other_kind == AccessKind::Atomic;
    const auto kind = atomics                ? FindingKind::OrderOfAtomics
                      : with->between_blocks ? FindingKind::RaceBetweenBlocks
                                             : FindingKind::RaceInBlock;
    Occurrence& first = find(kind, piece.site, with->other_site, thread);
    if (first.count == 1) {
      first.conflict = *with;
      first.other_block = races_.block_at(with->other_tick);
    }
  }
}

std::optional<Conflict> Instrument::conflict(Allocation& memory, Piece piece, ThreadId thread) {
  std::optional<Conflict> found;
  const auto cells = memory.cells(piece.address, static_cast<size_t>(piece.bytes));
  for (Cell* cell = cells.first; cell < cells.first + cells.count; ++cell) {
    const bool reads = piece.kind != AccessKind::Write, writes = piece.kind != AccessKind::Read;
    AccessGroup* atomics = cell->readers.has_atomics || (reads && writes) ? &memory.atomics(*cell) : nullptr;
    if (memory.space() != Space::Shared) {
      const bool changed = atomics && races_.in_this_launch(atomics->tick);
      if (reads && !changed && !races_.in_this_launch(cell->readers.tick))
        launch_.distinct_bytes_read += cells.bytes_each;
      if (writes && !changed && !races_.in_this_launch(cell->write_tick))
        launch_.distinct_bytes_written += cells.bytes_each;
    }
    const auto with = reads && writes ? races_.atomic(*cell, *atomics, thread, piece.site, memory.space(),
                                                      piece.order_matters)
                      : writes        ? races_.write(*cell, atomics, thread, piece.site, memory.space())
                                      : races_.read(*cell, atomics, thread, piece.site, memory.space());
    if (with && !found) found = with;
  }
  return found;
}

// The launch's arguments, the way to them, and what the program holds in its own image.
bool Instrument::is_constant(uintptr_t address, size_t bytes) const {
  const auto within = [&](const void* begin, size_t size) {
    return address - reinterpret_cast<uintptr_t>(begin) <= size - bytes && bytes <= size;
  };
  return within(request_->arguments.get(), request_->argument_bytes) || within(request_, sizeof *request_) ||
         memory_.in_program_image(address);
}

// x86 ends the program at such a vector, as a GPU ends the launch; here the line is known.
void Instrument::die_misaligned(const std::string& detail, const void* position) {
  lines_.resolve({position});
  std::fprintf(stderr, "emulation: kernel %s, %s: %s\n", request_->kernel->name.c_str(),
               lines_.at(position).c_str(), detail.c_str());
  std::abort();
}

std::string Instrument::out_of_bounds(uintptr_t address, size_t bytes, AccessKind kind) const {
  const std::string what = std::string(does(kind)) + " " + std::to_string(bytes) + " bytes ";
  const Allocation* nearest = memory_.nearest(address);
  if (!nearest) return what + "where there is no buffer";
  const std::string buffer = std::string("a ") + (nearest->space() == Space::Shared ? "shared" : "device") +
                             " buffer of " + std::to_string(nearest->end() - nearest->begin()) + " bytes";
  if (address < nearest->begin())
    return what + std::to_string(nearest->begin() - address) + " before " + buffer;
  if (address < nearest->end()) return what + std::to_string(address - nearest->begin()) + " into " + buffer;
  return what + std::to_string(address - nearest->end()) + " past the end of " + buffer;
}

Occurrence& Instrument::find(FindingKind kind, SiteId site, SiteId other_site, ThreadId thread) {
  Occurrence& first = kernel_->occurrences[{kind, site, other_site}];
  if (first.count++ == 0) {
    first.block = block_;
    first.thread = thread.linear;
  }
  return first;
}

Counts& Instrument::counts_at(SiteId site) {
  if (site >= counts_.size()) counts_.resize(site + 1u);
  return counts_[site];
}

std::vector<Finding> Instrument::take_findings() {
  std::vector<Finding> findings;
  for (auto& [name, kernel] : kernels_) {
    std::ranges::move(findings_of(name, kernel, lines_), std::back_inserter(findings));
    kernel.occurrences.clear();
  }
  return findings;
}

Profile Instrument::take_profile() {
  std::vector<const void*> positions;
  for (const auto& [name, kernel] : kernels_)
    for (size_t site = 0; site < kernel.counts.size(); ++site)
      positions.push_back(kernel.sites.position(static_cast<SiteId>(site)));
  lines_.resolve(positions);
  Profile profile;
  for (const auto& [name, kernel] : kernels_) {
    if (kernel.launches.empty()) continue;
    std::map<std::string, Counts> by_line;
    for (size_t site = 0; site < kernel.counts.size(); ++site)
      by_line[lines_.at(kernel.sites.position(static_cast<SiteId>(site)))] += kernel.counts[site];
    KernelProfile& taken = profile.emplace_back(KernelProfile{name, {}, kernel.launches});
    for (const auto& [line, counts] : by_line) taken.lines.push_back({line, counts});
  }
  discard_profile();
  return profile;
}

void Instrument::discard_profile() {
  for (auto& [name, kernel] : kernels_) {
    kernel.launches.clear();
    kernel.counts.clear();
  }
}

std::unique_ptr<Instrument>& instance() {
  static std::unique_ptr<Instrument> the_one;
  return the_one;
}

Instrument* active = nullptr;  // the hooks' short way to it

}  // namespace

void start() {
  instance() = std::make_unique<Instrument>();
  active = instance().get();
  set_observer(active);
}

void stop() {
  set_observer(nullptr);
  active = nullptr;
  instance().reset();
}

std::vector<Finding> take_findings() { return active ? active->take_findings() : std::vector<Finding>{}; }

Profile take_profile() { return active ? active->take_profile() : Profile{}; }

void discard_profile() {
  if (active) active->discard_profile();
}

void access(const void* address, size_t bytes, AccessKind kind, const void* position, size_t alignment) {
  if (active) active->access(address, bytes, kind, position, alignment);
}

}  // namespace emulation::instrument
