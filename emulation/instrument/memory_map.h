// What is known of every byte that a kernel may touch: whose it is, whether it was written, who accessed it
// last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "emulation/instrument/race_check.h"
#include "emulation/observer.h"

namespace emulation::instrument {

// One buffer and its shadow.
class Allocation {
 public:
  Allocation(uintptr_t begin, size_t bytes, Space space);

  uintptr_t begin() const { return begin_; }
  uintptr_t end() const { return begin_ + bytes_; }
  Space space() const { return space_; }
  bool contains(uintptr_t address, size_t bytes) const {
    return address >= begin_ && bytes <= bytes_ && address - begin_ <= bytes_ - bytes;
  }

  void forget();  // as fresh as when it was allocated
  void mark_written(uintptr_t address, size_t bytes);
  bool is_written(uintptr_t address, size_t bytes) const;

  // The cells of an access; finer ones from now on where it is smaller than they are.
  struct Cells {
    Cell* first;
    size_t count;
    int bytes_each;
  };
  Cells cells(uintptr_t address, size_t bytes);
  AccessGroup& atomics(const Cell& cell) { return atomics_[static_cast<size_t>(&cell - cells_.get())]; }
  void forget_accesses();  // before the ticks start again

 private:
  struct Free {
    void operator()(void* p) const;
  };
  size_t cell_count() const { return ((bytes_ - 1) >> shift_) + 1; }
  void refine(int shift);

  uintptr_t begin_;
  size_t bytes_;
  Space space_;
  int shift_ = 2;                                    // 1 << shift_ bytes a cell
  std::unique_ptr<Cell[], Free> cells_;              // from calloc: pages that are not touched cost nothing
  std::vector<uint64_t> written_;                    // a bit a byte
  std::unordered_map<size_t, AccessGroup> atomics_;  // by cell; few words see atomics
};

class MemoryMap {
 public:
  MemoryMap();

  void add(const void* address, size_t bytes, Space space);
  void remove(const void* address);
  Allocation* find(uintptr_t address);  // the one that holds this byte, or nullptr
  // The allocation that ends at or before the address, or the first: what an overrun overran. nullptr if
  // there is none.
  const Allocation* nearest(uintptr_t address) const;
  void forget_accesses();

  // Code and data of the program itself: constants that a kernel may read.
  bool in_program_image(uintptr_t address) const;

 private:
  struct Range {
    uintptr_t begin, end;
  };
  size_t upper(uintptr_t address) const;  // the first live allocation that begins above

  std::vector<std::unique_ptr<Allocation>> live_;  // by address
  std::vector<std::unique_ptr<Allocation>> spare_shared_;
  Allocation* last_found_ = nullptr;
  std::vector<Range> image_;
};

}  // namespace emulation::instrument
