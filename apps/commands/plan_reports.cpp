#include "apps/commands/plan_reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr double kGiga = 1e9;
constexpr const char* kOutside = "outside of the layers";
constexpr const char* kPrologue = "the prologue, of all samples";

// What something reached, in 10^9 a second; of no time, nothing.
struct Speed {
  double gflops = 0, gb_per_s = 0;
};

Speed speed_of(double flop, double bytes, double ms) {
  if (ms <= 0) return {};
  return {flop / ms / 1e6, bytes / ms / 1e6};
}

double bytes_of(const PlanReport::Step& step) {
  return static_cast<double>(step.bytes_read) + static_cast<double>(step.bytes_written);
}

// A row's numbers behind its names.
std::string numbers(double ms, const std::string& share, const Speed& speed, const Peaks& peaks) {
  return fmt::format("{:10.3f} {:>7} {:9.1f} {:4.0f} % {:8.1f} {:4.0f} %\n", ms, share, speed.gflops,
                     100 * speed.gflops * kGiga / peaks.flops, speed.gb_per_s,
                     100 * speed.gb_per_s * kGiga / peaks.bandwidth);
}

std::string share_of(double ms, double total_ms) { return fmt::format("{:.1f} %", 100 * ms / total_ms); }

// What steps do and take together.
struct Sum {
  double ms = 0, flop = 0, bytes = 0;

  void add(const PlanReport::Step& step, double step_ms) {
    ms += step_ms;
    flop += step.flop;
    bytes += bytes_of(step);
  }
  Speed speed() const { return speed_of(flop, bytes, ms); }
};

// The part of a row that says what it is about: columns as wide as their longest entry.
class Names {
 public:
  explicit Names(const std::vector<PlanReport::Step>& steps) {
    for (const PlanReport::Step& s : steps) {
      layer_ = std::max(layer_, s.name.size());
      operation_ = std::max(operation_, s.operation.size());
      algorithm_ = std::max(algorithm_, s.algorithm.size());
    }
  }
  std::string row(const std::string& number, const std::string& layer, const std::string& operation = "",
                  const std::string& algorithm = "") const {
    return fmt::format("{:>4} {:{}} {:{}} {:{}}", number, layer, layer_, operation, operation_, algorithm,
                       algorithm_);
  }

 private:
  size_t layer_ = std::string_view(kPrologue).size(), operation_ = 9, algorithm_ = 9;
};

}  // namespace

ordered_json step_json(const PlanReport::Step& step) {
  ordered_json j = {{"name", step.name},
                    {"operation", step.operation},
                    {"algorithm", step.algorithm},
                    {"layout", step.layout},
                    {"shape", step.shape.dims()},
                    {"flop", step.flop},
                    {"bytes_read", step.bytes_read},
                    {"bytes_written", step.bytes_written}};
  if (step.prologue) j["prologue"] = true;
  return j;
}

double ProfileReport::steps_ms(bool prologue) const {
  double sum = 0;
  for (size_t i = 0; i < plan.steps.size(); ++i)
    if (plan.steps[i].prologue == prologue) sum += profile.step_ms[i];
  return sum;
}

double ProfileReport::total_ms() const { return steps_ms(/*prologue=*/false) + profile.outside_ms; }

ordered_json ProfileReport::json() const {
  const double total = total_ms();
  ordered_json steps = ordered_json::array();
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanReport::Step& step = plan.steps[i];
    const Speed speed = speed_of(step.flop, bytes_of(step), profile.step_ms[i]);
    ordered_json row = step_json(step);
    row["ms"] = profile.step_ms[i];
    if (!step.prologue) row["share"] = profile.step_ms[i] / total;
    row["gflops"] = speed.gflops;
    row["gb_per_s"] = speed.gb_per_s;
    steps.push_back(row);
  }
  ordered_json j = {{"total_ms", total},
                    {"outside_ms", profile.outside_ms},
                    {"outside_share", profile.outside_ms / total},
                    {"peak_gflops", peaks.flops / kGiga},
                    {"peak_gb_per_s", peaks.bandwidth / kGiga},
                    {"steps", steps}};
  if (profile.changed_run_ms > 0)
    j.update({{"prologue_ms", steps_ms(/*prologue=*/true)}, {"changed_run_ms", profile.changed_run_ms}});
  return j;
}

std::string ProfileReport::table() const {
  const double total = total_ms();
  const Names names(plan.steps);
  std::string text = names.row("step", "layer", "operation", "algorithm");
  text +=
      fmt::format("{:>10} {:>7} {:>9} {:>6} {:>8} {:>6}\n", "ms", "share", "GFLOP/s", "peak", "GB/s", "peak");
  Sum prologue, others;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanReport::Step& step = plan.steps[i];
    const double ms = profile.step_ms[i];
    (step.prologue ? prologue : others).add(step, ms);
    text += names.row(std::to_string(i), step.name, step.operation, step.algorithm);
    text +=
        numbers(ms, step.prologue ? "" : share_of(ms, total), speed_of(step.flop, bytes_of(step), ms), peaks);
    const bool ends = step.prologue && (i + 1 == plan.steps.size() || !plan.steps[i + 1].prologue);
    if (ends) text += names.row("", kPrologue) + numbers(prologue.ms, "", prologue.speed(), peaks);
  }
  text += names.row("", kOutside);
  text += fmt::format("{:10.3f} {:>7}\n", profile.outside_ms, share_of(profile.outside_ms, total));
  others.ms = total;
  text += names.row("", "total");
  text += numbers(total, share_of(total, total), others.speed(), peaks);
  if (profile.changed_run_ms > 0)
    text += fmt::format(
        "The prologue runs when calibrations (steady inputs) are not those of the run before, for the "
        "samples "
        "whose\nare others, and is not in the total: a run takes {:.3f} ms where all are new, {:.3f} ms "
        "where none "
        "is.\n",
        profile.changed_run_ms, profile.run_ms);
  text += fmt::format(
      "Peaks measured here: {:.0f} GFLOP/s in a large matrix product, {:.1f} GB/s of memory. Winograd's "
      "layers, whose\n"
      "operations are counted as if it saved none, may pass the first, and what a cache holds the second.\n",
      peaks.flops / kGiga, peaks.bandwidth / kGiga);
  return text;
}

}  // namespace tyto::apps
