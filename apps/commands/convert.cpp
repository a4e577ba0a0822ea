// tyto convert: a PyTorch checkpoint becomes a model file.
#include "weights_converter/convert.h"

#include <fmt/format.h>

#include "apps/class_names_file.h"
#include "apps/command.h"
#include "apps/commands/key_values.h"
#include "apps/console.h"
#include "apps/conversion_report.h"
#include "engine/model/model_file.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::string checkpoint, output, classes;
  std::vector<std::string> set, preprocess;
  Wanted wanted;
  bool json = false;
};

// Networks that share their tensors' names, and what differs is nowhere in their files.
constexpr const char* kRecipes =
    "Recipes for SSD300 of forks of ssd.pytorch:\n"
    "  bubbliiiing's ssd-pytorch:       --set anchors=bubbliiiing --set score_threshold=0.5 --set top_k=0\n"
    "                                   --set clip=before --set empty_union=keep\n"
    "                                   --preprocess resize=pil-bicubic --preprocess mean=[104,117,123]\n"
    "    with its letterbox_image:      --preprocess fit=letterbox --preprocess fill=128 as well\n"
    "  YINYIPENG's SSD_tensorRT_pytorch (and distilled students): --set anchors=bubbliiiing\n"
    "                                   --set score_threshold=0.5 --set top_k=200 --preprocess "
    "fit=letterbox\n"
    "                                   --preprocess fill=114 (means are ssd.pytorch's)\n"
    "    its older prediction script:   --preprocess fill=128 --preprocess mean=[104,117,123] instead\n"
    "Faster R-CNN of simple-faster-rcnn-pytorch, trunk from Caffe or chainer: --set pretrain=caffe\n"
    "Re-identification across visible and thermal cameras (published accuracies could not be checked "
    "without\nthe data sets):\n"
    "  AGW's base trained with gm_pool: --set pooling=gem\n"
    "  the hetero-centre triplet network with the power 10 of its RegDB runs: --set power=10\n"
    "  the baseline of DPAN's paper, whose tensors are AGW's base's: --network dpan --set attention=none";

int run(const Flags& flags) {
  ConvertOptions options;
  options.wanted = flags.wanted;
  options.wanted.set = key_values(flags.set);
  options.preprocess = key_values(flags.preprocess);
  options.poll = check_interrupted;
  if (!flags.classes.empty()) options.class_names = read_class_names(flags.classes);
  const Converted done = convert(flags.checkpoint, flags.output, options);

  if (flags.json) {
    fmt::print("{}\n", dump_json(conversion_json(flags.output, done)));
    return kDone;
  }
  const Recognition& r = done.recognition;
  fmt::print("{}: {}", flags.output, done.info.network);
  for (const auto& [name, value] : done.info.options) fmt::print(" {}={}", name, value);
  if (!r.key.empty()) fmt::print(", found in '{}'", for_terminal(r.key));
  if (!r.prefix.empty()) fmt::print(", names without '{}'", for_terminal(r.prefix));
  fmt::print("\n  {} tensors; left out: {} that running does not need", r.used.size(), r.ignored.size());
  if (!r.unused.empty()) fmt::print(", {} unknown", r.unused.size());
  if (!r.outside.empty()) fmt::print(", {} without the prefix", r.outside.size());
  for (const Decision& d : done.decisions)
    fmt::print("\n  {}={}: {}", d.option, d.value, for_terminal(d.reason));
  fmt::print("\n  inputs {}\n  identity {}\n", dump_json(inputs_json(done.info)), done.info.tensors_sha256);
  return kDone;
}

}  // namespace

void add_convert(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("convert", "make a model file from a PyTorch checkpoint");
  c->add_option("checkpoint", flags->checkpoint, "a .pth, .pt, .tar or .safetensors file")->required();
  c->add_option("-o,--output", flags->output, "the model file to write")->required();
  c->add_option("--network", flags->wanted.network, "the network, where the tensors do not tell");
  c->add_option("--key", flags->wanted.key,
                "where in the checkpoint its tensors are, if there are several networks: model_ema, [1]");
  c->add_option("--prefix", flags->wanted.prefix,
                "what stands before its tensors' names: encoder_q. (the others are left out)");
  c->add_option("--set", flags->set, "an option of the network: stride=1")->allow_extra_args(false);
  c->add_option(
       "--preprocess", flags->preprocess,
       "a key of the preprocessing rule: size=[384,128], resize=pil-bilinear; of one of several inputs "
       "of images: NAME.size=[384,128]")
      ->allow_extra_args(false);
  c->add_option("--classes", flags->classes, "a text file with a class name a line");
  c->add_flag("--allow-unused", flags->wanted.allow_unused, "convert although tensors are left over");
  c->add_flag("--json", flags->json, "print a JSON object");
  c->footer(kRecipes);
  c->callback([flags, &command] { command = [flags] { return run(*flags); }; });
}

}  // namespace tyto::apps
