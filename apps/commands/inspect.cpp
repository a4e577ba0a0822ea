// tyto inspect: what is in a checkpoint, a model file or any safetensors file; what a plan for a model does.
#include <fmt/format.h>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/commands/key_values.h"
#include "apps/commands/plan_reports.h"
#include "apps/console.h"
#include "apps/reid/features_summary.h"
#include "engine/model/build_graph.h"
#include "engine/model/model_file.h"
#include "files/json.h"
#include "tyto/plan.h"
#include "weights_converter/checkpoint/checkpoint.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

struct Flags {
  std::string file, key;
  std::vector<std::string> set;
  bool plan = false, json = false;
  int batch = 1;
  EngineFlags engine;
};

constexpr double kMiB = 1 << 20;
constexpr int kMaxNesting = 8;

ordered_json describe_tensors(const TensorSource& source) {
  ordered_json list = ordered_json::array();
  for (const std::string& name : source.names()) {
    const TensorSpec spec = source.find(name).value();
    list.push_back({{"name", name}, {"dtype", type_name(spec)}, {"shape", spec.shape.dims()}});
  }
  return list;
}

void print_tensors(const ordered_json& tensors) {
  for (const auto& t : tensors)
    fmt::print("  {:5} {:22} {}\n", t["dtype"].get<std::string>(),
               Shape(t["shape"].get<std::vector<int64_t>>()).str(),
               for_terminal(t["name"].get<std::string>()));
}

bool holds_features(const SafetensorsFile& file) {
  const auto key = file.metadata().find("tyto");
  return key != file.metadata().end() && parse_json(key->second, kMaxNesting, file.origin()).contains("kind");
}

int inspect_features(const Flags& flags, const SafetensorsFile& file) {
  const Features features = read_features_description(file.path());
  const ordered_json tensors = describe_tensors(file);
  ordered_json out = {{"file", file.origin()}, {"format", "tyto features"}};
  if (flags.json) {
    out.update(features_json(features));
    out["tensors"] = tensors;
    fmt::print("{}\n", dump_json(out));
    return kDone;
  }
  fmt::print("{:14} {}\n{:14} tyto features\n{}{} tensors\n", "file", for_terminal(file.origin()), "format",
             features_text(features), tensors.size());
  print_tensors(tensors);
  return kDone;
}

// A model's description where the file is one; other files' metadata as it stands.
ordered_json describe(const SafetensorsFile& file) {
  ordered_json out = {{"file", file.origin()}, {"format", "safetensors"}};
  if (!file.metadata().contains("tyto")) {
    if (!file.metadata().empty()) out["metadata"] = file.metadata();
    return out;
  }
  const Model model(file.path());
  const ModelInfo& info = model.info();
  out["format"] = "tyto model";
  out["network"] = info.network;
  if (info.task) out["task"] = name_of(*info.task);
  out["options"] = info.options;
  out["inputs"] = inputs_json(info);
  if (!info.outputs.empty()) out["outputs"] = outputs_json(info);
  if (!info.state.empty()) out["state"] = info.state;
  out["class_names"] = info.class_names;
  out["source_sha256"] = info.source_sha256;
  out["identity"] = info.tensors_sha256;
  out["intact"] = model.intact();
  return out;
}

int inspect_safetensors(const Flags& flags, const SafetensorsFile& file) {
  if (holds_features(file)) return inspect_features(flags, file);
  ordered_json out = describe(file);
  const ordered_json tensors = describe_tensors(file);
  if (flags.json) {
    out["tensors"] = tensors;
    fmt::print("{}\n", dump_json(out));
  } else {
    for (const auto& [key, value] : out.items())
      fmt::print("{:14} {}\n", key,
                 for_terminal(value.is_string() ? value.get<std::string>() : dump_json(value)));
    fmt::print("{} tensors\n", tensors.size());
    print_tensors(tensors);
  }
  if (out.contains("intact") && !out["intact"].get<bool>()) Model(file.path()).verify();
  return kDone;
}

