// tyto merge: shards of a run as one.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/bev/bev_merge.h"
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
  if (std::ranges::any_of(paths, [](const auto& path) { return std::filesystem::is_directory(path); })) {
    const int64_t samples = merge_bev(paths, flags.out);
    notice(fmt::format("{}: {} samples of {} folders", flags.out, samples, paths.size()));
    return kDone;
  }
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
  CLI::App* c = app.add_subcommand("merge", "join the shards of a run into what an unsharded one writes");
  c->add_option("files", flags->files, "all shards: features files of tyto extract, folders of tyto bev")
      ->required();
  c->add_option("-o,--output", flags->out, "features file or folder to write")->required();
  c->callback([flags, &command] { command = [flags] { return merge(*flags); }; });
}

}  // namespace tyto::apps
