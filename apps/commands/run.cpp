// tyto run: raw tensors in, raw tensors out, for parity checks and debugging; how long a network takes, and
// which layers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <vector>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/plan_reports.h"
#include "apps/console.h"
#include "files/json.h"
#include "files/safetensors.h"
#include "tyto/plan.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kProfiledRuns = 10;

struct Flags {
  std::string model, input, output;
  std::vector<std::string> outputs;
  int repeat = 0, batch = 1;
  bool profile = false, json = false;
  EngineFlags engine;
};

// Uniform in [-2, 2): about what preprocessing makes of photographs; the same on every run.
Tensor noise(const Shape& shape) {
  Tensor tensor(DType::F32, shape);
  std::minstd_rand random;
  for (float& v : tensor.as<float>())
    v = 4 * static_cast<float>(random() - 1) / static_cast<float>(std::minstd_rand::max()) - 2;
  return tensor;
}

// Every tensor of the file, floating-point numbers as F32.
std::map<std::string, Tensor> read_inputs(const std::string& path) {
  const SafetensorsFile file(path);
  std::map<std::string, Tensor> inputs;
  for (const std::string& name : file.names()) {
    const Tensor tensor = file.read(name);
    inputs.emplace(name, tensor.dtype() == DType::I32 ? tensor : tensor.to_f32());
  }
  return inputs;
}

std::map<std::string, Tensor> noise_inputs(const InputShapes& shapes) {
  std::map<std::string, Tensor> inputs;
  for (const auto& [name, shape] : shapes) inputs.emplace(name, noise(shape));
  return inputs;
}

InputShapes shapes_of(const std::map<std::string, Tensor>& inputs) {
  InputShapes shapes;
  for (const auto& [name, tensor] : inputs) shapes.emplace(name, tensor.shape());
  return shapes;
}

double median_ms(Plan& plan, const std::map<std::string, Tensor>& inputs, int repeat) {
  std::vector<double> milliseconds;
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    plan.run(inputs);
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    check_interrupted();
  }
  std::ranges::sort(milliseconds);
  return milliseconds[milliseconds.size() / 2];
}

void write_outputs(const std::string& path, const std::map<std::string, Tensor>& results) {
  SafetensorsWriter::Declared declared;
  for (const auto& [name, tensor] : results) declared.push_back({name, {tensor.dtype(), tensor.shape()}});
  SafetensorsWriter writer(path, declared, {});
  for (const auto& [name, tensor] : results) writer.append(name, tensor);
  writer.commit();
}

int run(const Flags& flags) {
  if (flags.output.empty() && flags.repeat == 0 && !flags.profile)
    throw Error(ErrorKind::Usage, "nothing is asked for; give --output, --repeat or --profile");
  const Model model(flags.model);
  model.verify();
  const Precision precision = precision_from(flags.engine.precision);
  const std::map<std::string, Tensor> inputs =
      flags.input.empty() ? noise_inputs(model.input_shapes(flags.batch)) : read_inputs(flags.input);
  Context context(context_options(flags.engine));
  Peaks peaks;
  if (flags.profile) peaks = context.measure_peaks(precision);  // while the device's memory is free
  Plan plan(model, context, shapes_of(inputs), {precision, flags.outputs});

  std::optional<ProfileReport> profile;
  const int repeat = flags.profile && flags.repeat == 0 ? kProfiledRuns : flags.repeat;
  double run_ms = 0;
  if (flags.profile) {
    profile.emplace(ProfileReport{plan.report(), plan.profile(inputs, repeat), peaks});
    run_ms = profile->profile.run_ms;
  } else if (repeat > 0) {
    run_ms = median_ms(plan, inputs, repeat);
  }
  const auto& results = plan.run(inputs);
  if (!flags.output.empty()) write_outputs(flags.output, results);

  const double images_per_second = static_cast<double>(inputs.begin()->second.dim(0)) * 1e3 / run_ms;
  if (flags.json) {
    ordered_json out;
    for (const auto& [name, tensor] : results) out["outputs"][name] = tensor.shape().dims();
    if (repeat > 0)
      out.update({{"runs", repeat}, {"run_ms", run_ms}, {"images_per_second", images_per_second}});
    if (profile) out["profile"] = profile->json();
    fmt::print("{}\n", dump_json(out));
    return kDone;
  }
  for (const auto& [name, tensor] : results) fmt::print("{} {}\n", name, tensor.shape().str());
  if (profile) fmt::print("{}", profile->table());
  if (repeat > 0)
    fmt::print("{:.3f} ms a run{} (median of {}; {:.1f} images/s)\n", run_ms,
               profile ? " whose layers are not timed" : "", repeat, images_per_second);
  return kDone;
}

}  // namespace

void add_run(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c =
      app.add_subcommand("run", "run a network on a raw input tensor, or see how long its layers take");
  c->add_option("model", flags->model, "a model file")->required();
  CLI::Option* input = c->add_option(
      "--input", flags->input,
      "safetensors with a tensor for each input of the network (one of images: 'input' [N, 3, H, W], "
      "preprocessed); without it noise, to measure with");
  c->add_option("--output", flags->output, "safetensors to write the named outputs to")->needs(input);
  c->add_option("--batch", flags->batch, "images a run, of noise")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str()
      ->excludes(input);
  c->add_option("--outputs", flags->outputs, "compute these outputs only")
      ->delimiter(',')
      ->allow_extra_args(false);
  c->add_option("--repeat", flags->repeat, "run so many times more, and say how long the median took")
      ->check(CLI::Range(0, 1000000));
  c->add_flag(
      "--profile", flags->profile,
      fmt::format(
          "a table by layer: time (median of {} runs or of --repeat; of several GPUs the first's), "
          "share, algorithm, GFLOP/s and GB/s beside the peaks measured here; --json gives the same as "
          "JSON. What trtexec's --dumpProfile and benchmark_app's -pc show",
          kProfiledRuns));
  c->add_flag("--json", flags->json, "print a JSON object");
  add_engine_flags(*c, flags->engine);
  c->callback([flags, &command] { command = [flags] { return run(*flags); }; });
}

}  // namespace tyto::apps
