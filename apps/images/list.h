// The image and video files of a folder.
#pragma once

#include <filesystem>
#include <vector>

namespace tyto::apps {

// Whether a file is called like a video (.mp4 .mkv .mts .vob ...), in any case of letters.
bool is_video_name(const std::filesystem::path& path);

// `root` itself if it is a file, else all files below it that are called like an image or a video, links
// followed, hidden names skipped, each folder visited once. Among them are kinds that cannot be read (.heic,
// .cr2, .swf): whoever opens one says so, and none is passed over in silence. Sorted as Python sorts the
// tuples of folder and file names: torchvision's ImageFolder order for root/class/file. Error{File}: nothing
// there, an unreadable folder, none.
std::vector<std::filesystem::path> list_images_and_videos(const std::filesystem::path& root);

}  // namespace tyto::apps