int inspect_plan(const Flags& flags) {
  const Model model(flags.file);
  Context context(context_options(flags.engine));
  const auto set = key_values(flags.set);
  const Plan plan(model, context, input_shapes(inputs_of(model, set), flags.batch),
                  {precision_from(flags.engine.precision), {}, set});
  const PlanReport& r = plan.report();
  if (flags.json) {
    ordered_json steps = ordered_json::array();
    for (const auto& s : r.steps) steps.push_back(step_json(s));
    fmt::print("{}\n", dump_json({{"steps", steps},
                                  {"activation_bytes", r.activation_bytes},
                                  {"activation_bound", r.activation_bound},
                                  {"workspace_bytes", r.workspace_bytes},
                                  {"prologue_bytes", r.prologue_bytes},
                                  {"weight_bytes", r.weight_bytes}}));
    return kDone;
  }
  fmt::print("{:4} {:36} {:22} {:26} {:10} {}\n", "step", "layer", "operation", "algorithm", "layout",
             "output");
  for (size_t i = 0; i < r.steps.size(); ++i) {
    const auto& s = r.steps[i];
    fmt::print("{:4} {:36} {:22} {:26} {:10} {}\n", i, s.name, s.operation, s.algorithm, s.layout,
               s.shape.str());
    if (s.prologue && (i + 1 == r.steps.size() || !r.steps[i + 1].prologue))
      fmt::print(
          "     so far the prologue, which runs when calibrations (steady inputs) change; its results "
          "take {:.1f} MiB\n",
          static_cast<double>(r.prologue_bytes) / kMiB);
  }
  fmt::print(
      "activations {:.1f} MiB ({:.2f}x the least possible), workspace {:.1f} MiB, weights {:.1f} MiB\n",
      static_cast<double>(r.activation_bytes) / kMiB,
      static_cast<double>(r.activation_bytes) / static_cast<double>(std::max<int64_t>(1, r.activation_bound)),
      static_cast<double>(r.workspace_bytes) / kMiB, static_cast<double>(r.weight_bytes) / kMiB);
  return kDone;
}

// The dict whose tensors are listed: the one of --key, else the one with most; null where there is none.
const NamedTensors* shown_dict(const Flags& flags, const CheckpointSummary& summary) {
  for (const NamedTensors& dict : summary.dicts)
    if (flags.key.empty() || dict.key == flags.key) return &dict;
  if (!flags.key.empty())
    throw Error(ErrorKind::Usage, fmt::format("{} has no tensors under --key '{}'", flags.file, flags.key));
  return nullptr;
}

int inspect_pickles(const Flags& flags, const CheckpointSummary& summary) {
  ordered_json out = {{"file", flags.file}, {"format", std::string(name_of(summary.format))}};
  ordered_json globals = ordered_json::array(), dangerous = ordered_json::array();
  for (const auto& g : summary.globals) (g.dangerous ? dangerous : globals).push_back(g.name);
  const NamedTensors* shown = shown_dict(flags, summary);
  const ordered_json tensors = shown ? describe_tensors(*shown->tensors) : ordered_json::array();
  if (shown && !shown->key.empty()) out["state_dict"] = shown->key;
  if (flags.json) {
    ordered_json others = ordered_json::array();
    for (const NamedTensors& dict : summary.dicts)
      if (&dict != shown) others.push_back({{"key", dict.key}, {"tensors", dict.tensors->names().size()}});
    out["others"] = others;
    out["beside"] = summary.scalars;
    out["globals"] = globals;
    out["dangerous_globals"] = dangerous;
    if (!summary.problem.empty()) out["problem"] = summary.problem;
    out["tensors"] = tensors;
    fmt::print("{}\n", dump_json(out));
    return kDone;
  }
  for (const auto& [key, value] : out.items())
    fmt::print("{:14} {}\n", key, for_terminal(value.get<std::string>()));
  for (const NamedTensors& dict : summary.dicts)
    if (&dict != shown)
      fmt::print("{:14} {} ({} tensors; --key shows them)\n", "also holds", for_terminal(dict.key),
                 dict.tensors->names().size());
  for (const auto& [name, value] : summary.scalars) fmt::print("{:14} {} {}\n", "beside", name, value);
  fmt::print("{} globals named by its pickles (none is ever called)\n", summary.globals.size());
  for (const auto& g : summary.globals)
    fmt::print("  {}{}\n", g.name, g.dangerous ? "   <- would run code" : "");
  if (!summary.problem.empty()) fmt::print("{:14} {}\n", "problem", summary.problem);
  fmt::print("{} tensors\n", tensors.size());
  print_tensors(tensors);
  return kDone;
}

int run(const Flags& flags) {
  if (flags.plan) return inspect_plan(flags);
  const CheckpointSummary summary = inspect_checkpoint(flags.file);
  if (summary.format == CheckpointFormat::Safetensors)
    return inspect_safetensors(flags, SafetensorsFile(flags.file));
  return inspect_pickles(flags, summary);
}

}  // namespace

void add_inspect(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c =
      app.add_subcommand("inspect", "show what a checkpoint or model file holds, or what a plan does");
  c->add_option("file", flags->file, "a checkpoint, model or features file")->required();
  c->add_option("--key", flags->key, "which of a checkpoint's dicts of tensors to list");
  c->add_flag("--plan", flags->plan, "compile the model and list steps, layouts, algorithms and memory");
  c->add_option("--set", flags->set, fmt::format("for --plan, {}", kSetHelp))->allow_extra_args(false);
  c->add_option("--batch", flags->batch, "images a run, for --plan")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  c->add_flag("--json", flags->json, "print a JSON object");
  add_engine_flags(*c, flags->engine);
  c->callback([flags, &command] { command = [flags] { return run(*flags); }; });
}

}  // namespace tyto::apps
