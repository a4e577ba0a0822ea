#include "emulation/fibre.h"

#include <sys/mman.h>

#include <new>

namespace emulation {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kStack = (kAddressSanitizer ? 256 : 64) << 10;

}  // namespace

Fibre::Fibre(void (*entry)(Fibre&)) : entry_(entry) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* mapped = mmap(nullptr, kPage + kStack, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<std::byte*>(mapped);
  mprotect(mapping_, kPage, PROT_NONE);
  bottom_ = mapping_ + kPage;
  size_ = kStack;
  reset();
}

Fibre::~Fibre() {
  if (!mapping_) return;
  allow(bottom_, size_);
  munmap(mapping_, kPage + kStack);
}

void Fibre::reset() {
  allow(bottom_, size_);
  fake_stack_ = nullptr;
  context_ = boost::context::detail::make_fcontext(mapping_ + kPage + kStack, kStack, enter);
}

void Fibre::enter(boost::context::detail::transfer_t transfer) {
  const auto [from, self] = *static_cast<Switch*>(transfer.data);
  from.context_ = transfer.fctx;
  enter_stack(nullptr, &from.bottom_, &from.size_);
  self.entry_(self);
}

bool Fibre::holds(const void* address) const {
  return address >= bottom_ && address < static_cast<const std::byte*>(bottom_) + size_;
}

Fibre& FibrePool::take() {
  if (idle_.empty()) return *fibres_.emplace_back(std::make_unique<Fibre>(entry_));
  Fibre& fibre = *idle_.back();
  idle_.pop_back();
  return fibre;
}

}  // namespace emulation
