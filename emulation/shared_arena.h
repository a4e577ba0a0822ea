// The shared memory of the block that is running.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "emulation/where.h"

namespace emulation {

// Each array is exactly as large as it was declared and lies between redzones; its bytes are 0xFF (NaN, -1)
// at the start of every block. Arrays begin at a multiple of 128 bytes: at bank 0.
class SharedArena {
 public:
  explicit SharedArena(size_t dynamic_bytes) : dynamic_bytes_(dynamic_bytes) {}

  // The array that is declared at `site` (any address that is the site's own).
  void* array(const void* site, size_t bytes, const char* name, Where where);
  void* dynamic(const char* name, Where where);
  size_t static_bytes() const { return static_bytes_; }
  bool holds(const void* address) const;

  // Returns what was overrun, a sentence, or nothing.
  std::string end_block();

 private:
  class Array {
   public:
    Array(const void* site, size_t bytes, const char* name, Where where);
    ~Array();
    Array(Array&&) = default;
    Array& operator=(Array&&) = delete;

    void* data() const;
    void begin_block();
    bool end_block();  // whether the redzones are as they were

    const void* site;
    size_t bytes;
    const char* name;
    Where where;
    bool in_use = false;  // by this block

   private:
    struct Free {
      void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte, Free> memory_;  // redzone, data, redzone
  };

  void* use(const void* site, size_t bytes, const char* name, Where where);

  size_t dynamic_bytes_, static_bytes_ = 0;
  std::vector<Array> arrays_;
};

}  // namespace emulation
