// tyto run: raw tensors in, raw tensors out, for parity checks and debugging.
#include <fmt/format.h>

#include <chrono>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/console.h"
#include "engine/safetensors.h"
#include "tyto/plan.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::string model, input, output;
  std::vector<std::string> outputs;
  int repeat = 1;
  EngineFlags engine;
};

int run(const Flags& flags) {
  const Model model(flags.model);
  const SafetensorsFile file(flags.input);
  const Tensor input = file.read("input").to_f32();
  Context context(context_options(flags.engine));
  Plan plan(model, context, input.shape(), {precision_from(flags.engine.precision), flags.outputs});

  for (int i = 1; i < flags.repeat; ++i) {
    plan.run(input);
    check_interrupted();
  }
  const auto start = std::chrono::steady_clock::now();
  const auto& results = plan.run(input);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;

  SafetensorsWriter::Declared declared;
  for (const auto& [name, tensor] : results) declared.push_back({name, {tensor.dtype(), tensor.shape()}});
  SafetensorsWriter writer(flags.output, declared, {});
  for (const auto& [name, tensor] : results) writer.append(name, tensor);
  writer.commit();
  for (const auto& [name, tensor] : results) fmt::print("{} {}\n", name, tensor.shape().str());
  notice(fmt::format("the {} run took {:.2f} ms", flags.repeat == 1 ? "(cold)" : "last", elapsed.count()));
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
  c->add_option("--outputs", flags->outputs, "compute these outputs only")->delimiter(',');
  c->add_option("--repeat", flags->repeat, "run so many times, and say how long the last took")
      ->check(CLI::Range(1, 1000000));
  add_engine_flags(*c, flags->engine);
  c->callback([flags, &command] { command = [flags] { return run(*flags); }; });
}

}  // namespace tyto::apps
