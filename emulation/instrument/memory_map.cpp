#include "emulation/instrument/memory_map.h"

#include <link.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace emulation::instrument {
namespace {

Cell* zeroed_cells(size_t count) {
  void* cells = std::calloc(count, sizeof(Cell));
  if (!cells) throw std::bad_alloc();
  return static_cast<Cell*>(cells);
}

uint64_t low_bits(size_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

}  // namespace

void Allocation::Free::operator()(void* p) const { std::free(p); }

Allocation::Allocation(uintptr_t begin, size_t bytes, Space space)
    : begin_(begin),
      bytes_(bytes),
      space_(space),
      cells_(zeroed_cells(cell_count())),
      written_((bytes + 63) / 64) {
  if (space == Space::Pinned) mark_written(begin, bytes);  // the host writes it unseen
}

void Allocation::forget() { std::fill(written_.begin(), written_.end(), 0); }

void Allocation::mark_written(uintptr_t address, size_t bytes) {
  for (size_t bit = address - begin_, end = bit + bytes; bit < end;) {
    const size_t count = std::min(end - bit, 64 - bit % 64);
    written_[bit / 64] |= low_bits(count) << bit % 64;
    bit += count;
  }
}

bool Allocation::is_written(uintptr_t address, size_t bytes) const {
  for (size_t bit = address - begin_, end = bit + bytes; bit < end;) {
    const size_t count = std::min(end - bit, 64 - bit % 64);
    const uint64_t wanted = low_bits(count) << bit % 64;
    if ((written_[bit / 64] & wanted) != wanted) return false;
    bit += count;
  }
  return true;
}

Allocation::Cells Allocation::cells(uintptr_t address, size_t bytes) {
  const size_t offset = address - begin_;
  const int alignment = std::countr_zero(offset | bytes);
  if (alignment < shift_) refine(alignment);
  return {&cells_[offset >> shift_], bytes >> shift_, 1 << shift_};
}

void Allocation::refine(int shift) {
  const int coarse = shift_;
  shift_ = shift;
  std::unique_ptr<Cell[], Free> fine(zeroed_cells(cell_count()));
  for (size_t i = 0; i < cell_count(); ++i) fine[i] = cells_[i >> (coarse - shift)];
  std::unordered_map<size_t, AccessGroup> atomics;
  for (const auto& [cell, group] : atomics_)
    for (size_t i = 0; i < size_t{1} << (coarse - shift); ++i)
      atomics[(cell << (coarse - shift)) + i] = group;
  cells_ = std::move(fine);
  atomics_ = std::move(atomics);
}

void Allocation::forget_accesses() {
  std::fill_n(cells_.get(), cell_count(), Cell{});
  atomics_.clear();
}

MemoryMap::MemoryMap() {
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* ranges) {
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
          if (segment.p_type == PT_LOAD)
            static_cast<std::vector<Range>*>(ranges)->push_back({begin, begin + segment.p_memsz});
        }
        return 1;  // the program comes first, and is all that counts
      },
      &image_);
}

size_t MemoryMap::upper(uintptr_t address) const {
  return static_cast<size_t>(std::upper_bound(live_.begin(), live_.end(), address,
                                              [](uintptr_t a, const auto& l) { return a < l->begin(); }) -
                             live_.begin());
}

void MemoryMap::add(const void* address, size_t bytes, Space space) {
  if (bytes == 0) return;
  const auto begin = reinterpret_cast<uintptr_t>(address);
  remove(address);  // an owner that never told us
  std::unique_ptr<Allocation> added;
  // Every block takes the same few pieces of shared memory anew.
  const auto spare = std::find_if(spare_shared_.begin(), spare_shared_.end(), [&](const auto& s) {
    return space == Space::Shared && s->begin() == begin && s->end() == begin + bytes;
  });
  if (spare != spare_shared_.end()) {
    added = std::move(*spare);
    spare_shared_.erase(spare);
    added->forget();
  } else {
    added = std::make_unique<Allocation>(begin, bytes, space);
  }
  live_.insert(live_.begin() + static_cast<std::ptrdiff_t>(upper(begin)), std::move(added));
}

void MemoryMap::remove(const void* address) {
  constexpr size_t kSpares = 64;
  const auto begin = reinterpret_cast<uintptr_t>(address);
  const size_t above = upper(begin);
  if (above == 0 || live_[above - 1]->begin() != begin) return;
  last_found_ = nullptr;
  auto& removed = live_[above - 1];
  if (removed->space() == Space::Shared) {
    if (spare_shared_.size() == kSpares) spare_shared_.erase(spare_shared_.begin());
    spare_shared_.push_back(std::move(removed));
  }
  live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(above - 1));
}

Allocation* MemoryMap::find(uintptr_t address) {
  if (last_found_ && last_found_->contains(address, 1)) return last_found_;
  const size_t above = upper(address);
  if (above == 0 || !live_[above - 1]->contains(address, 1)) return nullptr;
  return last_found_ = live_[above - 1].get();
}

const Allocation* MemoryMap::nearest(uintptr_t address) const {
  if (live_.empty()) return nullptr;
  const size_t above = upper(address);
  return live_[above == 0 ? 0 : above - 1].get();
}

void MemoryMap::forget_accesses() {
  for (auto& allocation : live_) allocation->forget_accesses();
  spare_shared_.clear();
}

bool MemoryMap::in_program_image(uintptr_t address) const {
  return std::any_of(image_.begin(), image_.end(),
                     [&](Range r) { return address >= r.begin && address < r.end; });
}

}  // namespace emulation::instrument
