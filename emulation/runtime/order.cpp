#include "emulation/runtime/order.h"

#include <algorithm>

namespace emulation::runtime {
namespace {

struct Order {
  OperationId last = 0;
  uint64_t chains = 0;
  std::map<OperationId, std::shared_ptr<Moment>> unknown;  // to the host: it has not waited for them
};

Order& order() {
  static Order order;
  return order;
}

void join_chain(Moment& moment, const std::vector<std::shared_ptr<Moment>>& needs) {
  const auto open = std::ranges::find_if(needs, [](const auto& need) { return !need->followed; });
  if (open == needs.end()) {
    moment.chain = ++order().chains;
  } else {
    moment.chain = (*open)->chain;
    moment.position = (*open)->position + 1;
    (*open)->followed = true;
  }
  moment.reached[moment.chain] = moment.position;
}

}  // namespace

std::shared_ptr<const Moment> new_moment(int device, const std::string& name,
                                         const std::vector<OperationId>& after) {
  auto moment = std::make_shared<Moment>();
  moment->id = ++order().last;
  moment->device = device;
  moment->name = name;
  std::vector<std::shared_ptr<Moment>> needs;
  for (OperationId id : after)
    if (const auto found = order().unknown.find(id); found != order().unknown.end())
      needs.push_back(found->second);
  for (const auto& need : needs)
    for (const auto& [chain, position] : need->reached) {
      uint64_t& reached = moment->reached[chain];
      reached = std::max(reached, position);
    }
  join_chain(*moment, needs);
  return order().unknown[moment->id] = moment;
}

bool comes_before(const Moment& a, const Moment& b) {
  if (b.id >= a.known_from) return true;
  const auto reached = b.reached.find(a.chain);
  return reached != b.reached.end() && a.position <= reached->second;
}

void host_knows(OperationId done) {
  const auto found = order().unknown.find(done);
  if (found == order().unknown.end()) return;
  const std::shared_ptr<Moment> last = found->second;
  std::erase_if(order().unknown, [&](const auto& entry) {
    if (!comes_before(*entry.second, *last)) return false;
    entry.second->known_from = order().last + 1;
    return true;
  });
}

void host_knows_all_of(int device) {
  std::vector<OperationId> ids;
  for (const auto& [id, moment] : order().unknown)
    if (moment->device == device) ids.push_back(id);
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) host_knows(*id);
}

}  // namespace emulation::runtime
