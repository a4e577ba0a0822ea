// tyto run: raw tensors in, raw tensors out, for parity checks and debugging; how long a network takes, and
// which layers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/key_values.h"
#include "apps/commands/plan_reports.h"
#include "apps/console.h"
#include "apps/raw_inputs.h"
#include "engine/model/build_graph.h"
#include "engine/networks/inputs.h"
#include "files/json.h"
#include "files/safetensors.h"
#include "tyto/plan.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kProfiledRuns = 10;

struct Flags {
  std::string model, input, output;
  std::vector<std::string> outputs, set;
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

using Tensors = std::map<std::string, Tensor>;

Tensor filled(const Shape& shape, int64_t value) {
  Tensor tensor(DType::I32, shape);
  std::ranges::fill(tensor.as<int32_t>(), static_cast<int32_t>(value));
  return tensor;
}

// Numbers are noise, indices 0, tables full, images whole.
Tensors noise_inputs(const std::vector<InputInfo>& infos, int batch) {
  const InputShapes shapes = input_shapes(infos, batch);
  Tensors inputs;
  for (const InputInfo& input : infos) {
    const Shape& shape = shapes.at(input.name);
    if (!input.sizes_of.empty()) {
      const Shape& image = shapes.at(input.sizes_of);
      inputs.emplace(input.name, sizes_of_whole_images(batch, image[2], image[3]));
      continue;
    }
    inputs.emplace(input.name, input.type == DType::I32 ? filled(shape, 0) : noise(shape));
    if (input.counted) inputs.emplace(input.name + kCountSuffix, filled({batch}, input.sample[0]));
  }
  return inputs;
}

// Every tensor of the file is an input, by its name.
Tensors read_inputs(const std::string& path, const std::vector<InputInfo>& infos) {
  const SafetensorsFile file(path);
  try {
    InputShapes shapes;
    for (const std::string& name : file.names()) shapes.emplace(name, file.find(name)->shape);
    return raw_inputs(infos, shapes, [&](const std::string& name) { return file.read(name); });
  } catch (const Error& e) {
    const std::string what = e.what();
    const ErrorKind kind = e.kind() == ErrorKind::Usage ? ErrorKind::Format : e.kind();  // the file's fault
    throw Error(kind, what.starts_with(path) ? what : fmt::format("{}: {}", path, what));
  }
}

InputShapes shapes_of(const Tensors& inputs) {
  InputShapes shapes;
  for (const auto& [name, tensor] : inputs) shapes.emplace(name, tensor.shape());
  return shapes;
}

// Of a run; samples where the network takes none.
int64_t count_images(const std::vector<InputInfo>& infos, const Tensors& inputs) {
  int64_t images = 0;
  for (const InputInfo& input : infos)
    if (input.is_images()) images += inputs.at(input.name).dim(0);
  return images > 0 ? images : inputs.at(infos.front().name).dim(0);
}

double median_ms(Plan& plan, const Tensors& inputs, int repeat) {
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

int run(const Flags& flags) {
  if (flags.output.empty() && flags.repeat == 0 && !flags.profile)
    throw Error(ErrorKind::Usage, "nothing is asked for; give --output, --repeat or --profile");
  const Model model(flags.model);
  model.verify();
  const Precision precision = precision_from(flags.engine.precision);
  const auto set = key_values(flags.set);
  const std::vector<InputInfo> infos = inputs_of(model, set);
  const Tensors inputs =
      flags.input.empty() ? noise_inputs(infos, flags.batch) : read_inputs(flags.input, infos);
  Context context(context_options(flags.engine));
  Peaks peaks;
  if (flags.profile) peaks = context.measure_peaks(precision);  // while the device's memory is free
  Plan plan(model, context, shapes_of(inputs), {precision, flags.outputs, set});

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
  if (!flags.output.empty()) write_safetensors(flags.output, results);

  const double images_per_second = static_cast<double>(count_images(infos, inputs)) * 1e3 / run_ms;
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
  CLI::App* c = app.add_subcommand("run", "run a network on raw tensors, or see how long its layers take");
  c->add_option("model", flags->model, "a model file")->required();
  CLI::Option* input = c->add_option(
      "--input", flags->input,
      "safetensors with a tensor for each input that `tyto inspect MODEL` lists and none besides: images "
      "[N * views, 3, H, W], preprocessed (most networks: 'input'), numbers F32, tables I32 and their "
      "NAME.count [N]; F64, F16 and BF16 become F32, I64 becomes I32. Without it noise, to measure with");
  c->add_option("--output", flags->output, "safetensors to write the named outputs to, each in its own type")
      ->needs(input);
  c->add_option("--batch", flags->batch, "samples a run, of noise")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str()
      ->excludes(input);
  c->add_option("--outputs", flags->outputs, "compute these outputs only")
      ->delimiter(',')
      ->allow_extra_args(false);
  c->add_option("--set", flags->set, kSetHelp)->allow_extra_args(false);
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
