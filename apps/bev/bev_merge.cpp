#include "apps/bev/bev_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "apps/bev/bev_folder.h"
#include "apps/console.h"
#include "apps/outputs.h"
#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

struct Part {
  fs::path folder;
  BevRun run;
};

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::Format, what); }

void check_shards(const std::vector<Part>& parts) {
  std::map<int64_t, std::string> found;
  const Part& first = parts.front();
  for (const Part& part : parts) {
    const std::string name = part.folder.string();
    if (!part.run.shard) refuse(fmt::format("{} is no shard: its run had no --shard", name));
    if (!part.run.finished)
      refuse(fmt::format("{} is of a run that was stopped; finish it with --resume", name));
    if (part.run.identity != first.run.identity || part.run.shard->count != first.run.shard->count)
      refuse(
          fmt::format("{} and {} do not belong together: they were made with another model, other options, "
                      "other samples or other shards",
                      first.folder.string(), name));
    const auto [other, is_new] = found.emplace(part.run.shard->index, name);
    if (!is_new)
      refuse(fmt::format("{} and {} are the same shard {}", other->second, name, part.run.shard->index));
  }
  for (int64_t i = 0; i < first.run.shard->count; ++i)
    if (!found.contains(i))
      refuse(fmt::format("the samples are not whole: missing shard {}/{}; give all shards", i,
                         first.run.shard->count));
}

void copy_to(const fs::path& from, const fs::path& to) {
  make_folder(to.parent_path());
  const fs::path unfinished = to.string() + ".tmp";
  std::error_code error;
  fs::copy_file(from, unfinished, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(unfinished, to, error);
  if (error)
    throw Error(ErrorKind::File,
                fmt::format("{}: cannot copy to {}: {}", from.string(), to.string(), error.message()));
}

}  // namespace

int64_t merge_bev(const std::vector<fs::path>& folders, const fs::path& out) {
  std::vector<Part> parts;
  for (const fs::path& folder : folders) {
    if (std::error_code missing; fs::equivalent(folder, out, missing))
      throw Error(ErrorKind::Usage,
                  fmt::format("-o {} is one of the shards; name another folder", out.string()));
    parts.push_back({folder, read_bev_run(folder)});
  }
  check_shards(parts);
  if (fs::exists(out / "run.json"))
    throw Error(ErrorKind::Usage, fmt::format("-o {} holds a run; name another folder", out.string()));
  std::vector<std::pair<BevLine, const Part*>> lines;
  BevRun whole = parts.front().run;
  whole.shard.reset();
  whole.skipped.clear();
  for (const Part& part : parts) {
    for_each_bev_line(part.folder, [&](const BevLine& line) { lines.emplace_back(line, &part); });
    whole.skipped.insert(whole.skipped.end(), part.run.skipped.begin(), part.run.skipped.end());
  }
  std::ranges::stable_sort(lines, {}, [](const auto& entry) { return entry.first.index; });
  std::ranges::stable_sort(whole.skipped, {}, &SkippedSample::index);

  make_folder(out);
  Progress progress("joining", static_cast<int64_t>(lines.size()));
  std::unordered_set<std::string> copied;
  std::string text;
  for (const auto& [line, part] : lines) {
    check_interrupted();
    std::vector<std::string> files = line.grids;
    files.push_back(line.raw);
    if (!line.picture.empty()) files.push_back(line.picture);
    for (const std::string& file : files) {
      if (!copied.insert(file).second)
        refuse(fmt::format("{} is the file of two samples; {} names it again", file,
                           (part->folder / "bev.jsonl").string()));
      copy_to(part->folder / file, out / file);
    }
    text += to_json_line(line) + '\n';
    progress.advance();
  }
  write_text(out / "bev.jsonl", text);
  SkippedInputs skipped;
  for (const SkippedSample& s : whole.skipped) skipped.push_back(s.message);
  report_skipped(out / "skipped.txt", skipped, static_cast<int64_t>(lines.size() + skipped.size()),
                 "samples");
  write_bev_run(out, whole);
  return static_cast<int64_t>(lines.size());
}

}  // namespace tyto::apps
