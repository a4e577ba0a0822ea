#include "emulation/runtime/operations.h"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>

#include "emulation/emulation.h"
#include "emulation/kernel_entry.h"
#include "emulation/observer.h"
#include "emulation/runtime/accesses.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/memory.h"
#include "emulation/turns.h"

namespace emulation::runtime {
namespace {

struct Operation {
  int device = 0;
  std::shared_ptr<const Moment> moment;
  std::shared_ptr<const Work> work;
  std::vector<OperationId> after;
};

struct Queue {
  std::map<OperationId, Operation> pending;
  uint64_t waits = 0;  // so far: every wait draws its own order
  const Work* running = nullptr;
};

Queue& queue() {
  static Queue queue;
  return queue;
}

using Ids = std::vector<OperationId>;

// The ids and all pending that they need, directly or not.
Ids with_needs(Ids ids) {
  std::set<OperationId> seen;
  while (!ids.empty()) {
    const OperationId id = ids.back();
    ids.pop_back();
    const auto found = queue().pending.find(id);
    if (found == queue().pending.end() || !seen.insert(id).second) continue;
    ids.insert(ids.end(), found->second.after.begin(), found->second.after.end());
  }
  return {seen.begin(), seen.end()};
}

Ids all_pending() {
  Ids ids;
  for (const auto& [id, operation] : queue().pending) ids.push_back(id);
  return ids;
}

// The ids in an order that `before` (how many come before each) and `next` (who comes after it) allow. `pick`
// takes the next from those that are free to come.
template <class Pick>
Ids drain_graph(const Ids& ids, std::unordered_map<OperationId, Ids>& next,
                std::unordered_map<OperationId, int>& before, Pick pick) {
  std::set<OperationId> free;
  for (OperationId id : ids)
    if (before[id] == 0) free.insert(id);
  Ids order;
  while (!free.empty()) {
    const auto chosen = pick(free);
    const OperationId id = *chosen;
    free.erase(chosen);
    order.push_back(id);
    for (OperationId other : next[id])
      if (--before[other] == 0) free.insert(other);
  }
  return order;
}

// A legal order of the ids, which with_needs closed.
Ids arranged(const Ids& ids, Schedule::Order order, Random& random) {
  // Backwards for Forward: what was issued first goes last, if nothing needs it.
  const bool backwards = order == Schedule::Order::Forward;
  std::unordered_map<OperationId, Ids> next;
  std::unordered_map<OperationId, int> before;
  for (OperationId id : ids)
    for (OperationId need : queue().pending.at(id).after) {
      if (!pending(need)) continue;
      next[backwards ? id : need].push_back(backwards ? need : id);
      ++before[backwards ? need : id];
    }
  using Free = std::set<OperationId>;
  switch (order) {
    case Schedule::Order::Forward: {
      Ids last_first = drain_graph(ids, next, before, [](const Free& free) { return free.begin(); });
      std::reverse(last_first.begin(), last_first.end());
      return last_first;
    }
    case Schedule::Order::Reverse:
      return drain_graph(ids, next, before, [](const Free& free) { return std::prev(free.end()); });
    case Schedule::Order::Shuffled:
    case Schedule::Order::WarpAhead:
      break;
  }
  return drain_graph(ids, next, before, [&](const Free& free) {
    return std::next(free.begin(), random.below(static_cast<uint32_t>(free.size())));
  });
}

// What keeps the work from running, said of the work: "cudaMemcpyAsync of 64 bytes reaches into ..."
std::optional<std::string> refusal(const Operation& operation) {
  for (const auto* ranges : {&operation.work->reads, &operation.work->writes})
    for (const Range& range : *ranges)
      if (std::string reason = objection(range, operation.device); !reason.empty())
        return operation.work->name + " " + reason;
  return std::nullopt;
}

void run(const Operation& operation) {
  const Work& work = *operation.work;
  if (!work.run || sticky_error(operation.device) != cudaSuccess) return;
  if (const auto reason = refusal(operation)) return fault(operation.device, *reason);
  if (const auto race = record_accesses(operation.moment, work.reads, work.writes, work.takes_what_is_there))
    return fault(operation.device, *race);
  Observer* told = observer();
  if (told)
    for (const Range& range : work.reads) told->read(range.data, range.bytes);
  std::optional<DeviceWorks> whole;
  std::optional<RangesInUse> parts;
  if (work.bounded)
    parts.emplace(work.reads, work.writes);
  else
    whole.emplace(operation.device);
  queue().running = &work;
  try {
    work.run();
  } catch (const Fault& found) {
    fault(operation.device, found.message);
  } catch (const std::exception& error) {
    fault(operation.device, work.name + ": " + error.what());
  }
  queue().running = nullptr;
  if (told)
    for (const Range& range : work.writes) told->written(range.data, range.bytes);
  if (work.bounded) return;
  whole->check_redzones(work.name);
  const DeviceWorks::Touched touched = whole->touched();
  if (const auto race = record_accesses(operation.moment, touched.reads, touched.writes, false))
    fault(operation.device, *race);
}

void run_all(const Ids& order) {
  std::optional<DeviceWorks> works;
  int device = -1;
  for (OperationId id : order) {
    const auto found = queue().pending.find(id);
    if (found == queue().pending.end()) continue;
    const Operation operation = std::move(found->second);
    queue().pending.erase(found);
    if (operation.device != device && !operation.work->bounded) {
      works.reset();
      works.emplace(device = operation.device);
    }
    run(operation);
  }
}

void wait_for_all(const Ids& targets) {
  const Schedule by = schedule();
  Random random(by.seed + queue().waits++);
  const bool lazy =
      by.order == Schedule::Order::Forward || (by.order != Schedule::Order::Reverse && random.below(2) == 0);
  run_all(arranged(lazy ? with_needs(targets) : all_pending(), by.order, random));
}

bool overlap(const Range& a, const Range& b) {
  const auto* a_begin = static_cast<const std::byte*>(a.data);
  const auto* b_begin = static_cast<const std::byte*>(b.data);
  return a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes;
}

}  // namespace

OperationId give(int device, std::shared_ptr<const Work> work, const Ids& after) {
  Operation operation{device, new_moment(device, work->name, after), std::move(work), {}};
  for (OperationId need : after)
    if (pending(need)) operation.after.push_back(need);
  const OperationId id = operation.moment->id;
  queue().pending.emplace(id, std::move(operation));
  return id;
}

bool pending(OperationId id) { return queue().pending.contains(id); }

void wait_for(OperationId id) {
  wait_for_all({id});
  host_knows(id);
}

void wait_for_device(int device) {
  Ids ids;
  for (const auto& [id, operation] : queue().pending)
    if (operation.device == device) ids.push_back(id);
  wait_for_all(ids);
  host_knows_all_of(device);
}

void advance_towards(OperationId id) {
  const Ids needed = with_needs({id});
  if (!needed.empty()) run_all({needed.front()});  // the first issued needs no other
}

void forget_work(int device) {
  std::erase_if(queue().pending, [&](const auto& entry) { return entry.second.device == device; });
  host_knows_all_of(device);
}

const Moment* pending_writer_of(const Range& range) {
  for (const auto& [id, operation] : queue().pending)
    for (const Range& written : operation.work->writes)
      if (overlap(written, range)) return operation.moment.get();
  return nullptr;
}

const Moment* user_of(const Range& range) {
  for (const auto& [id, operation] : queue().pending)
    for (const auto* ranges : {&operation.work->reads, &operation.work->writes})
      for (const Range& used : *ranges)
        if (overlap(used, range)) return operation.moment.get();
  return unknown_user_of(range);
}

const Work* running_work() { return queue().running; }

}  // namespace emulation::runtime
