// tyto selftest: does this machine compute what it should?
#include "engine/self_test/self_test.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/key_values.h"
#include "apps/console.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::vector<std::string> models, set;
  bool json = false;
  EngineFlags engine;
};

int run(const Flags& flags) {
  Context context(context_options(flags.engine));
  const Precision precision = precision_from(flags.engine.precision);
  std::vector<SelfTestResult> results = self_test(context, precision);
  for (const std::string& model : flags.models) {
    const auto more = self_test(Model(model), context, precision, check_interrupted, key_values(flags.set));
    results.insert(results.end(), more.begin(), more.end());
  }
  const auto failed =
      std::count_if(results.begin(), results.end(), [](const SelfTestResult& r) { return !r.passed(); });
  if (flags.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& r : results)
      list.push_back({{"name", r.name},
                      {"algorithm", r.algorithm},
                      {"error", r.error},
                      {"tolerance", r.tolerance},
                      {"passed", r.passed()},
                      {"first_wrong_layer", r.first_wrong_layer}});
    fmt::print("{}\n", dump_json({{"failed", failed}, {"checks", list}}));
  } else {
    size_t widest = 0;
    for (const auto& r : results) widest = std::max(widest, r.name.size());
    for (const auto& r : results)
      fmt::print("{:6} {:{}} {:24} error {:.1e} of at most {:.1e}{}\n", r.passed() ? "ok" : "WRONG", r.name,
                 widest, r.algorithm, r.error, r.tolerance,
                 r.first_wrong_layer.empty() ? "" : ", first in layer '" + r.first_wrong_layer + "'");
    fmt::print("{} of {} checks passed\n", results.size() - static_cast<size_t>(failed), results.size());
  }
  return failed == 0 ? kDone : 1;
}

}  // namespace

void add_selftest(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand(
      "selftest", "compare this machine's results with a naive reference, a GPU's with the CPU's");
  c->add_option(
      "models", flags->models,
      "also run these models: on a GPU against the CPU, else against the reference (seconds to minutes)");
  c->add_option("--set", flags->set, kSetHelp)->allow_extra_args(false);
  c->add_flag("--json", flags->json, "print a JSON object");
  add_engine_flags(*c, flags->engine);
  c->callback([flags, &command] { command = [flags] { return run(*flags); }; });
}

}  // namespace tyto::apps
