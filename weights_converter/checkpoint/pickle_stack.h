// The pickle machine's working memory: a stack with marks, and a memo. Bounded, and every misuse is an error
// that names the opcode.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "weights_converter/checkpoint/pickle_opcodes.h"
#include "weights_converter/checkpoint/pickle_value.h"

namespace tyto {

// Where the machine is.
struct PicklePosition {
  std::string origin;  // the file
  PickleOpcode opcode = PickleOpcode::STOP;
  uint64_t at = 0;  // the opcode's byte

  [[noreturn]] void fail(const std::string& why) const;  // Error{Format}
};

class PickleStack {
 public:
  explicit PickleStack(const PicklePosition& position) : position_(position) {}

  void push(PickleRef value);
  PickleRef top() const;
  PickleRef pop();
  PickleItems pop_last(size_t n);

  void mark();
  PickleItems pop_mark();  // everything above the last mark, and the mark
  void drop();             // POP: the top, or the mark where nothing lies above it

  void put(uint64_t index);  // the top into the memo
  void put_next() { put(memo_.size()); }
  void get(uint64_t index);

 private:
  size_t above_mark() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  const PicklePosition& position_;
  PickleItems stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint64_t, PickleRef> memo_;
};

}  // namespace tyto
