#include "apps/reid/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "apps/images/list.h"
#include "files/file.h"
#include "files/utf8.h"
#include "files/whole_number.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxListBytes = 64 << 20;

void add(ImageFolder& folder, const fs::path& file, const std::string& name, const ImageLabel& label) {
  if (is_video_name(file))
    throw Error(ErrorKind::Format,
                fmt::format("{}: a video; `tyto detect --crops` cuts images out of it", file.string()));
  if (!is_utf8(name))
    throw Error(ErrorKind::Format, fmt::format("{}: its name is not UTF-8; rename it", file.string()));
  folder.files.push_back(file);
  folder.names.push_back(name);
  folder.labels.push_back(label);
}

// Adds what list_images_and_videos() finds at `place`, which is the folder's root or below it.
void add_all(ImageFolder& folder, const fs::path& place, const NameRule& rule, const Shard& shard,
             SkippedInputs& skipped) {
  for (const fs::path& file : list_images_and_videos(place)) {
    const std::string name =
        file.lexically_relative(folder.root.empty() ? "." : folder.root).generic_string();
    if (!shard.has(name)) continue;
    try {
      add(folder, file, name, rule.label(name, folder.root));
    } catch (const Error& e) {
      skipped.push_back(e.what());
    }
  }
}

// dataset: how its folder must look.
std::string read_list(const fs::path& list, const char* dataset) {
  if (!fs::exists(list))
    throw Error(ErrorKind::File,
                fmt::format("{}: no such list; --root names the folder of {}", list.string(), dataset));
  return read_text(list, kMaxListBytes);
}

// What a message ends with of a file that may be no text at all.
std::string_view shortened(std::string_view text) { return text.substr(0, 100); }

// The parts of `text` between the separators that are not empty.
std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return parts;
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

ImageFolder listed(SetKind set, const fs::path& root, const fs::path& list, int64_t camera,
                   const Shard& shard, SkippedInputs& skipped) {
  const std::string text = read_list(list, "RegDB, which has Visible, Thermal and the splits in idx");
  ImageFolder folder{.set = set, .root = root};
  std::set<std::string> seen;
  int64_t number = 0;
  const auto bad = [&](std::string_view line, const char* what) {
    throw Error(ErrorKind::Format,
                fmt::format("{}: line {} {}: '{}'", list.string(), number, what, shortened(line)));
  };
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    ++number;
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.rfind(' ');
    const auto label = space == std::string_view::npos ? std::nullopt : whole_number(line.substr(space + 1));
    if (!label || *label < 0 || space == 0)
      bad(line, "is not a path, a space and a label that is a whole number");
    const std::string name(line.substr(0, space));
    if (!seen.insert(name).second) bad(line, "names an image a second time");
    if (!shard.has(name)) continue;
    try {
      add(folder, root / name, name, {*label, camera});
    } catch (const Error& e) {
      skipped.push_back(e.what());
    }
  }
  return folder;
}

}  // namespace

ImageFolder list_folder(SetKind set, const fs::path& root, const NameRule& rule, const Shard& shard,
                        SkippedInputs& skipped) {
  ImageFolder folder{.set = set, .root = fs::is_directory(root) ? root : root.parent_path()};
  add_all(folder, root, rule, shard, skipped);
  return folder;
}

std::vector<ImageFolder> list_sysu(const fs::path& root, const Shard& shard, SkippedInputs& skipped) {
  constexpr int kCameras = 6;
  const auto folder_of = [&](int camera) { return root / fmt::format("cam{}", camera); };
  const fs::path list = root / "exp" / "test_id.txt";
  const std::string text = read_list(list, "SYSU-MM01, which has cam1 to cam6 and exp");
  for (int camera = 1; camera <= kCameras; ++camera)
    if (!fs::is_directory(folder_of(camera)))
      throw Error(ErrorKind::File,
                  fmt::format("{}: no such folder; SYSU-MM01 has cam1 to cam6", folder_of(camera).string()));

  std::set<int64_t> identities;
  for (const std::string_view part : split(text, ", \t\r\n")) {
    const auto identity = whole_number(part);
    if (!identity || *identity < 0)
      throw Error(ErrorKind::Format,
                  fmt::format("{}: holds something else than identities, whole numbers with commas between "
                              "them: '{}'",
                              list.string(), shortened(part)));
    identities.insert(*identity);
  }
  if (identities.empty())
    throw Error(ErrorKind::Format, fmt::format("{}: no identity is in it", list.string()));

  const NameRule rule = NameRule::dataset("sysu");
  ImageFolder queries{.set = SetKind::Query, .root = root}, gallery{.set = SetKind::Gallery, .root = root};
  for (const int64_t identity : identities) {
    const std::string name = fmt::format("{:04}", identity);
    bool seen = false;
    for (int camera = 1; camera <= kCameras; ++camera) {
      const fs::path place = folder_of(camera) / name;
      if (!fs::is_directory(place)) continue;
      seen = true;
      try {
        add_all(camera == 3 || camera == 6 ? queries : gallery, place, rule, shard, skipped);
      } catch (const Error& e) {
        skipped.push_back(e.what());
      }
    }
    if (!seen)
      skipped.push_back(fmt::format("{}: identity {} of {} has no folder below any camera",
                                    (root / "cam*" / name).string(), identity, list.string()));
  }
  return {queries, gallery};
}

std::vector<ImageFolder> list_regdb(const fs::path& root, int64_t split, const Shard& shard,
                                    SkippedInputs& skipped) {
  const auto list = [&](const char* modality) {
    return root / "idx" / fmt::format("test_{}_{}.txt", modality, split);
  };
  return {listed(SetKind::Query, root, list("visible"), 1, shard, skipped),
          listed(SetKind::Gallery, root, list("thermal"), 2, shard, skipped)};
}

void tell_modalities(std::vector<ImageFolder>& folders, const std::optional<ModalityRule>& rule) {
  for (ImageFolder& folder : folders) {
    folder.modalities.clear();
    for (size_t i = 0; i < folder.files.size(); ++i)
      folder.modalities.push_back(rule ? rule->modality(folder.files[i], folder.labels[i].camera)
                                       : Modality::Any);
  }
}

}  // namespace tyto::apps
