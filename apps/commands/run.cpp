// tyto run: raw tensors in, raw tensors out, for parity checks and debugging.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/console.h"
#include "files/safetensors.h"
#include "tyto/plan.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::string model, input, output;
  std::vector<std::string> outputs;
  int repeat = 0;
  EngineFlags engine;
};

int run(const Flags& flags) {
  const Model model(flags.model);
  model.verify();
  const SafetensorsFile file(flags.input);
  const Tensor input = file.read("input").to_f32();
  Context context(context_options(flags.engine));
  Plan plan(model, context, input.shape(), {precision_from(flags.engine.precision), flags.outputs});

  std::vector<double> milliseconds;
  for (int i = 0; i < flags.repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    plan.run(input);
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    check_interrupted();
  }
  const auto& results = plan.run(input);

  SafetensorsWriter::Declared declared;
  for (const auto& [name, tensor] : results) declared.push_back({name, {tensor.dtype(), tensor.shape()}});
  SafetensorsWriter writer(flags.output, declared, {});
  for (const auto& [name, tensor] : results) writer.append(name, tensor);
  writer.commit();
  for (const auto& [name, tensor] : results) fmt::print("{} {}\n", name, tensor.shape().str());
  if (flags.repeat > 0) {
    std::ranges::sort(milliseconds);
    fmt::print("{:.3f} ms a run (median of {}; {:.1f} images/s)\n", milliseconds[milliseconds.size() / 2],
               flags.repeat, static_cast<double>(input.dim(0)) * 1e3 / milliseconds[milliseconds.size() / 2]);
  }
  return kDone;
}

}  // namespace

void add_run(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("run", "run a network on a raw input tensor");
  c->add_option("model", flags->model, "a model file")->required();
  c->add_option("--input", flags->input, "safetensors with the tensor 'input' [N, 3, H, W], preprocessed")
      ->required();
  c->add_option("--output", flags->output, "safetensors to write the named outputs to")->required();
  c->add_option("--outputs", flags->outputs, "compute these outputs only")
      ->delimiter(',')
      ->allow_extra_args(false);
  c->add_option("--repeat", flags->repeat, "run so many times more, and say how long the median took")
      ->check(CLI::Range(0, 1000000));
  add_engine_flags(*c, flags->engine);
  c->callback([flags, &command] { command = [flags] { return run(*flags); }; });
}

}  // namespace tyto::apps
