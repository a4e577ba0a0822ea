#include "python/native/objects.h"

#include <pthread.h>

#include <mutex>
#include <unordered_map>
#include <utility>

#include "python/native/seam.h"

namespace tyto::python {
namespace {

// The one global: numbers have to lead somewhere. Never destroyed, because Python's threads may still be in
// calls when the process ends.
struct Objects {
  std::mutex mutex;
  std::unordered_map<uint64_t, std::shared_ptr<Object>> by_number;
  uint64_t next = 1;
};

Objects& objects() {
  static Objects* const all = [] {
    // A fork while another thread holds the mutex would leave it locked in the child for ever.
    pthread_atfork([] { objects().mutex.lock(); }, [] { objects().mutex.unlock(); },
                   [] { objects().mutex.unlock(); });
    return new Objects;
  }();
  return *all;
}

}  // namespace

uint64_t keep(std::shared_ptr<Object> object) {
  Objects& all = objects();
  const std::lock_guard lock(all.mutex);
  all.by_number.emplace(all.next, std::move(object));
  return all.next++;
}

std::shared_ptr<Object> find(uint64_t number) {
  Objects& all = objects();
  const std::lock_guard lock(all.mutex);
  const auto it = all.by_number.find(number);
  return it == all.by_number.end() ? nullptr : it->second;
}

}  // namespace tyto::python

extern "C" void tyto_python_close(uint64_t object) noexcept {
  using namespace tyto::python;
  std::shared_ptr<Object> closed;  // its end may take long, so it comes after the lock's
  Objects& all = objects();
  const std::lock_guard lock(all.mutex);
  if (const auto it = all.by_number.find(object); it != all.by_number.end()) {
    closed = std::move(it->second);
    all.by_number.erase(it);
  }
}
