#include "emulation/emulation.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <stdexcept>
#include <utility>

#include "emulation/kernel_entry.h"
#include "emulation/observer.h"

namespace emulation {
namespace {

Schedule chosen_schedule;
Architecture chosen_architecture;
Observer* chosen_observer = nullptr;

// Kernels register before main() runs.
std::deque<KernelEntry>& kernels() {
  static std::deque<KernelEntry> entries;
  return entries;
}

constexpr std::pair<Schedule::Order, const char*> kOrders[] = {
    {Schedule::Order::Forward, "forward"},
    {Schedule::Order::Reverse, "reverse"},
    {Schedule::Order::Shuffled, "shuffled"},
    {Schedule::Order::WarpAhead, "warp-ahead"},
};

bool has_seed(Schedule::Order order) {
  return order == Schedule::Order::Shuffled || order == Schedule::Order::WarpAhead;
}

}  // namespace

void set_schedule(Schedule schedule) { chosen_schedule = schedule; }
Schedule schedule() { return chosen_schedule; }

Schedule schedule_from(const std::string& text) {
  const size_t colon = text.find(':');
  for (const auto& [order, name] : kOrders) {
    if (text.substr(0, colon) != name) continue;
    if (!has_seed(order)) {
      if (colon == std::string::npos) return {order};
      break;
    }
    Schedule found{order};
    const char *begin = text.data() + colon + 1, *end = text.data() + text.size();
    if (colon == std::string::npos || begin == end) break;
    if (const auto [stop, error] = std::from_chars(begin, end, found.seed);
        error == std::errc() && stop == end)
      return found;
    break;
  }
  throw std::invalid_argument("schedule '" + text +
                              "' is none of forward, reverse, shuffled:SEED, warp-ahead:SEED");
}

std::string name_of(const Schedule& schedule) {
  const auto* order =
      std::ranges::find(kOrders, schedule.order, &std::pair<Schedule::Order, const char*>::first);
  return order->second + (has_seed(schedule.order) ? ":" + std::to_string(schedule.seed) : std::string());
}

void set_architecture(Architecture architecture) { chosen_architecture = std::move(architecture); }
const Architecture& architecture() { return chosen_architecture; }

KernelEntry& register_kernel(std::string name) {
  const auto known = std::ranges::find(kernels(), name, &KernelEntry::name);
  return known != kernels().end() ? *known : kernels().emplace_back(KernelEntry{std::move(name)});
}

std::vector<LaunchCount> launch_counts() {
  std::vector<LaunchCount> counts;
  for (const KernelEntry& kernel : kernels()) counts.push_back({kernel.name, kernel.launches});
  std::ranges::sort(counts, {}, &LaunchCount::kernel);
  return counts;
}

void set_observer(Observer* observer) { chosen_observer = observer; }
Observer* observer() { return chosen_observer; }

}  // namespace emulation
