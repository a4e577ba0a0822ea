// What a plan does and how long it takes, as JSON and as a table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tyto/plan.h"

namespace tyto::apps {

nlohmann::ordered_json step_json(const PlanReport::Step& step);

// A profile beside the plan and the device that it is of. A share is of the whole run, which is
// one without the prologue; with `outside_share` they sum to 1.
struct ProfileReport {
  const PlanReport& plan;
  PlanProfile profile;
  Peaks peaks;

  nlohmann::ordered_json json() const;
  std::string table() const;

 private:
  double steps_ms(bool prologue) const;
  double total_ms() const;
};

}  // namespace tyto::apps
