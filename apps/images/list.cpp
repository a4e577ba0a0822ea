#include "apps/images/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "apps/images/video.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

using Accepts = bool (*)(const fs::path& name);

bool is_image_name(const fs::path& path) {
  static const std::set<std::string> extensions = {".jpg", ".jpeg", ".png", ".bmp", ".webp",
                                                   ".tif", ".tiff", ".ppm", ".pgm"};
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extensions.contains(extension);
}

// `visited` holds the real paths of the folders, so that a link to a folder above ends the descent.
void collect(const fs::path& folder, Accepts accepts, std::set<fs::path>& visited,
             std::vector<fs::path>& files) {
  if (!visited.insert(fs::canonical(folder)).second) return;
  std::vector<fs::path> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  // Deterministic even in which of two links to one folder is followed. Comparing as UTF-8 bytes equals
  // Python's comparison by code point.
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    if (entry.filename().native().starts_with('.')) continue;
    std::error_code broken_link;
    const fs::file_status status = fs::status(entry, broken_link);
    if (fs::is_directory(status)) collect(entry, accepts, visited, files);
    // A link to nowhere is listed too, so that whoever opens it names it.
    const bool is_file = fs::is_regular_file(status) || status.type() == fs::file_type::not_found;
    if (is_file && accepts(entry)) files.push_back(entry);
  }
}

// wanted: what the folder lacks if nothing is accepted
std::vector<fs::path> list_files(const fs::path& root, Accepts accepts, const char* wanted) {
  try {
    if (!fs::exists(root))
      throw Error(ErrorKind::File, fmt::format("{}: no such file or folder", root.string()));
    if (!fs::is_directory(root)) return {root};
    std::set<fs::path> visited;
    std::vector<fs::path> files;
    collect(root, accepts, visited, files);
    if (files.empty()) throw Error(ErrorKind::File, fmt::format("{}: holds no {}", root.string(), wanted));
    std::sort(files.begin(), files.end());  // std::filesystem::path compares part by part
    return files;
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::File, fmt::format("{}: {}", error.path1().string(), error.code().message()));
  }
}

}  // namespace

std::vector<fs::path> list_images(const fs::path& root) {
  return list_files(root, is_image_name, "images (.jpg, .png, .webp, .bmp, .tif, .ppm, .pgm)");
}

std::vector<fs::path> list_images_and_videos(const fs::path& root) {
  return list_files(
      root, [](const fs::path& name) { return is_image_name(name) || is_video_name(name); },
      "images (.jpg, .png, .webp, .bmp, .tif, .ppm, .pgm) and no videos (.avi, .mp4, .mkv, .mov, .webm, "
      ".mpg, .wmv, .ts)");
}

}  // namespace tyto::apps
