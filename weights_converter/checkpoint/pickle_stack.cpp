#include "weights_converter/checkpoint/pickle_stack.h"

#include <fmt/format.h>

#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"

namespace tyto {

void PicklePosition::fail(const std::string& why) const {
  const std::string_view name = name_of(opcode);
  throw Error(
      ErrorKind::Format,
      fmt::format("{}: its pickle is not one that PyTorch writes: {} (opcode {} at byte {})", origin, why,
                  name.empty() ? fmt::format("{:#04x}", static_cast<uint8_t>(opcode)) : name, at));
}

void PickleStack::push(PickleRef value) {
  if (stack_.size() >= limits::kMaxPickleValues)
    position_.fail(fmt::format("more than {} values on its stack", limits::kMaxPickleValues));
  stack_.push_back(value);
}

PickleRef PickleStack::top() const {
  if (above_mark() == 0) position_.fail("its stack is empty");
  return stack_.back();
}

PickleRef PickleStack::pop() {
  PickleRef value = top();
  stack_.pop_back();
  return value;
}

PickleItems PickleStack::pop_last(size_t n) {
  if (above_mark() < n) position_.fail("its stack is empty");
  PickleItems items(stack_.end() - static_cast<ptrdiff_t>(n), stack_.end());
  stack_.resize(stack_.size() - n);
  return items;
}

void PickleStack::mark() {
  if (marks_.size() >= limits::kMaxPickleValues)
    position_.fail(fmt::format("more than {} marks", limits::kMaxPickleValues));
  marks_.push_back(stack_.size());
}

PickleItems PickleStack::pop_mark() {
  if (marks_.empty()) position_.fail("it lacks a MARK");
  PickleItems items = pop_last(above_mark());
  marks_.pop_back();
  return items;
}

void PickleStack::drop() {
  if (above_mark() > 0)
    pop();
  else
    pop_mark();
}

void PickleStack::put(uint64_t index) {
  if (memo_.size() >= limits::kMaxPickleValues)
    position_.fail(fmt::format("more than {} memo entries", limits::kMaxPickleValues));
  memo_[index] = top();
}

void PickleStack::get(uint64_t index) {
  const auto entry = memo_.find(index);
  if (entry == memo_.end()) position_.fail(fmt::format("memo entry {} was never stored", index));
  push(entry->second);
}

}  // namespace tyto
