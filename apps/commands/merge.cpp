// tyto merge: shards of a run as one file.
#include <fmt/format.h>

#include <memory>

#include "apps/command.h"
#include "apps/console.h"
#include "apps/reid/features_file.h"

namespace tyto::apps {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string out;
};

int merge(const Flags& flags) {
  const std::vector<std::filesystem::path> paths(flags.files.begin(), flags.files.end());
  Features joined = join_features(paths);
  std::string sizes;
  for (const auto& [kind, set] : joined.sets)
    sizes += fmt::format("{}{} {}", sizes.empty() ? "" : ", ", set.rows(), name_of(kind));
  write_features(flags.out, std::move(joined));
  notice(fmt::format("{}: {} features of {} files", flags.out, sizes, flags.files.size()));
  return kDone;
}

}  // namespace

void add_merge(CLI::App& app, Run& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* c = app.add_subcommand("merge", "join the shards of a run into the file of an unsharded one");
  c->add_option("files", flags->files, "features files of all shards")->required();
  c->add_option("-o,--output", flags->out, "features file to write")->required();
  c->callback([flags, &command] { command = [flags] { return merge(*flags); }; });
}

}  // namespace tyto::apps
