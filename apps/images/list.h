// The image and video files of a folder.
#pragma once

#include <filesystem>
#include <vector>

namespace tyto::apps {

// `root` itself if it is a file, else the image files below it (.jpg .jpeg .png .bmp .webp .tif .tiff .ppm
// .pgm in any case), links followed, hidden names skipped, each folder visited once. Sorted as Python sorts
// the tuples of folder and file names: torchvision's ImageFolder order for root/class/file. Error{File}:
// nothing there, an unreadable folder, no images.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& root);

// The same with videos (is_video_name) among the images.
std::vector<std::filesystem::path> list_images_and_videos(const std::filesystem::path& root);

}  // namespace tyto::apps
