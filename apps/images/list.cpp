#include "apps/images/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

namespace fs = std::filesystem;

std::string extension(const fs::path& path) {
  std::string text = path.extension().string();
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_image_name(const fs::path& path) {
  static const std::set<std::string> extensions = {
      ".apng", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm",
      ".ppm", ".tif", ".tiff", ".webp",
      // Other pictures: telephones', cameras', the web's and editors'.
      ".3fr", ".ai", ".arw", ".avif", ".bpg", ".cr2", ".cr3", ".crw", ".cur", ".dcm", ".dcr", ".dds", ".djvu",
      ".dng", ".emf", ".eps", ".erf", ".exr", ".fits", ".flif", ".hdr", ".heic", ".heics", ".heif", ".heifs",
      ".hif", ".icns", ".ico", ".iiq", ".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpm", ".jpx", ".jxl", ".jxr",
      ".kdc", ".mng", ".mpo", ".mrw", ".nef", ".nrw", ".orf", ".pam", ".pcx", ".pef", ".pfm", ".pict", ".psb",
      ".psd", ".qoi", ".raf", ".ras", ".raw", ".rw2", ".rwl", ".sgi", ".sr2", ".srf", ".srw", ".svg", ".svgz",
      ".tga", ".wbmp", ".wdp", ".wmf", ".x3f", ".xbm", ".xcf", ".xpm"};
  return extensions.contains(extension(path));
}

// `visited` holds the real paths of the folders, so that a link to a folder above ends the descent.
void collect(const fs::path& folder, std::set<fs::path>& visited, std::vector<fs::path>& files) {
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
    if (fs::is_directory(status)) collect(entry, visited, files);
    // A link to nowhere is listed too, so that whoever opens it names it.
    const bool is_file = fs::is_regular_file(status) || status.type() == fs::file_type::not_found;
    if (is_file && (is_image_name(entry) || is_video_name(entry))) files.push_back(entry);
  }
}

}  // namespace

bool is_video_name(const fs::path& path) {
  static const std::set<std::string> extensions = {
      ".264", ".265",  ".3g2", ".3gp",  ".3gp2", ".3gpp", ".amv",  ".asf",  ".avi",   ".bik",  ".braw",
      ".dav", ".divx", ".dv",  ".f4v",  ".flv",  ".gxf",  ".h264", ".h265", ".hevc",  ".insv", ".ivf",
      ".lrv", ".m1v",  ".m2p", ".m2t",  ".m2ts", ".m2v",  ".m4v",  ".mj2",  ".mjpeg", ".mjpg", ".mkv",
      ".mod", ".mov",  ".mp4", ".mp4v", ".mpe",  ".mpeg", ".mpg",  ".mpv",  ".mts",   ".mxf",  ".nsv",
      ".nut", ".obu",  ".ogm", ".ogv",  ".qt",   ".r3d",  ".rm",   ".rmvb", ".swf",   ".tod",  ".trp",
      ".ts",  ".vob",  ".vro", ".webm", ".wmv",  ".wtv",  ".xvid", ".y4m"};
  return extensions.contains(extension(path));
}

std::vector<fs::path> list_images_and_videos(const fs::path& root) {
  try {
    if (!fs::exists(root))
      throw Error(ErrorKind::File, fmt::format("{}: no such file or folder", root.string()));
    if (!fs::is_directory(root)) return {root};
    std::set<fs::path> visited;
    std::vector<fs::path> files;
    collect(root, visited, files);
    if (files.empty())
      throw Error(ErrorKind::File,
                  fmt::format("{}: holds no images (.jpg, .png, .webp, .bmp, .tif ...) and no videos "
                              "(.mp4, .mkv, .avi, .mov, .webm ...)",
                              root.string()));
    std::ranges::sort(files);  // std::filesystem::path compares part by part
    return files;
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::File, fmt::format("{}: {}", error.path1().string(), error.code().message()));
  }
}

}  // namespace tyto::apps
