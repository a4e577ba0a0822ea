// tyto merge: shards of a run as one file.
#include <fmt/format.h>

#include <memory>

#include "apps/command.h"
#include "apps/console.h"
#include "apps/reid/features_file.h"

namespace tyto::apps {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string out;
};

int merge(const Options& options) {
  const std::vector<std::filesystem::path> paths(options.files.begin(), options.files.end());
  Features joined = join_features(paths);
  std::string sizes;
  for (const auto& [kind, set] : joined.sets)
    sizes += fmt::format("{}{} {}", sizes.empty() ? "" : ", ", set.rows(), name_of(kind));
  write_features(options.out, std::move(joined));
  notice(fmt::format("{}: {} features of {} files", options.out, sizes, options.files.size()));
  return kDone;
}

}  // namespace

void add_merge(CLI::App& app, Run& run) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("merge", "join the shards of a run into the file of an unsharded one");
  command->add_option("files", options->files, "features files of all shards")->required();
  command->add_option("-o,--output", options->out, "features file to write")->required();
  command->callback([&run, options] { run = [options] { return merge(*options); }; });
}

}  // namespace tyto::apps
